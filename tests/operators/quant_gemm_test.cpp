// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/quant_gemm.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <numeric>

using namespace npusim;
using kernels::Gemm;
using kernels::QuantGemm;
using kernels::QuantGemmShape;

namespace {

/// Data of a product with quantised weights: integers as a model gives them, row-major.
struct Data {
    test::Values x;
    test::Values integers;
    test::Values scales;
};

/// Integers over the whole range of the format.
test::Values integers(std::int64_t count, DType dtype, std::uint64_t seed) {
    const double half = dtype == DType::Int8 ? 128 : 8;
    test::Values values = test::uniform(count, -half, half, seed);
    for (double& value : values) {
        value = std::floor(value);
    }
    return values;
}

Data data_for(const QuantGemm& op, const QuantGemmShape& shape) {
    const auto size = [&](const std::string& name) {
        return op.tensor(name).rows * op.tensor(name).cols;
    };
    return {test::stored(op, "x", test::uniform(size("x"), -1, 1, 1)),
            integers(size("w"), shape.weight, 2),
            test::stored(op, "scales", test::uniform(size("scales"), 0.001, 0.02, 3))};
}

/// Weights as the cube gets them: the product in fp32, rounded to the dtype of x.
test::Values dequantised(const QuantGemmShape& shape, const Data& data) {
    test::Values w(data.integers.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i) / shape.n;
        const auto col = static_cast<std::int64_t>(i) % shape.n;
        const auto scale = static_cast<std::size_t>(row / shape.group * shape.n + col);
        w[i] = static_cast<float>(data.integers[i]) * static_cast<float>(data.scales[scale]);
    }
    const auto hardware = test::hardware("fused-local");
    const auto rows = std::ssize(w) / shape.n;
    return test::stored(Gemm(hardware, {1, rows, shape.n, shape.dtype, DType::Fp32}), "w", w);
}

/// X_e W_e of every expert e in double precision.
test::Values
product(const QuantGemmShape& shape, const std::vector<std::int64_t>& rows, const Data& data) {
    const test::Values w = dequantised(shape, data);
    test::Values y;
    auto x = data.x.begin();
    auto matrix = w.begin();
    for (const std::int64_t count : rows) {
        const test::Values part = test::multiply(test::Values(x, x + count * shape.k),
                                                 test::Values(matrix, matrix + shape.k * shape.n),
                                                 count,
                                                 shape.k,
                                                 shape.n);
        y.insert(y.end(), part.begin(), part.end());
        x += count * shape.k;
        matrix += shape.k * shape.n;
    }
    return y;
}

double error_of(const config::HardwareConfig& hardware, const QuantGemmShape& shape) {
    const QuantGemm op(hardware, shape);
    const Data data = data_for(op, shape);
    const auto outcome = test::run(
        hardware, op, {{"x", data.x}, {"w", op.packed(data.integers)}, {"scales", data.scales}});
    const auto rows = shape.rows.empty() ? std::vector<std::int64_t>{shape.m} : shape.rows;
    CAPTURE(op.tiling().m, op.tiling().n, op.tiling().slab, op.tiling().left, op.tiling().kept);
    return test::distance(outcome.tensors.at("y"), product(shape, rows, data));
}

} // namespace

TEST_CASE("quant-gemm: the product with the dequantised weights, in every format and odd sizes") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : {DType::Fp16, DType::Bf16, DType::Fp32}) {
            for (const DType weight : {DType::Int8, DType::Int4}) {
                for (const auto& [m, k, n, group] :
                     {std::array<std::int64_t, 4>{1, 96, 80, 32},
                      std::array<std::int64_t, 4>{37, 384, 144, 128},
                      std::array<std::int64_t, 4>{130, 200, 272, 200}}) {
                    CAPTURE(machine, to_string(dtype), to_string(weight), m, k, n);
                    // Sums in fp32: what is left is the order of summation.
                    CHECK(error_of(hardware, {m, k, n, dtype, weight, group, DType::Fp32}) < 1e-6);
                }
            }
        }
    }
}

