// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/functional/formats.h"
#include "sim/functional/memory.h"
#include "tests/support/catch.hpp"
#include "tests/unit/rounding.h"

#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

using namespace npusim;
namespace fn = npusim::functional;

namespace {

/// A float format by its fields, with the code under test. tf32's code is its upper 19 bits.
struct Format {
    DType dtype;
    int exponent_bits;
    int mantissa_bits;
    double largest;
    float (*decode)(std::uint32_t code);
    std::uint32_t (*encode)(float value);

    [[nodiscard]] bool infinite() const { return dtype != DType::Fp8E4m3; }
    [[nodiscard]] int bias() const { return (1 << (exponent_bits - 1)) - 1; }
    [[nodiscard]] std::uint32_t sign() const { return 1U << (exponent_bits + mantissa_bits); }
    /// The code of infinity, or of NaN where there is none: the first that is no finite number.
    [[nodiscard]] std::uint32_t end() const {
        return infinite() ? ((1U << exponent_bits) - 1) << mantissa_bits : 0x7FU;
    }
};

const std::array<Format, 5> kFormats{{
    {DType::Fp16,
     5,
     10,
     65504,
     [](std::uint32_t code) { return fn::from_fp16(static_cast<std::uint16_t>(code)); },
     [](float value) -> std::uint32_t { return fn::to_fp16(value); }},
    {DType::Bf16,
     8,
     7,
     0x1.FEp127,
     [](std::uint32_t code) { return fn::from_bf16(static_cast<std::uint16_t>(code)); },
     [](float value) -> std::uint32_t { return fn::to_bf16(value); }},
    {DType::Tf32,
     8,
     10,
     0x1.FFCp127,
     [](std::uint32_t code) { return std::bit_cast<float>(code << 13U); },
     [](float value) { return std::bit_cast<std::uint32_t>(fn::to_tf32(value)) >> 13U; }},
    {DType::Fp8E4m3,
     4,
     3,
     448,
     [](std::uint32_t code) { return fn::from_fp8e4m3(static_cast<std::uint8_t>(code)); },
     [](float value) -> std::uint32_t { return fn::to_fp8e4m3(value); }},
    {DType::Fp8E5m2,
     5,
     2,
     57344,
     [](std::uint32_t code) { return fn::from_fp8e5m2(static_cast<std::uint8_t>(code)); },
     [](float value) -> std::uint32_t { return fn::to_fp8e5m2(value); }},
}};

/// The value of a positive finite code, from its fields.
double value_of(const Format& format, std::uint32_t code) {
    const int exponent = static_cast<int>(code >> format.mantissa_bits);
    const double fraction =
        std::ldexp(code & ((1U << format.mantissa_bits) - 1), -format.mantissa_bits);
    return exponent == 0 ? std::ldexp(fraction, 1 - format.bias())
                         : std::ldexp(1 + fraction, exponent - format.bias());
}

double round_to_format(double value, const Format& format) {
    return test::round_to_format(
        value, format.mantissa_bits, 1 - format.bias(), format.largest, format.infinite());
}

/// `values` after a stay in a row of `dtype`.
template <class Value> std::vector<Value> stored(DType dtype, const std::vector<Value>& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    const isa::Tile row = isa::dense(Memory::Gm, dtype, 0, 1, count);
    auto gm = fn::make_global_memory(row.bytes());
    fn::store_row(row, gm.data(), 0, values.data());
    std::vector<Value> out(values.size());
    fn::load_row(row, gm.data(), 0, out.data());
    return out;
}

double stored(DType dtype, double value) {
    return stored(dtype, std::vector<double>{value})[0];
}

} // namespace

TEST_CASE("every float code decodes to the value of its fields and encodes back to itself") {
    for (const Format& format : kFormats) {
        CAPTURE(to_string(format.dtype));
        for (std::uint32_t code = 0; code < format.end(); ++code) {
            const auto expected = static_cast<float>(value_of(format, code));
            REQUIRE(format.decode(code) == expected);
            REQUIRE(format.decode(code | format.sign()) == -expected);
            REQUIRE(std::signbit(format.decode(code | format.sign())));
            REQUIRE(format.encode(expected) == code);
            REQUIRE(format.encode(-expected) == (code | format.sign()));
        }
        for (std::uint32_t code = format.end(); code < format.sign(); ++code) {
            if (format.infinite() && code == format.end()) {
                REQUIRE(format.decode(code) == HUGE_VALF);
                REQUIRE(format.encode(HUGE_VALF) == code);
            } else {
                REQUIRE(std::isnan(format.decode(code)));
                REQUIRE(std::isnan(format.decode(format.encode(format.decode(code)))));
            }
        }
    }
}

