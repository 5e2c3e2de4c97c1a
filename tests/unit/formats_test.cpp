// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/formats.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <cstring>

namespace fn = npusim::functional;

TEST_CASE("every fp16 code decodes to the compiler's _Float16 value and encodes back to itself") {
    for (unsigned code = 0; code <= 0xFFFFU; ++code) {
        const auto bits = static_cast<std::uint16_t>(code);
        _Float16 expected;
        std::memcpy(&expected, &bits, sizeof bits);
        const float value = fn::from_fp16(bits);
        if (std::isnan(static_cast<float>(expected))) {
            REQUIRE(std::isnan(value));
            REQUIRE(std::isnan(fn::from_fp16(fn::to_fp16(value))));
        } else {
            REQUIRE(value == static_cast<float>(expected));
            REQUIRE(fn::to_fp16(value) == bits);
        }
    }
}

TEST_CASE("fp16 rounds to nearest even, as the compiler's conversion does") {
    for (std::uint64_t i = 0; i <= 0xFFFFFFFFU; i += 9973) {
        const float value = std::bit_cast<float>(static_cast<std::uint32_t>(i));
        const auto expected = static_cast<_Float16>(value);
        if (!std::isnan(value)) {
            REQUIRE(fn::to_fp16(value) == std::bit_cast<std::uint16_t>(expected));
        }
    }
    CHECK(fn::from_fp16(fn::to_fp16(65519.0F)) == 65504.0F);
    CHECK(std::isinf(fn::from_fp16(fn::to_fp16(65520.0F))));
}

TEST_CASE("bf16 keeps every code and rounds halfway cases to even") {
    for (unsigned code = 0; code <= 0xFFFFU; ++code) {
        const auto bits = static_cast<std::uint16_t>(code);
        if (!std::isnan(fn::from_bf16(bits))) {
            REQUIRE(fn::to_bf16(fn::from_bf16(bits)) == bits);
        }
    }
    CHECK(fn::to_bf16(std::bit_cast<float>(0x3F808000U)) == 0x3F80U);
    CHECK(fn::to_bf16(std::bit_cast<float>(0x3F818000U)) == 0x3F82U);
    CHECK(fn::to_bf16(std::bit_cast<float>(0x3F808001U)) == 0x3F81U);
}
