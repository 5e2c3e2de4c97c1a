// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/config/hardware.h"
#include "sim/functional/execute.h"
#include "sim/functional/numerics.h"
#include "sim/isa/instruction.h"
#include "tests/support/catch.hpp"
#include "tests/unit/rounding.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace npusim;
namespace fn = npusim::functional;

namespace {

/// The local buffers of one core, and what it executes on them. Instructions are checked first.
class Bench {
  public:
    template <class Value> void put(const isa::Tile& tile, const std::vector<Value>& values) {
        for (std::int64_t r = 0; r < tile.rows; ++r) {
            fn::store_row(tile, memory_.at(tile), r, values.data() + r * tile.cols);
        }
    }
    template <class Value> std::vector<Value> get(const isa::Tile& tile) {
        std::vector<Value> values(static_cast<std::size_t>(tile.rows * tile.cols));
        for (std::int64_t r = 0; r < tile.rows; ++r) {
            fn::load_row(tile, memory_.at(tile), r, values.data() + r * tile.cols);
        }
        return values;
    }
    void run(const isa::Instruction& instruction, fn::Numerics* numerics = nullptr) {
        isa::check(instruction, hardware_);
        fn::execute(instruction, memory_, numerics);
    }
    [[nodiscard]] DType accumulator(DType dtype) const {
        return hardware_.cube_format(dtype).accumulator;
    }

  private:
    config::HardwareConfig hardware_ =
        config::load_hardware(NPUSIM_SOURCE_DIR "/configs/hardware/fused-local.yaml");
    fn::GlobalMemory gm_ = fn::make_global_memory(1024);
    fn::CoreMemory memory_{hardware_, gm_};
};

using Integers = std::vector<std::int64_t>;

Integers random_integers(std::mt19937& random, std::int64_t count, DType dtype) {
    const auto low = static_cast<std::int64_t>(~std::uint64_t{0} << (bits_of(dtype) - 1));
    std::uniform_int_distribution<std::int64_t> any(low, -(low + 1));
    Integers values(static_cast<std::size_t>(count));
    std::ranges::generate(values, [&] { return any(random); });
    return values;
}

isa::Tile tile(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols) {
    return isa::dense(memory, dtype, 0, rows, cols);
}

} // namespace

TEST_CASE("mmad of integers is exact") {
    constexpr std::int64_t kM = 17;
    constexpr std::int64_t kK = 70;
    constexpr std::int64_t kN = 20;
    std::mt19937 random(1);
    for (const DType dtype : {DType::Int4, DType::Int8, DType::Int16}) {
        CAPTURE(to_string(dtype));
        Bench bench;
        const isa::Tile a = tile(Memory::L0a, dtype, kM, kK);
        const isa::Tile b = tile(Memory::L0b, dtype, kK, kN);
        const isa::Tile c = tile(Memory::L0c, bench.accumulator(dtype), kM, kN);
        const Integers left = random_integers(random, kM * kK, dtype);
        const Integers right = random_integers(random, kK * kN, dtype);
        const auto at = [](std::int64_t index) { return static_cast<std::size_t>(index); };
        Integers expected(at(kM * kN), 0);
        for (std::int64_t i = 0; i < kM; ++i) {
            for (std::int64_t j = 0; j < kN; ++j) {
                for (std::int64_t p = 0; p < kK; ++p) {
                    expected[at(i * kN + j)] += left[at(i * kK + p)] * right[at(p * kN + j)];
                }
            }
        }
        bench.put(a, left);
        bench.put(b, right);
        bench.run(isa::Mmad{c, a, b, false});
        CHECK(bench.get<std::int64_t>(c) == expected);
        bench.run(isa::Mmad{c, a, b, true});
        std::ranges::transform(expected, expected.begin(), [](auto value) { return 2 * value; });
        CHECK(bench.get<std::int64_t>(c) == expected);
    }
}

