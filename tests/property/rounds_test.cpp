// SPDX-License-Identifier: Apache-2.0
//
// Stretches of an operator's rounds are parts of it, and what is worked out from some of them is
// near what all take.
#include "kernels/gemm/gemm.h"
#include "kernels/inverse/inverse_operator.h"
#include "kernels/rowwise/gated.h"
#include "sim/app/job.h"
#include "sim/app/operator_run.h"
#include "sim/app/sampling.h"
#include "sim/isa/work.h"
#include "sim/model/simulation.h"
#include "tests/support/catch.hpp"
#include "tests/support/layer_operators.h"
#include "tests/support/machine.h"

#include <limits>

using namespace npusim;
using kernels::Range;

namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

struct Done {
    std::int64_t macs = 0;
    std::int64_t gm_written = 0;
    bool operator==(const Done&) const = default;
};

/// What the programs of these rounds do.
Done done(const config::HardwareConfig& hardware, kernels::Operator& op, Range rounds) {
    op.run_only(rounds);
    isa::Work work;
    for (const isa::CoreId core : isa::core_ids(hardware)) {
        isa::Program program = op.program(core);
        while (const isa::Block* block = program.next()) {
            for (const isa::Instruction& instruction : *block) {
                isa::add_work(instruction, work);
            }
        }
    }
    Done done;
    for (const std::int64_t macs : work.macs) {
        done.macs += macs;
    }
    done.gm_written = work.written[static_cast<std::size_t>(Memory::Gm)];
    return done;
}

/// Holds two parts of `op`, cut where they are cut worst, against the whole.
void check_parts(const config::HardwareConfig& hardware, kernels::Operator& op) {
    const Done whole = done(hardware, op, {0, kEnd});
    for (const std::int64_t cut : {std::int64_t{1}, op.rounds() / 2, op.rounds() - 1}) {
        const Done first = done(hardware, op, {0, cut});
        const Done second = done(hardware, op, {cut, op.rounds()});
        CAPTURE(cut);
        CHECK(first.macs + second.macs == whole.macs);
        // What a core has in hand where it is cut may be handed over once more.
        CHECK(first.gm_written + second.gm_written >= whole.gm_written);
        CHECK_FALSE(first == whole);
        CHECK_FALSE(second == whole);
    }
    CHECK(done(hardware, op, {op.rounds(), kEnd}).macs == 0);
}

/// Cycles by stretches over those of all.
double sampled_ratio(const config::HardwareConfig& hardware, kernels::Operator& op) {
    op.run_only({0, kEnd});
    const auto whole = app::operator_run(app::time_operator(hardware, op), hardware);
    const app::OperatorRun run = app::sample(hardware, op);
    CHECK(run.worked_out < 0.5);
    const double macs = static_cast<double>(run.macs) / static_cast<double>(whole.macs);
    CHECK((whole.macs == 0 || std::abs(macs - 1) < 0.02));
    return static_cast<double>(run.cycles) / static_cast<double>(whole.cycles);
}

} // namespace

TEST_CASE("rounds: two parts of an operator do what the whole does") {
    int cut = 0;
    for (const std::string chip : {"ascend-910b", "fused-local"}) {
        // A small chip, so that each core has some rounds of everything.
        const config::HardwareConfig hardware = test::hardware(chip, {{"ai_cores", "2"}});
        for (const std::string name : {"qwen3.5-0.8b", "qwen3.5-35b-a3b", "kimi-linear-48b-a3b"}) {
            for (const DType weights : {DType::Fp16, DType::Int8}) {
                app::LayerJob job;
                job.tokens = 200;
                job.batch = 3;
                job.weights = weights;
                job.inverse = app::parse_request("inverse/neumann", {});
                for (const auto& [key, step] :
                     test::layer_operators(hardware, test::model(name), job)) {
                    INFO(chip << ' ' << name << ": " << key);
                    const auto op = step.make();
                    if (op->rounds() > 1) {
                        check_parts(hardware, *op);
                        ++cut;
                    }
                }
            }
        }
    }
    CHECK(cut > 150);
}

TEST_CASE("rounds: two parts of every inverse do what the whole does") {
    for (const std::string chip : {"ascend-910b", "fused-local"}) {
        const config::HardwareConfig hardware = test::hardware(chip, {{"ai_cores", "2"}});
        for (const kernels::Kernel* kernel : kernels::registry()) {
            INFO(chip << ' ' << kernel->name());
            inverse::InverseOperator op(hardware,
                                        *kernel,
                                        kernels::resolve_parameters(*kernel, {}),
                                        {100, 32, DType::Fp16});
            REQUIRE(op.rounds() > 1);
            check_parts(hardware, op);
        }
    }
}

TEST_CASE("sampling: what is not cut is what it is") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    kernels::Gemm op(hardware, {512, 256, 512});
    const app::OperatorRun run = app::sample(hardware, op);
    CHECK(run.worked_out == 1);
    CHECK(run.cycles == app::operator_run(app::time_operator(hardware, op), hardware).cycles);
}

TEST_CASE("sampling: long operators come within a few percent") {
    const config::HardwareConfig hardware =
        test::hardware("ascend-910b", {{"gm.l2_size", "48MiB"}});
    kernels::Gemm gemm(hardware, {16'384, 1024, 16'384});
    CHECK(sampled_ratio(hardware, gemm) == Approx(1).epsilon(0.05));
    kernels::SwiGlu gate(hardware, {131'072, 6144});
    CHECK(sampled_ratio(hardware, gate) == Approx(1).epsilon(0.05));
    const kernels::Kernel& neumann = kernels::find_kernel("inverse/neumann");
    inverse::InverseOperator inverse(
        hardware, neumann, kernels::resolve_parameters(neumann, {}), {40'000, 64, DType::Fp16});
    CHECK(sampled_ratio(hardware, inverse) == Approx(1).epsilon(0.05));
}

TEST_CASE("L2 after programs holds what they moved, and a run that starts with it finds that") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    const isa::Tile gm = isa::dense(Memory::Gm, DType::Fp16, 0, 64, 128);
    const isa::Tile ub = isa::dense(Memory::Ub, DType::Fp16, 0, 64, 128);
    const auto load = [&](isa::CoreId core) {
        return core.ai_core == 0 && core.unit == 1 ? isa::from_list({isa::Copy{ub, gm, true}})
                                                   : isa::Program();
    };
    const timing::L2Cache l2 = model::l2_after(hardware, load);
    CHECK(l2.bytes_touched() == gm.bytes());
    const auto hbm_bytes = [&](const timing::L2Cache* seen) {
        observe::StatisticsCollector statistics;
        model::simulate(hardware, {.program = load, .seen = seen}, {&statistics});
        return statistics.result().hbm_bytes;
    };
    CHECK(hbm_bytes(nullptr) == gm.bytes());
    CHECK(hbm_bytes(&l2) == 0);
}
