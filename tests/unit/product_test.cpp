// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/formats.h"
#include "sim/functional/matrix_kernel.h"
#include "sim/functional/matrix_product.h"
#include "tests/support/catch.hpp"

#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using namespace npusim;
using functional::ProductShape;

namespace {

template <class Value>
std::vector<Value> by_hand(const ProductShape& s,
                           const std::vector<Value>& a,
                           const std::vector<Value>& b,
                           std::vector<Value> sum) {
    const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
    for (std::int64_t m = 0; m < s.m; ++m) {
        for (std::int64_t n = 0; n < s.n; ++n) {
            for (std::int64_t k = 0; k < s.k; ++k) {
                sum[at(m * s.n + n)] += a[at(m * s.k + k)] * b[at(k * s.n + n)];
            }
        }
    }
    return sum;
}

template <class Value, class Draw> std::vector<Value> drawn(std::int64_t count, Draw draw) {
    std::vector<Value> values(static_cast<std::size_t>(count));
    for (Value& value : values) {
        value = draw();
    }
    return values;
}

/// The bits: a NaN is equal to itself.
std::vector<std::uint32_t> bits(const std::vector<float>& values) {
    std::vector<std::uint32_t> result;
    for (const float value : values) {
        result.push_back(std::bit_cast<std::uint32_t>(value));
    }
    return result;
}

/// Around the blocks of the kernels: 8 or 6 rows of 4 to 32 columns.
const ProductShape kShapes[] = {
    {1, 1, 1}, {3, 5, 16}, {8, 7, 32}, {13, 64, 15}, {25, 16, 43}, {64, 128, 48}};

} // namespace

TEST_CASE("a product by blocks has the bits of one by hand, for operands of any format") {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (const ProductShape& shape : kShapes) {
        INFO(shape.m << "x" << shape.k << "x" << shape.n);
        const auto draw = [&] { return normal(random); };
        const auto half = [&] { return functional::from_fp16(functional::to_fp16(draw())); };
        const auto sum = drawn<float>(shape.m * shape.n, draw);

        auto a = drawn<float>(shape.m * shape.k, draw);
        auto b = drawn<float>(shape.k * shape.n, draw);
        auto result = sum;
        functional::add_product(shape, a.data(), b.data(), result.data());
        CHECK(bits(result) == bits(by_hand(shape, a, b, sum)));

        a = drawn<float>(shape.m * shape.k, half);
        b = drawn<float>(shape.k * shape.n, half);
        b[0] = std::numeric_limits<float>::infinity();
        b[b.size() / 2] = functional::from_fp16(1); // the smallest subnormal
        result = sum;
        functional::add_exact_product(shape, a.data(), b.data(), result.data());
        CHECK(bits(result) == bits(by_hand(shape, a, b, sum)));
    }
}

TEST_CASE("a product has the same bits by every instruction set of the host") {
    namespace detail = functional::detail;
    using Kernel = detail::Product<false>;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (const ProductShape& shape : kShapes) {
        INFO(shape.m << "x" << shape.k << "x" << shape.n);
        const auto draw = [&] { return normal(random); };
        const auto a = drawn<float>(shape.m * shape.k, draw);
        const auto b = drawn<float>(shape.k * shape.n, draw);
        const auto sum = drawn<float>(shape.m * shape.n, draw);
        const auto expected = bits(by_hand(shape, a, b, sum));
        auto result = sum;
        detail::on_sse2<Kernel>(shape, a.data(), b.data(), result.data());
        CHECK(bits(result) == expected);
        if (detail::isa_here() != functional::Isa::Sse2) {
            result = sum;
            detail::on_avx2<Kernel>(shape, a.data(), b.data(), result.data());
            CHECK(bits(result) == expected);
        }
    }
}

TEST_CASE("an integer product by blocks is exact") {
    std::mt19937 random(1);
    std::uniform_int_distribution<std::int32_t> byte(-128, 127);
    for (const ProductShape& shape : kShapes) {
        INFO(shape.m << "x" << shape.k << "x" << shape.n);
        const auto draw = [&] { return byte(random); };
        const auto a = drawn<std::int32_t>(shape.m * shape.k, draw);
        const auto b = drawn<std::int32_t>(shape.k * shape.n, draw);
        const auto sum = drawn<std::int32_t>(shape.m * shape.n, draw);
        auto result = sum;
        functional::add_product(shape, a.data(), b.data(), result.data());
        CHECK(result == by_hand(shape, a, b, sum));

        const auto wide_a = drawn<std::int64_t>(shape.m * shape.k, [&] { return draw() << 8; });
        const auto wide_b = drawn<std::int64_t>(shape.k * shape.n, [&] { return draw() << 8; });
        std::vector<std::int64_t> wide(static_cast<std::size_t>(shape.m * shape.n));
        const auto expected = by_hand(shape, wide_a, wide_b, wide);
        functional::add_product(shape, wide_a.data(), wide_b.data(), wide.data());
        CHECK(wide == expected);
    }
}