TEST_CASE("an integer accumulator is clamped once, after the whole sum") {
    fn::Numerics numerics;
    const auto sum = [&](DType dtype, std::int64_t before, const Integers& a, const Integers& b) {
        Bench bench;
        const auto k = std::ssize(a);
        const isa::Tile left = tile(Memory::L0a, dtype, 1, k);
        const isa::Tile right = tile(Memory::L0b, dtype, k, 1);
        const isa::Tile c = tile(Memory::L0c, bench.accumulator(dtype), 1, 1);
        bench.put(left, a);
        bench.put(right, b);
        bench.put(c, Integers{before});
        bench.run(isa::Mmad{c, left, right, true}, &numerics);
        return bench.get<std::int64_t>(c)[0];
    };
    CHECK(sum(DType::Int8, INT32_MAX - 10, {3, 1}, {3, 1}) == INT32_MAX);
    CHECK(sum(DType::Int8, INT32_MAX - 10, {3, 1}, {3, 0}) == INT32_MAX - 1);
    CHECK(sum(DType::Int8, INT32_MAX, {100, -100}, {100, 100}) == INT32_MAX);
    CHECK(sum(DType::Int16, INT64_MIN + 1, {-1}, {1}) == INT64_MIN);
    CHECK(sum(DType::Int16, INT64_MAX, {-1}, {1}) == INT64_MAX - 1);
    CHECK(numerics.saturated_accumulators == 0);
    CHECK(sum(DType::Int8, INT32_MAX - 10, {3, 2}, {3, 1}) == INT32_MAX);
    CHECK(sum(DType::Int8, INT32_MIN, {-128}, {127}) == INT32_MIN);
    CHECK(sum(DType::Int16, INT64_MAX, {-32768}, {-32768}) == INT64_MAX);
    CHECK(sum(DType::Int16, INT64_MIN + 1, {-1}, {2}) == INT64_MIN);
    CHECK(numerics.saturated_accumulators == 4);
}

TEST_CASE("mmad of fp8 and tf32 sums products in fp32") {
    for (const DType dtype : {DType::Tf32, DType::Fp8E4m3, DType::Fp8E5m2}) {
        CAPTURE(to_string(dtype));
        Bench bench;
        const isa::Tile a = tile(Memory::L0a, dtype, 2, 2);
        const isa::Tile b = tile(Memory::L0b, dtype, 2, 2);
        const isa::Tile c = tile(Memory::L0c, DType::Fp32, 2, 2);
        bench.put<float>(a, {1, 0.5F, -2, 3});
        bench.put<float>(b, {4, 1.75F, 0.25F, -1});
        bench.run(isa::Mmad{c, a, b, false});
        CHECK(bench.get<float>(c) == std::vector<float>{4.125F, 1.25F, -7.25F, -6.5F});
    }
}

TEST_CASE("fixpipe scales in fp64 and rounds once") {
    std::mt19937 random(2);
    constexpr std::int64_t kCount = 4096;
    for (const DType from : kAccumulators) {
        Bench bench;
        const isa::Tile c = tile(Memory::L0c, from, 1, kCount);
        if (from == DType::Fp32) {
            std::normal_distribution<float> any(0, 1e5F);
            std::vector<float> values(kCount);
            std::ranges::generate(values, [&] { return any(random); });
            bench.put(c, values);
        } else {
            bench.put(c, random_integers(random, kCount, from));
        }
        // Exact in fp64 but for int64, which counts as the nearest fp64.
        const std::vector<double> sums = bench.get<double>(c);
        const double unit = *std::ranges::max_element(sums);
        for (const float scale :
             {static_cast<float>(7 / unit), static_cast<float>(200 / unit), -0.001F, 1.0F}) {
            CAPTURE(to_string(from), scale);
            const isa::Tile int8 = tile(Memory::Ub, DType::Int8, 1, kCount);
            const isa::Tile half = tile(Memory::Ub, DType::Fp16, 1, kCount);
            bench.run(isa::Fixpipe{int8, c, false, scale});
            std::vector<double> expected(kCount);
            std::ranges::transform(sums, expected.begin(), [&](double sum) {
                return std::clamp(std::nearbyint(sum * scale), -128.0, 127.0);
            });
            CHECK(bench.get<double>(int8) == expected);
            bench.run(isa::Fixpipe{half, c, false, scale});
            std::ranges::transform(sums, expected.begin(), [&](double sum) {
                return test::round_to_format(sum * scale, 10, -14, 65504);
            });
            CHECK(bench.get<double>(half) == expected);
        }
    }
}

