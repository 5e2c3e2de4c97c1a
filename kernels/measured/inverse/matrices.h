// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <algorithm>
#include <cstdint>

namespace npusim::kernels {

/// A batch of strictly lower triangular matrices M of which (I + M)^-1 is asked.
struct InverseBatch {
    std::int64_t count = 0; ///< matrices
    std::int64_t side = 0;  ///< rows and columns: the chunk
    /// Matrices side by side in memory: the heads of a sequence-first tensor, 1 where every matrix
    /// is contiguous (head first).
    std::int64_t heads = 1;
    DType in = DType::Fp16;
    DType out = DType::Fp32;
    bool cold = true; ///< the input is in HBM and not in L2
    /// AI cores that take part; 0: all of the chip.
    std::int64_t cores = 0;

    /// AI cores with work to do.
    [[nodiscard]] std::int64_t cores_of(const config::HardwareConfig& hardware) const {
        return std::min(cores > 0 ? cores : hardware.ai_cores, count);
    }
    /// Rows and columns of a tensor of the batch in memory.
    [[nodiscard]] std::int64_t rows() const { return ceil_div(count, heads) * side; }
    [[nodiscard]] std::int64_t cols() const { return heads * side; }
    /// Matrix `index` of such a tensor.
    [[nodiscard]] isa::Tile matrix(const isa::Tile& tensor, std::int64_t index) const {
        return tensor.block(index / heads * side, index % heads * side, side, side);
    }
};

} // namespace npusim::kernels
