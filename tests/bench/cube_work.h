// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace npusim::bench {

/// How fast the host does a product of square matrices, in 1e9 multiplications and additions a
/// second (GFLOP/s).
struct ProductSpeed {
    DType dtype; ///< of the operands
    std::int64_t side = 0;
    double mmad = 0;             ///< as an instruction: operands converted, product, sum in L0C
    double product = 0;          ///< of operands that are converted already
    std::optional<double> eigen; ///< the same by Eigen, in fp32 or int32; none where it is missing
};
std::vector<ProductSpeed> product_speeds();

/// How fast the host converts a format, in 1e9 elements a second.
struct ConversionSpeed {
    DType dtype;
    double load = 0;  ///< to fp32
    double store = 0; ///< from fp32
};
std::vector<ConversionSpeed> conversion_speeds();

} // namespace npusim::bench
