// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/functional/host.h"
#include "sim/functional/matrix_product.h"

#include <cstring>

namespace npusim::functional::detail {

/// Bytes of a vector register.
template <Isa isa>
constexpr std::size_t kVectorBytes = isa == Isa::Avx512 ? 64
                                     : isa == Isa::Avx2 ? 32
                                                        : 16;

/// `Rows` rows of the sum, `Vectors` registers wide, stay in registers while k goes by: so many
/// that the multiply-adds of a k do not wait for those before them, and need fewer loads than there
/// are of them. Inlined into functions that are compiled for one instruction set each.
template <std::size_t Bytes, std::size_t Rows, std::size_t Vectors, class Value>
[[gnu::always_inline]] inline void
block(const ProductShape& s, const Value* a, const Value* b, Value* sum) {
    using Lanes [[gnu::vector_size(Bytes)]] = Value;
    constexpr std::size_t kLanes = Bytes / sizeof(Value);
    Lanes sums[Rows][Vectors];
    for (std::size_t r = 0; r < Rows; ++r) {
        for (std::size_t v = 0; v < Vectors; ++v) {
            std::memcpy(&sums[r][v], sum + static_cast<std::int64_t>(r) * s.n + v * kLanes, Bytes);
        }
    }
    for (std::int64_t k = 0; k < s.k; ++k) {
        Lanes of_b[Vectors];
        for (std::size_t v = 0; v < Vectors; ++v) {
            std::memcpy(&of_b[v], b + k * s.n + v * kLanes, Bytes);
        }
        for (std::size_t r = 0; r < Rows; ++r) {
            for (std::size_t v = 0; v < Vectors; ++v) {
                sums[r][v] += a[static_cast<std::int64_t>(r) * s.k + k] * of_b[v];
            }
        }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
        for (std::size_t v = 0; v < Vectors; ++v) {
            std::memcpy(sum + static_cast<std::int64_t>(r) * s.n + v * kLanes, &sums[r][v], Bytes);
        }
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

/// `Rows` rows at a time, and half as many for what is left.
template <std::size_t Bytes, std::size_t Rows, class Value>
[[gnu::always_inline]] inline void
product(ProductShape s, const Value* a, const Value* b, Value* sum) {
    constexpr auto kLanes = static_cast<std::int64_t>(Bytes / sizeof(Value));
    constexpr auto kRows = static_cast<std::int64_t>(Rows);
    for (; s.m >= kRows; s.m -= kRows, a += kRows * s.k, sum += kRows * s.n) {
        std::int64_t n = 0;
        for (; n + 2 * kLanes <= s.n; n += 2 * kLanes) {
            block<Bytes, Rows, 2>(s, a, b + n, sum + n);
        }
        for (; n + kLanes <= s.n; n += kLanes) {
            block<Bytes, Rows, 1>(s, a, b + n, sum + n);
        }
        for (std::int64_t r = 0; n < s.n && r < kRows; ++r) {
            rest(s, n, a + r * s.k, b, sum + r * s.n);
        }
    }
    if constexpr (Rows > 1) {
        product<Bytes, Rows / 2>(s, a, b, sum);
    }
}

/// As many rows at a time as the registers hold. `Fused` is of the file this is compiled in
/// (-ffp-contract) and keeps the two apart.
template <bool Fused> struct Product {
    template <Isa isa, class Value>
    [[gnu::always_inline]] static void
    run(const ProductShape& s, const Value* a, const Value* b, Value* sum) {
        constexpr std::size_t kRows = isa == Isa::Avx512 ? 8 : 6;
        product<kVectorBytes<isa>, kRows>(s, a, b, sum);
    }
};

} // namespace npusim::functional::detail