TEST_CASE("an accumulator moved as it is keeps every bit") {
    const Integers wide{INT64_MAX, INT64_MIN, (std::int64_t{1} << 53) + 1, -1};
    Bench bench;
    const isa::Tile c = tile(Memory::L0c, DType::Int64, 2, 2);
    const isa::Tile to = tile(Memory::Ub, DType::Int64, 2, 2);
    bench.put(c, wide);
    bench.run(isa::Fixpipe{to, c});
    CHECK(bench.get<std::int64_t>(to) == wide);
    isa::Tile copy = to;
    copy.address = 64;
    bench.run(isa::Vcast{copy, to});
    CHECK(bench.get<std::int64_t>(copy) == wide);
}

TEST_CASE("vcast goes between any two formats and integers stop at their ends") {
    Bench bench;
    const auto cast = [&](DType from, DType to, const std::vector<double>& values) {
        const auto count = std::ssize(values);
        const isa::Tile source = isa::dense(Memory::Ub, from, 0, 1, count);
        const isa::Tile target = isa::dense(Memory::Ub, to, 1024, 1, count);
        bench.put(source, values);
        bench.run(isa::Vcast{target, source});
        return bench.get<double>(target);
    };
    CHECK(cast(DType::Fp32, DType::Int4, {0.5, 1.5, -9, 300}) == std::vector<double>{0, 2, -8, 7});
    CHECK(cast(DType::Int32, DType::Int16, {-32769, 40000, 5}) ==
          std::vector<double>{-32768, 32767, 5});
    CHECK(cast(DType::Int32, DType::Fp32, {16777217, 16777219}) ==
          std::vector<double>{16777216, 16777220});
    CHECK(cast(DType::Int4, DType::Fp8E4m3, {-8, 7, 1}) == std::vector<double>{-8, 7, 1});
    CHECK(cast(DType::Fp16, DType::Fp8E4m3, {1000, 17, -0x1p-10}) ==
          std::vector<double>{448, 16, 0});
    CHECK(cast(DType::Fp32, DType::Tf32, {1 + 0x1p-11, 1 + 0x3p-11}) ==
          std::vector<double>{1, 1 + 0x1p-9});
}

TEST_CASE("vmuls, vabs, vmax, vdiv and vcmax do their arithmetic") {
    Bench bench;
    const isa::Tile a = isa::dense(Memory::Ub, DType::Fp16, 0, 2, 16);
    const isa::Tile b = isa::dense(Memory::Ub, DType::Fp16, 64, 2, 16);
    const isa::Tile to = isa::dense(Memory::Ub, DType::Fp16, 128, 2, 16);
    const isa::Tile row = isa::dense(Memory::Ub, DType::Fp16, 192, 1, 2);
    std::vector<float> left(32);
    std::vector<float> right(32);
    for (std::size_t i = 0; i < left.size(); ++i) {
        left[i] = 0.75F * static_cast<float>(i) - 20;
        right[i] = 3 - static_cast<float>(i);
    }
    right[3] = 0.5F; // no division by zero here
    bench.put(a, left);
    bench.put(b, right);
    const auto check = [&](const isa::Instruction& op, auto expected) {
        bench.run(op);
        const std::vector<double> got = bench.get<double>(to);
        for (std::size_t i = 0; i < got.size(); ++i) {
            CHECK(got[i] == test::round_to_format(expected(left[i], right[i]), 10, -14, 65504));
        }
    };
    check(isa::Vmuls{{to, a}, 0.3F}, [](double x, double) { return x * 0.3F; });
    check(isa::Vabs{{to, a}}, [](double x, double) { return std::abs(x); });
    check(isa::Vmax{{to, a, b}}, [](double x, double y) { return std::max(x, y); });
    check(isa::Vdiv{{to, a, b}}, [](double x, double y) { return x / y; });
    bench.run(isa::Vcmax{row, b});
    CHECK(bench.get<float>(row) == std::vector<float>{3, -13});
}

