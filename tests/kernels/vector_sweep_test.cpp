// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

using namespace npusim;

namespace {

const std::vector<std::string> kVectorKernels{"inverse/column-sweep",
                                              "inverse/forward-substitution"};

app::Result run(const std::string& kernel,
                const std::string& machine,
                const std::string& input,
                std::int64_t chunk,
                DType dtype) {
    const auto matrices = inverse::load_input(input, chunk, 24, 1);
    return app::run(test::hardware(machine),
                    app::parse_request(kernel, {}),
                    {{matrices.count, chunk, dtype}, &matrices});
}

double error(const std::string& kernel,
             const std::string& machine,
             const std::string& input,
             std::int64_t chunk,
             DType dtype) {
    const auto accuracy = *run(kernel, machine, input, chunk, dtype).accuracy;
    REQUIRE(accuracy.non_finite == 0);
    return accuracy.rel_frobenius_max;
}

} // namespace

TEST_CASE("every vector kernel matches double precision on every kind of input") {
    for (const std::string& kernel : kVectorKernels) {
        for (const std::string machine : {"ascend-910b", "fused-local"}) {
            for (const std::string input : {"random", "correlated:0.9", "periodic:4", "ones"}) {
                for (const std::int64_t chunk : {16, 32, 64, 128}) {
                    CAPTURE(kernel, machine, input, chunk);
                    CHECK(error(kernel, machine, input, chunk, DType::Fp32) < 1e-6);
                    CHECK(error(kernel, machine, input, chunk, DType::Fp16) < 5e-3);
                    CHECK(error(kernel, machine, input, chunk, DType::Bf16) < 4e-2);
                }
            }
        }
    }
}

TEST_CASE("every vector kernel inverts all-ones exactly") {
    for (const std::string& kernel : kVectorKernels) {
        for (const DType dtype : kDTypes) {
            CAPTURE(kernel, to_string(dtype));
            // Integers come back by a scale, which fp32 rounds.
            CHECK(error(kernel, "ascend-910b", "ones", 128, dtype) <=
                  (is_integer(dtype) ? 1e-7 : 0));
        }
    }
}

TEST_CASE("what a vector kernel leaves above the diagonal is zero") {
    for (const std::string& kernel : kVectorKernels) {
        for (const DType dtype : {DType::Fp32, DType::Fp16}) {
            const auto result = run(kernel, "fused-local", "random", 128, dtype);
            CAPTURE(kernel, to_string(dtype));
            bool zero = true;
            for (std::size_t i = 0; i < result.inverses.size(); ++i) {
                const std::size_t row = i / 128 % 128;
                zero = zero && (i % 128 <= row || result.inverses[i] == 0);
            }
            CHECK(zero);
        }
    }
}

TEST_CASE("column sweep spends no less than its products and sums") {
    // chunk 64, one matrix: step m is m repeats of vmul and of vadd.
    const auto machine = test::hardware("ascend-910b");
    double arithmetic = 0;
    for (int m = 1; m < 64; ++m) {
        arithmetic += 2.30 * m + 25 + 2.11 * m + 24;
    }
    const auto result = app::run(
        machine, app::parse_request("inverse/column-sweep", {}), {{1, 64, DType::Fp16}, nullptr});
    const auto cycles = static_cast<double>(result.cycles_after_launch());
    CHECK(cycles > arithmetic);
    CHECK(cycles < 1.6 * arithmetic);
}