TEST_CASE("quant-gemm: scales in fp32, groups that straddle slabs, a result in 16 bits") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : {DType::Fp16, DType::Bf16}) {
            CAPTURE(machine, to_string(dtype));
            const QuantGemmShape shape{
                19, 336, 96, dtype, DType::Int4, 48, DType::Fp32, DType::Fp32};
            CHECK(error_of(hardware, shape) < 1e-6);
            QuantGemmShape rounded = shape;
            rounded.result = dtype;
            const double error = error_of(hardware, rounded);
            CHECK(error < (dtype == DType::Fp16 ? 5e-4 : 4e-3));
            CHECK(error > 1e-5);
        }
    }
}

TEST_CASE("quant-gemm: panels that stay in L1 serve every tile of rows") {
    // One core and few columns: dequantising costs more than a tile of X.
    const auto hardware = test::hardware("fused-local");
    const QuantGemmShape shape{600, 256, 64, DType::Bf16, DType::Int8, 128, DType::Fp32};
    const QuantGemm op(hardware, shape);
    REQUIRE(op.tiling().kept);
    REQUIRE(op.tiling().m < 600);
    CHECK(error_of(hardware, shape) < 1e-6);
}

TEST_CASE("quant-gemm: experts with a matrix each, some of them without rows") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType weight : {DType::Int8, DType::Int4}) {
            CAPTURE(machine, to_string(weight));
            const std::vector<std::int64_t> rows{0, 3, 17, 1, 64};
            const QuantGemmShape shape{
                85, 128, 112, DType::Fp16, weight, 64, DType::Fp32, {}, rows};
            CHECK(error_of(hardware, shape) < 1e-6);
        }
    }
}

TEST_CASE("quant-gemm: what it is not made for is named") {
    const auto hardware = test::hardware("fused-local");
    const auto message = [&](const QuantGemmShape& shape) {
        try {
            const QuantGemm op(hardware, shape);
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    const QuantGemmShape sound{4, 256, 64};
    CHECK(message(sound).empty());
    auto shape = sound;
    shape.group = 96;
    CHECK(message(shape).find("divisors of k = 256") != std::string::npos);
    shape = sound;
    shape.n = 72;
    CHECK(message(shape).find("multiples of 16") != std::string::npos);
    shape = sound;
    shape.weight = DType::Int16;
    CHECK(message(shape).find("int8, int4") != std::string::npos);
    shape = sound;
    shape.rows = {1, 2};
    CHECK(message(shape).find("the sum of the rows") != std::string::npos);
}

TEST_CASE("quant-gemm: a token is faster than with weights in 16 bits, and not faster than HBM") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        constexpr std::int64_t kSide = 4096;
        const auto whole = app::time_operator(hardware, Gemm(hardware, {1, kSide, kSide}));
        for (const DType weight : {DType::Int8, DType::Int4}) {
            const QuantGemm op(hardware, {1, kSide, kSide, DType::Fp16, weight});
            const auto statistics = app::time_operator(hardware, op);
            const double bytes = static_cast<double>(bytes_of(weight, kSide * kSide));
            CAPTURE(machine, to_string(weight), op.tiling().n, op.tiling().slab);
            const auto cycles = static_cast<double>(statistics.total.count());
            CHECK(cycles > bytes / hardware.gm.hbm_bytes_per_cycle);
            CHECK(cycles < 0.8 * static_cast<double>(whole.total.count()));
            // Lines of GM are read whole, and no more than once.
            CHECK(static_cast<double>(statistics.hbm_bytes) < 1.1 * bytes);
        }
    }
}

TEST_CASE("quant-gemm: a large product keeps the cube busy, and nothing is faster than its peak") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const QuantGemm op(hardware, {2048, 2048, 2048, DType::Fp16, DType::Int4});
        const auto statistics = app::time_operator(hardware, op);
        const config::CubeFormat& format = hardware.cube_format(DType::Fp16);
        const double peak = 2.0 * static_cast<double>(format.m * format.k * format.n) /
                            static_cast<double>(format.cycles_per_block) *
                            static_cast<double>(hardware.ai_cores);
        const double share = op.flops() / static_cast<double>(statistics.total.count()) / peak;
        CAPTURE(machine, op.tiling().m, op.tiling().n, op.tiling().slab, op.tiling().kept);
        CHECK(share < 1);
        CHECK(share > 0.45);
    }
}
