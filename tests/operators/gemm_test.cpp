// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

using namespace npusim;
using kernels::Gemm;
using kernels::GemmShape;

TEST_CASE("gemm: odd shapes in every float format are the product, on both kinds of chip") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
            for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{1, 96, 80},
                                          std::array<std::int64_t, 3>{37, 200, 144},
                                          std::array<std::int64_t, 3>{130, 528, 272}}) {
                CAPTURE(machine, to_string(dtype), m, k, n);
                const Gemm gemm(hardware, {m, k, n, dtype, DType::Fp32});
                const auto x = test::stored(gemm, "x", test::uniform(m * k, -1, 1, 1));
                const auto w = test::stored(gemm, "w", test::uniform(k * n, -1, 1, 2));
                const auto outcome = test::run(hardware, gemm, {{"x", x}, {"w", w}});
                CHECK(test::distance(outcome.tensors.at("y"), test::multiply(x, w, m, k, n)) <
                      1e-6);
            }
        }
    }
}

TEST_CASE("gemm: products that L2 does not hold are walked in stripes, and are the product") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"gm.l2_size", "1MiB"}, {"ai_cores", "4"}});
        for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{1100, 160, 528},
                                      std::array<std::int64_t, 3>{300, 160, 2064}}) {
            CAPTURE(machine, m, k, n);
            const Gemm gemm(hardware, {m, k, n, DType::Fp16, DType::Fp32});
            const auto x = test::stored(gemm, "x", test::uniform(m * k, -1, 1, 1));
            const auto w = test::stored(gemm, "w", test::uniform(k * n, -1, 1, 2));
            const auto outcome = test::run(hardware, gemm, {{"x", x}, {"w", w}});
            CHECK(test::distance(outcome.tensors.at("y"), test::multiply(x, w, m, k, n)) < 1e-6);
        }
    }
}

TEST_CASE("gemm: a product much larger than L2 moves little more than a stripe at a time must") {
    // 8 times 24 MiB of X against 8 MiB of W: W stays, X passes once.
    const auto hardware = test::hardware("ascend-910b", {{"gm.l2_size", "24MiB"}});
    const Gemm gemm(hardware, {16'384, 1024, 4096});
    const auto statistics = app::time_operator(hardware, gemm);
    const double stripes = 32.0 / 3;            // X in eighths of L2
    const double most = 32 + 8 * stripes + 128; // MiB: X, W a stripe, Y
    CHECK(static_cast<double>(statistics.hbm_bytes) < 1.5 * most * (1 << 20));
}

TEST_CASE("gemm: a large product keeps the cube busy, and nothing is faster than its peak") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const Gemm gemm(hardware, {2048, 2048, 2048});
        const auto statistics = app::time_operator(hardware, gemm);
        const config::CubeFormat& format = hardware.cube_format(DType::Fp16);
        const double peak = 2.0 * static_cast<double>(format.m * format.k * format.n) /
                            static_cast<double>(format.cycles_per_block) *
                            static_cast<double>(hardware.ai_cores);
        const double share = gemm.flops() / static_cast<double>(statistics.total.count()) / peak;
        CAPTURE(machine, gemm.tiling().m, gemm.tiling().n, gemm.tiling().slab, gemm.tiling().slice);
        CHECK(share < 1);
        CHECK(share > 0.6);
    }
}