TEST_CASE("every midpoint of two neighbours rounds to the even one, and beside it to the nearer") {
    for (const Format& format : kFormats) {
        CAPTURE(to_string(format.dtype));
        // The last midpoint is that of the largest number and what would follow it.
        for (std::uint32_t code = 0; code < format.end(); ++code) {
            const double middle = (value_of(format, code) + value_of(format, code + 1)) / 2;
            const auto value = static_cast<float>(middle);
            REQUIRE(static_cast<double>(value) == middle);
            const auto next = code + 1 == format.end() && !format.infinite() ? code : code + 1;
            const std::uint32_t even = code % 2 == 0 ? code : next;
            REQUIRE(format.encode(value) == even);
            REQUIRE(format.encode(-value) == (even | format.sign()));
            REQUIRE(format.encode(std::nextafter(value, 0.0F)) == code);
            REQUIRE(format.encode(std::nextafter(value, HUGE_VALF)) == next);
        }
    }
}

TEST_CASE("floats anywhere round as arithmetic says") {
    for (const Format& format : kFormats) {
        CAPTURE(to_string(format.dtype));
        for (std::uint64_t bits = 0; bits <= 0xFFFFFFFFU; bits += 9973) {
            const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
            if (!std::isnan(value)) {
                const auto rounded = static_cast<float>(round_to_format(value, format));
                REQUIRE(format.decode(format.encode(value)) == rounded);
            }
        }
    }
}

TEST_CASE("fp64 rounds once on its way to every float format") {
    const Format single{DType::Fp32, 8, 23, FLT_MAX, nullptr, nullptr};
    std::vector<Format> formats(kFormats.begin(), kFormats.end());
    formats.push_back(single);
    for (const Format& format : formats) {
        CAPTURE(to_string(format.dtype));
        for (std::uint32_t i = 0; i < 4096; ++i) {
            const std::uint32_t code = i * (format.end() / 4096 + 1) % format.end();
            const double middle = (value_of(format, code) + value_of(format, code + 1)) / 2;
            for (const double nudge : {1.0, 1 - 0x1p-50, 1 + 0x1p-50, 1 - 0x1p-25, 1 + 0x1p-25}) {
                const double value = middle * nudge;
                REQUIRE(stored(format.dtype, value) == round_to_format(value, format));
                REQUIRE(stored(format.dtype, -value) == round_to_format(-value, format));
            }
        }
        CHECK(stored(format.dtype, 1e300) == (format.infinite() ? HUGE_VAL : 448));
        CHECK(stored(format.dtype, -HUGE_VAL) == (format.infinite() ? -HUGE_VAL : -448));
        CHECK(stored(format.dtype, 1e-300) == 0);
        CHECK(std::isnan(stored(format.dtype, std::nan(""))));
    }
}

TEST_CASE("every fp16 code decodes to the compiler's _Float16 value") {
    for (unsigned code = 0; code <= 0xFFFFU; ++code) {
        const auto bits = static_cast<std::uint16_t>(code);
        _Float16 expected;
        std::memcpy(&expected, &bits, sizeof bits);
        const float value = fn::from_fp16(bits);
        REQUIRE((value == static_cast<float>(expected) || std::isnan(value)));
    }
}

TEST_CASE("a row of fp16 has the bits of its elements one by one, NaNs too") {
    std::vector<float> values;
    for (std::uint64_t bits = 0; bits <= 0xFFFFFFFFU; bits += 9973) {
        values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    }
    const auto count = static_cast<std::int64_t>(values.size());
    const isa::Tile row = isa::dense(Memory::Gm, DType::Fp16, 0, 1, count);
    auto gm = fn::make_global_memory(row.bytes());
    fn::store_row(row, gm.data(), 0, values.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint16_t code = 0;
        std::memcpy(&code, gm.data() + 2 * i, sizeof code);
        REQUIRE(code == fn::to_fp16(values[i]));
    }

    std::vector<std::uint16_t> codes(0x10000);
    std::iota(codes.begin(), codes.end(), std::uint16_t{0});
    const isa::Tile all = isa::dense(Memory::Gm, DType::Fp16, 0, 1, std::ssize(codes));
    values.resize(codes.size());
    fn::load_row(all, reinterpret_cast<const std::byte*>(codes.data()), 0, values.data());
    for (const std::uint16_t code : codes) {
        REQUIRE(std::bit_cast<std::uint32_t>(values[code]) ==
                std::bit_cast<std::uint32_t>(fn::from_fp16(code)));
    }
}