TEST_CASE("the larger of anything and NaN is NaN") {
    Bench bench;
    const isa::Tile a = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 8);
    const isa::Tile b = isa::dense(Memory::Ub, DType::Fp32, 32, 1, 8);
    const isa::Tile largest = isa::dense(Memory::Ub, DType::Fp32, 64, 1, 1);
    bench.put<float>(a, {1, 2, 3, NAN, 5, 6, 7, 8});
    bench.put<float>(b, {NAN, 0, 4, 0, 0, 0, 0, -HUGE_VALF});
    bench.run(isa::Vcmax{largest, a});
    CHECK(std::isnan(bench.get<float>(largest)[0]));
    bench.run(isa::Vmax{{a, a, b}});
    const std::vector<float> got = bench.get<float>(a);
    CHECK((std::isnan(got[0]) && std::isnan(got[3])));
    CHECK((got[2] == 4 && got[7] == 8));
}

TEST_CASE("an immediate may be an element that the scalar unit has read") {
    Bench bench;
    const isa::Tile row = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 8);
    const isa::Tile to = isa::dense(Memory::Ub, DType::Fp32, 32, 1, 8);
    bench.put<float>(row, {1, 2, 3, 4, 5, 6, 7, 8});
    const isa::Tile third = row.block(0, 2, 1, 1);
    bench.run(isa::ScalarLoad{third});
    bench.run(isa::Vdup{to, 2.0F, third});
    CHECK(bench.get<float>(to) == std::vector<float>(8, 6));
    bench.run(isa::Vadds{{to, row}, -1.0F, third});
    CHECK(bench.get<float>(to) == std::vector<float>{-2, -1, 0, 1, 2, 3, 4, 5});
    bench.run(isa::Vmuls{{to, row}, 1.0F, third});
    CHECK(bench.get<float>(to) == std::vector<float>{3, 6, 9, 12, 15, 18, 21, 24});
    CHECK(isa::accesses(isa::Vmuls{{to, row}, 1.0F, third}).count == 3);
    CHECK_THROWS_AS(bench.run(isa::Vdup{to, 1.0F, row}), ProgramError);
}

TEST_CASE("vbrcb and vand keep the bits of every format") {
    Bench bench;
    const isa::Tile row = isa::dense(Memory::Ub, DType::Int64, 0, 1, 2);
    const isa::Tile column = isa::dense(Memory::Ub, DType::Int64, 32, 2, 4);
    bench.put(row, Integers{INT64_MAX, INT64_MIN + 1});
    bench.run(isa::Vbrcb{column, row});
    CHECK(bench.get<std::int64_t>(column) == Integers{INT64_MAX,
                                                      INT64_MAX,
                                                      INT64_MAX,
                                                      INT64_MAX,
                                                      INT64_MIN + 1,
                                                      INT64_MIN + 1,
                                                      INT64_MIN + 1,
                                                      INT64_MIN + 1});
    const isa::Tile a = isa::dense(Memory::Ub, DType::Int4, 0, 1, 4);
    const isa::Tile mask = isa::dense(Memory::Ub, DType::Int4, 32, 1, 4);
    bench.put(a, Integers{-8, 7, -3, 5});
    bench.put(mask, Integers{-1, 0, -1, 0});
    bench.run(isa::Vand{{a, a, mask}});
    CHECK(bench.get<std::int64_t>(a) == Integers{-8, 0, -3, 0});
}

