// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/reference.h"
#include "sim/app/job.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <cmath>
#include <span>

using namespace npusim;

namespace {

const std::string kTrained = NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4";

app::Result run(const std::string& kernel,
                const std::string& input,
                std::int64_t chunk,
                DType dtype,
                const std::string& machine = "ascend-910b",
                std::int64_t count = 24,
                bool timing_only = false) {
    const auto matrices = inverse::load_input(input, chunk, count, 1);
    app::Workload workload{{matrices.count, chunk, dtype}, timing_only ? nullptr : &matrices};
    return app::run(test::hardware(machine), app::parse_request(kernel, {}), workload);
}

double error(const std::string& kernel,
             const std::string& input,
             std::int64_t chunk,
             DType dtype,
             const std::string& machine = "ascend-910b") {
    const auto accuracy = *run(kernel, input, chunk, dtype, machine).accuracy;
    REQUIRE(accuracy.non_finite == 0);
    return accuracy.rel_frobenius_max;
}

const std::string kForward = "inverse/forward-substitution";
const std::string kNeumann = "inverse/neumann";

} // namespace

TEST_CASE("forward substitution matches double precision at every chunk and dtype") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        for (const std::int64_t chunk : {16, 32, 64, 128}) {
            CAPTURE(machine, chunk);
            CHECK(error(kForward, kTrained, chunk, DType::Fp32, machine) < 1e-6);
            CHECK(error(kForward, kTrained, chunk, DType::Fp16, machine) < 2e-3);
            CHECK(error(kForward, kTrained, chunk, DType::Bf16, machine) < 2e-2);
            // The vector unit converts what the cube may lack.
            if (chunk < 128) { // UB of fused-local does not hold T in fp32 beside A in tf32
                CHECK(error(kForward, kTrained, chunk, DType::Tf32, machine) < 2e-3);
            }
            CHECK(error(kForward, kTrained, chunk, DType::Fp8E4m3, machine) < 0.1);
            CHECK(error(kForward, kTrained, chunk, DType::Fp8E5m2, machine) < 0.2);
        }
    }
}

TEST_CASE("an exact Neumann setting matches double precision on both machines") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        for (const std::int64_t chunk : {16, 32}) { // N=3, S=8 is exact up to 32
            CAPTURE(machine, chunk);
            CHECK(error(kNeumann, kTrained, chunk, DType::Fp32, machine) < 1e-5);
            CHECK(error(kNeumann, kTrained, chunk, DType::Fp16, machine) < 2e-3);
        }
        CHECK(error(kNeumann + ":steps=16", kTrained, 64, DType::Fp32, machine) < 1e-5);
        CHECK(error(kNeumann + ":order=7,early=yes", kTrained, 64, DType::Fp16, machine) < 2e-3);
    }
}

TEST_CASE("Neumann on the trained layer errs as the double-precision cross-check says") {
    // Chunk 64, all heads: N=3 S=8 mask 3 fp16 1.66e-2; N=4 S=8 mask 4 fp16 8.3e-4.
    const auto n3 = *run(kNeumann, kTrained, 64, DType::Fp16, "ascend-910b", 0).accuracy;
    CHECK(n3.rel_frobenius_max == Approx(1.66e-2).epsilon(0.2));
    const auto n4 =
        *run(kNeumann + ":order=4", kTrained, 64, DType::Fp16, "ascend-910b", 0).accuracy;
    CHECK(n4.rel_frobenius_max == Approx(8.3e-4).epsilon(0.5));
}

TEST_CASE("unmasked N=3 S=8 fails on correlated keys, masked holds") {
    const auto unmasked = *run(kNeumann + ":mask=none", "correlated:0.9", 64, DType::Fp16).accuracy;
    CHECK((unmasked.non_finite > 0 || unmasked.rel_frobenius_max > 1));
    CHECK(error(kNeumann, "correlated:0.9", 64, DType::Fp16) < 5e-3);
}