TEST_CASE("integers are kept, halves go to even, the range is the end") {
    for (const DType dtype : {DType::Int4, DType::Int8, DType::Int16}) {
        CAPTURE(to_string(dtype));
        const double limit = std::ldexp(1.0, static_cast<int>(bits_of(dtype)) - 1);
        std::vector<double> values;
        std::vector<double> expected;
        for (double value = -limit - 3; value <= limit + 2; value += 0.25) {
            values.push_back(value);
            expected.push_back(std::clamp(std::nearbyint(value), -limit, limit - 1));
        }
        CHECK(stored(dtype, values) == expected);
        CHECK(stored(dtype, std::vector<float>(values.begin(), values.end())) ==
              std::vector<float>(expected.begin(), expected.end()));
        CHECK(stored(dtype, HUGE_VAL) == limit - 1);
        CHECK(stored(dtype, -HUGE_VAL) == -limit);
        CHECK(stored(dtype, std::nan("")) == 0);
    }
}

TEST_CASE("the accumulators hold every integer of theirs and stop at their ends") {
    CHECK(stored(DType::Int32, 2147483646.5) == 2147483646);
    CHECK(stored(DType::Int32, 2147483647.5) == 2147483647);
    CHECK(stored(DType::Int32, -2147483649.0) == -2147483648.0);
    CHECK(stored<float>(DType::Int32, {3e9F, -3e9F, 16777215.0F}) ==
          std::vector<float>{2147483648.0F, -2147483648.0F, 16777215.0F});
    const std::vector<std::int64_t> wide{INT64_MAX, INT64_MIN, INT64_MAX - 1, 0, -1};
    CHECK(stored(DType::Int64, wide) == wide);
    CHECK(stored<std::int64_t>(DType::Int32, wide) ==
          std::vector<std::int64_t>{INT32_MAX, INT32_MIN, INT32_MAX, 0, -1});
    CHECK(stored(DType::Int64, 1e19) == 0x1p63);
    CHECK(stored(DType::Int64, -1e19) == -0x1p63);
    CHECK(stored(DType::Int64, 0x1p62) == 0x1p62);
}

TEST_CASE("int4 lies two to a byte, the low half first, and a row ends with its byte") {
    const isa::Tile tile = isa::dense(Memory::Gm, DType::Int4, 0, 2, 3);
    CHECK(tile.row_bytes() == 2);
    CHECK(tile.bytes() == 4);
    auto gm = fn::make_global_memory(tile.bytes());
    fn::store_row(tile, gm.data(), 0, std::vector<float>{1, -2, 7}.data());
    fn::store_row(tile, gm.data(), 1, std::vector<float>{-8, 0, -1}.data());
    CHECK(gm ==
          fn::GlobalMemory{std::byte{0xE1}, std::byte{0x07}, std::byte{0x08}, std::byte{0x0F}});
    std::vector<float> row(3);
    fn::load_row(tile, gm.data(), 1, row.data());
    CHECK(row == std::vector<float>{-8, 0, -1});
}

TEST_CASE("a block of int4 starts at an even column") {
    const isa::Tile tile = isa::dense(Memory::Gm, DType::Int4, 0, 4, 8);
    CHECK(tile.block(1, 2, 1, 3).address == 5);
    CHECK_THROWS_AS(tile.block(1, 3, 1, 2), ProgramError);
    CHECK(isa::dense(Memory::Gm, DType::Int8, 0, 4, 8).block(1, 3, 1, 2).address == 11);
}

TEST_CASE("memory nobody wrote reads as NaN in every float format") {
    for (const DType dtype : kDTypes) {
        const isa::Tile row = isa::dense(Memory::Gm, dtype, 0, 1, 2);
        const auto gm = fn::make_global_memory(row.bytes());
        std::array<float, 2> values{};
        fn::load_row(row, gm.data(), 0, values.data());
        CAPTURE(to_string(dtype));
        CHECK((is_integer(dtype) ? values[1] == -1 : std::isnan(values[1])));
    }
}
