// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/functional/host.h"
#include "sim/functional/matrix_product.h"

#include <cstring>

namespace npusim::functional::detail {

constexpr std::int64_t kLanes = 16; ///< columns of a block

/// `Rows` x 16 of the sum stay in registers while k goes by. Inlined into functions that are
/// compiled for one instruction set each, which is what the registers are of.
template <std::int64_t Rows, class Value>
[[gnu::always_inline]] inline void
block(const ProductShape& s, const Value* a, const Value* b, Value* sum) {
    using Lanes [[gnu::vector_size(static_cast<std::size_t>(kLanes) * sizeof(Value))]] = Value;
    Lanes rows[static_cast<std::size_t>(Rows)]; // NOLINT(modernize-avoid-c-arrays): registers
    for (std::int64_t r = 0; r < Rows; ++r) {
        std::memcpy(&rows[r], sum + r * s.n, sizeof(Lanes));
    }
    for (std::int64_t k = 0; k < s.k; ++k) {
        Lanes column;
        std::memcpy(&column, b + k * s.n, sizeof(Lanes));
        for (std::int64_t r = 0; r < Rows; ++r) {
            rows[r] += a[r * s.k + k] * column;
        }
    }
    for (std::int64_t r = 0; r < Rows; ++r) {
        std::memcpy(sum + r * s.n, &rows[r], sizeof(Lanes));
    }
}

/// What is left of a row beside the blocks.
template <class Value>
[[gnu::always_inline]] inline void
rest(const ProductShape& s, std::int64_t first, const Value* a, const Value* b, Value* sum) {
    for (std::int64_t k = 0; k < s.k; ++k) {
        for (std::int64_t n = first; n < s.n; ++n) {
            sum[n] += a[k] * b[k * s.n + n];
        }
    }
}

template <std::int64_t Rows, class Value>
[[gnu::always_inline]] inline void
product(const ProductShape& s, const Value* a, const Value* b, Value* sum) {
    const std::int64_t blocked = s.n / kLanes * kLanes;
    std::int64_t m = 0;
    for (; m + Rows <= s.m; m += Rows) {
        for (std::int64_t n = 0; n < blocked; n += kLanes) {
            block<Rows>(s, a + m * s.k, b + n, sum + m * s.n + n);
        }
    }
    for (; m < s.m; ++m) {
        for (std::int64_t n = 0; n < blocked; n += kLanes) {
            block<1>(s, a + m * s.k, b + n, sum + m * s.n + n);
        }
    }
    for (m = 0; blocked < s.n && m < s.m; ++m) {
        rest(s, blocked, a + m * s.k, b, sum + m * s.n);
    }
}

/// As many rows at a time as the registers hold. `Fused` is of the file this is compiled in
/// (-ffp-contract) and keeps the two apart.
template <bool Fused> struct Product {
    template <Isa isa, class Value>
    [[gnu::always_inline]] static void
    run(const ProductShape& s, const Value* a, const Value* b, Value* sum) {
        constexpr std::int64_t kRows = isa == Isa::Avx512 ? 12 : isa == Isa::Avx2 ? 6 : 3;
        product<kRows>(s, a, b, sum);
    }
};

} // namespace npusim::functional::detail
