// SPDX-License-Identifier: Apache-2.0
//
// Every shipped kernel and operator takes the same with laps passed over as with every instruction
// worked out: cycles, and statistics of every pipe.
#include "sim/app/job.h"
#include "sim/app/operator_run.h"
#include "tests/support/catch.hpp"
#include "tests/support/lap_count.h"
#include "tests/support/layer_operators.h"
#include "tests/support/machine.h"

#include <fmt/format.h>
#include <set>
#include <string>

using namespace npusim;

namespace {

/// Share of the cycles of an inverse that was passed over.
double passed_share(const config::HardwareConfig& chip,
                    const std::string& kernel,
                    const kernels::Problem& problem) {
    const app::KernelRequest request = app::parse_request(kernel, {});
    test::LapCount passed;
    const auto with = app::run(chip, request, {.problem = problem}, {&passed});
    const auto without = app::run(chip, request, {.problem = problem, .exact = true});
    CHECK(with.statistics == without.statistics);
    return static_cast<double>(passed.cycles().count()) /
           static_cast<double>(with.statistics.total.count());
}

} // namespace

TEST_CASE("every inverse takes the same with laps passed over") {
    std::set<std::string> never;
    for (const std::string chip : {"ascend-910b", "fused-local"}) {
        for (const kernels::Kernel* kernel : kernels::registry()) {
            const std::string name(kernel->name());
            const std::string what = fmt::format("{} {}", chip, name);
            INFO(what);
            const std::int64_t count = 200 * test::hardware(chip).ai_cores;
            if (passed_share(test::hardware(chip), name, {count, 64, DType::Fp16}) == 0) {
                never.insert(what);
            }
        }
    }
    CHECK(never.size() <= kernels::registry().size()); // half of both chips'
}

TEST_CASE("inverses that nothing holds up are hardly worked out") {
    const config::HardwareConfig chip = test::hardware("fused-local");
    for (const std::string kernel : {"inverse/forward-substitution", "inverse/mixed"}) {
        INFO(kernel);
        CHECK(passed_share(chip, kernel, {2400, 64, DType::Fp16}) > 0.8);
    }
}

TEST_CASE("chunks, formats and small L2s make no difference to laps") {
    const std::vector<config::Override> small_l2{{"gm.l2_size", "8MiB"}};
    const config::HardwareConfig chip = test::hardware("ascend-910b", small_l2);
    for (const std::string kernel : {"inverse/neumann", "inverse/column-sweep"}) {
        for (const std::int64_t chunk : {16, 64}) {
            for (const DType dtype : {DType::Fp16, DType::Bf16}) {
                INFO(kernel << ' ' << chunk << ' ' << to_string(dtype));
                passed_share(chip, kernel, {4800, chunk, dtype});
            }
        }
    }
}

TEST_CASE("every operator of a layer takes the same with laps passed over") {
    test::LapCount passed;
    for (const std::string chip : {"ascend-910b", "fused-local"}) {
        const config::HardwareConfig hardware = test::hardware(chip);
        for (const std::string name : {"qwen3.5-0.8b", "qwen3.5-35b-a3b", "kimi-linear-48b-a3b"}) {
            app::LayerJob job;
            job.tokens = 512;
            job.inverse = app::parse_request("inverse/neumann", {});
            for (const auto& [key, step] :
                 test::layer_operators(hardware, test::model(name), job)) {
                INFO(chip << ' ' << name << ": " << key);
                const auto op = step.make();
                CHECK(app::time_operator(hardware, *op, {.observers = {&passed}}) ==
                      app::time_operator(hardware, *op, {.exact = true}));
            }
        }
    }
    CHECK(passed.cycles() > Cycles{0});
}