TEST_CASE("a step's record counts what its format lost") {
    static constexpr std::int16_t kStep = 3;
    const auto record = [](DType to, float scale, const std::vector<float>& values) {
        Bench bench;
        fn::Numerics numerics;
        const auto count = std::ssize(values);
        const isa::Tile c = tile(Memory::L0c, DType::Fp32, 1, count);
        const isa::Tile ub = tile(Memory::Ub, to, 1, count);
        bench.put(c, values);
        bench.run(isa::Fixpipe{ub, c, false, scale}, &numerics);
        CHECK(numerics.steps.empty());
        const std::vector<double> unseen = bench.get<double>(ub);
        bench.run(isa::Fixpipe{ub, c, false, scale, kStep, 1 / scale}, &numerics);
        const std::vector<double> seen = bench.get<double>(ub);
        CHECK(std::equal(seen.begin(), seen.end(), unseen.begin(), [](double x, double y) {
            return x == y || (std::isnan(x) && std::isnan(y));
        }));
        REQUIRE(numerics.steps.size() == 1);
        return numerics.steps.at(kStep);
    };
    const std::vector<float> values{0, 1, -449, 3e-8F, 2e-8F, 65520, -HUGE_VALF, NAN, 465, 464};

    const fn::StepNumerics half = record(DType::Fp16, 1, values);
    CHECK(half.stored == 10);
    CHECK(half.peak == 465);
    CHECK(half.saturated == 2); // 65520 and the infinity
    CHECK(half.flushed == 1);   // 2e-8 is less than half of 2^-24

    const fn::StepNumerics e4m3 = record(DType::Fp8E4m3, 1, values);
    CHECK(e4m3.peak == 448);
    CHECK(e4m3.saturated == 3); // 464 rounds to 448
    CHECK(e4m3.flushed == 2);

    const fn::StepNumerics int8 = record(DType::Int8, 0.25F, values);
    CHECK(int8.stored == 10);
    CHECK(int8.peak_code == 128);
    CHECK(int8.peak == 128 * 4.0);
    CHECK(int8.saturated == 3); // 16380, the infinity and the NaN
    CHECK(int8.flushed == 3);   // 0.25 too

    const fn::StepNumerics raw = record(DType::Fp32, 1, values);
    CHECK(raw.peak == 65520);
    CHECK(raw.saturated == 1);
    CHECK(raw.flushed == 0);
}

TEST_CASE("a record grows with every store of its step, vcast included, in place or not") {
    Bench bench;
    fn::Numerics numerics;
    const isa::Tile wide = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 4);
    const isa::Tile narrow = isa::dense(Memory::Ub, DType::Int4, 0, 1, 4);
    for (const std::vector<float>& values :
         {std::vector<float>{1, -8, 0.25F, 0}, std::vector<float>{9, -3, 7.5F, 7.25F}}) {
        bench.put(wide, values);
        bench.run(isa::Vcast{narrow, wide, 0}, &numerics);
    }
    bench.put(wide, std::vector<float>{9, -3, 7.5F, 7.25F});
    bench.run(isa::Vcmax{isa::dense(Memory::Ub, DType::Fp32, 64, 1, 1), wide, 1}, &numerics);
    CHECK(numerics.steps.at(1).peak == 9); // found before anything is stored
    CHECK(numerics.steps.at(1).stored == 0);
    CHECK(numerics.steps.at(0).stored == 8);
    CHECK(numerics.steps.at(0).peak == 8);
    CHECK(numerics.steps.at(0).saturated == 1);
    CHECK(numerics.steps.at(0).flushed == 1);
}

TEST_CASE("scale and step are in the text where they are set") {
    const isa::Tile c = tile(Memory::L0c, DType::Int32, 16, 16);
    const isa::Tile to = tile(Memory::L1, DType::Int8, 16, 16);
    CHECK(isa::to_text(isa::Fixpipe{to, c}) == "fixpipe l1[0] int8 16x16, l0c[0] int32 16x16");
    CHECK(isa::to_text(isa::Fixpipe{to, c, false, 0.5F, 2}) ==
          "fixpipe l1[0] int8 16x16, l0c[0] int32 16x16 * 0.5 step 2");
}

TEST_CASE("blocks are reduced to elements in row-major order") {
    Bench bench;
    const isa::Tile from = isa::dense(Memory::Ub, DType::Fp32, 0, 2, 8);
    const isa::Tile to = isa::dense(Memory::Ub, DType::Fp32, 64, 2, 1);
    bench.put<float>(from, {1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6, -7, -8});
    bench.run(isa::Vcgmax{{to, from}});
    CHECK(bench.get<float>(to) == std::vector<float>{8, -1});
    bench.run(isa::Vcgadd{{to, from}});
    CHECK(bench.get<float>(to) == std::vector<float>{36, -36});
}