TEST_CASE("masked N=3 S=8 fails on keys of period 4, N=7 with the early mask holds") {
    CHECK(error(kNeumann, "periodic:4", 64, DType::Fp32) > 1);
    CHECK(error(kNeumann + ":order=7,early=yes", "periodic:4", 64, DType::Fp16) < 5e-3);
}

TEST_CASE("all-ones is inverted exactly with the mask") {
    CHECK(error(kNeumann, "ones", 64, DType::Fp16) == 0);
    CHECK(error(kForward, "ones", 64, DType::Fp16) == 0);
}

TEST_CASE("every order and step count matches the double-precision series in fp32") {
    for (const std::string setting : {"order=1,steps=4",
                                      "order=2,steps=3",
                                      "order=4,steps=5",
                                      "order=5,steps=2",
                                      "order=6,steps=1",
                                      "order=2,steps=8,early=yes",
                                      "order=4,steps=4,early=yes"}) {
        CAPTURE(setting);
        const auto request = app::parse_request(kNeumann + ":" + setting, {});
        const auto matrices = inverse::load_input("random", 32, 5, 3);
        const auto result = app::run(
            test::hardware("ascend-910b"), request, {{matrices.count, 32, DType::Fp32}, &matrices});
        for (std::int64_t m = 0; m < matrices.count; ++m) {
            const std::span<const double> a(matrices.values.data() + m * 1024, 1024);
            const auto expected = inverse::neumann(a,
                                                   32,
                                                   request.values.at("order"),
                                                   request.values.at("steps"),
                                                   request.values.at("order"),
                                                   request.values.at("early") == 1);
            double worst = 0;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                worst = std::max(worst,
                                 std::abs(expected[i] -
                                          result.inverses[static_cast<std::size_t>(m * 1024) + i]));
            }
            CHECK(worst < 1e-5);
        }
    }
}

TEST_CASE("a timing-only run takes the cycles of the functional run, to the cycle") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        for (const std::string& kernel :
             {kForward, kNeumann, kNeumann + ":early=yes", kNeumann + ":mask=none"}) {
            for (const std::int64_t chunk : {16, 128}) {
                CAPTURE(machine, kernel, chunk);
                const auto with = run(kernel, "random", chunk, DType::Fp16, machine, 50);
                const auto without = run(kernel, "random", chunk, DType::Fp16, machine, 50, true);
                CHECK(with.statistics.total == without.statistics.total);
                CHECK_FALSE(without.accuracy);
            }
        }
    }
}

TEST_CASE("the same input gives the same bytes") {
    const auto first = run(kNeumann, "random", 64, DType::Fp16);
    const auto second = run(kNeumann, "random", 64, DType::Fp16);
    CHECK(first.inverses == second.inverses);
    CHECK(first.config_hash == second.config_hash);
}

TEST_CASE("on every core each pipe's busy, stalls and idle add up to the total") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        for (const std::string& kernel : {kForward, kNeumann}) {
            const auto result = run(kernel, "random", 64, DType::Fp16, machine, 40, true);
            for (const auto& core : result.statistics.cores) {
                for (const Pipe pipe : core.info.pipes) {
                    const auto& statistics = core.pipes[static_cast<std::size_t>(pipe)];
                    CAPTURE(core.info.name, to_string(pipe));
                    CHECK(statistics.idle(result.statistics.total) >= 0);
                    CHECK(core.finish <= result.statistics.total);
                }
                CHECK(core.arithmetic <= result.statistics.total);
            }
        }
    }
}

TEST_CASE("GM traffic is at least one read of A and one write of T") {
    for (const std::string& kernel : {kForward, kNeumann}) {
        const auto result = run(kernel, "random", 64, DType::Fp16, "ascend-910b", 30, true);
        CHECK(result.statistics.gm_bytes_read >= 30 * 64 * 64 * 2);
        CHECK(result.statistics.gm_bytes_written >= 30 * 64 * 64 * 2);
    }
}
