// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::functional {

/// The shape of sum [m,n] += a [m,k] b [k,n], all dense and row-major.
struct ProductShape {
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
};

/// k ascends for every element. A product and its addition are rounded one after the other, so the
/// bits are the same on every host. (Where NaNs of several kinds meet, which one stays is not
/// said.)
void add_product(const ProductShape& shape, const float* a, const float* b, float* sum);

/// The same bits, faster, for operands whose products are exact in fp32: 11 bits of mantissa and
/// 6 of exponent at the most (fp16, fp8). What is exact may be fused with the addition.
void add_exact_product(const ProductShape& shape, const float* a, const float* b, float* sum);

/// Exact where no sum leaves the type.
void add_product(const ProductShape& shape,
                 const std::int32_t* a,
                 const std::int32_t* b,
                 std::int32_t* sum);
void add_product(const ProductShape& shape,
                 const std::int64_t* a,
                 const std::int64_t* b,
                 std::int64_t* sum);

} // namespace npusim::functional
