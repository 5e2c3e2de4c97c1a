// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sampling.h"

#include "sim/base/units.h"
#include "sim/model/simulation.h"
#include "sim/observe/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace npusim::app {

namespace {

constexpr kernels::Range kAll{0, std::numeric_limits<std::int64_t>::max()};
constexpr std::int64_t kOps = 20'000;      ///< of the beginning, and of a stretch: at least
constexpr std::int64_t kMostOps = 400'000; ///< that L2 sees before a stretch
constexpr double kL2Times = 2;             ///< what it holds, that it sees before a stretch
constexpr std::int64_t kStretches = 3;     ///< where L2 is not as it will be for long
constexpr std::int64_t kLong = 8;          ///< times the rounds that L2 sees: one stretch is enough

/// What adds up when rounds do.
struct Extent {
    double cycles = 0;
    double macs = 0;
    double cube = 0; ///< busy cycles
    double vector = 0;
    double gm_bytes = 0;
    double hbm_bytes = 0;
    double joules = 0;

    explicit Extent(const OperatorRun& run)
        : cycles(static_cast<double>(run.cycles)), macs(static_cast<double>(run.macs)),
          cube(run.cube * cycles), vector(run.vector * cycles),
          gm_bytes(static_cast<double>(run.gm_bytes)),
          hbm_bytes(static_cast<double>(run.hbm_bytes)), joules(run.joules) {}

    void add(const Extent& other, double times) {
        cycles += times * other.cycles;
        macs += times * other.macs;
        cube += times * other.cube;
        vector += times * other.vector;
        gm_bytes += times * other.gm_bytes;
        hbm_bytes += times * other.hbm_bytes;
        joules += times * other.joules;
    }
    [[nodiscard]] OperatorRun run() const {
        return {.cycles = std::llround(cycles),
                .macs = std::llround(macs),
                .cube = cube / cycles,
                .vector = vector / cycles,
                .gm_bytes = std::llround(gm_bytes),
                .hbm_bytes = std::llround(hbm_bytes),
                .joules = joules};
    }
};

/// A run of some rounds.
struct Run {
    OperatorRun cost;
    std::int64_t ops = 0;
    double finish = 0; ///< cycles, mean over the cores that had something to do
};

Run run_rounds(const config::HardwareConfig& hardware,
               kernels::Operator& op,
               kernels::Range rounds,
               const timing::L2Cache* l2 = nullptr) {
    op.run_only(rounds);
    const observe::RunStatistics statistics = time_operator(hardware, op, {.l2 = l2});
    Run run{.cost = operator_run(statistics, hardware)};
    std::int64_t busy = 0;
    for (const observe::CoreStatistics& core : statistics.cores) {
        const std::int64_t ops =
            std::transform_reduce(core.pipes.begin(),
                                  core.pipes.end(),
                                  std::int64_t{0},
                                  std::plus<>(),
                                  [](const auto& pipe) { return pipe.instructions; });
        run.ops += ops;
        busy += ops > 0 ? 1 : 0;
        run.finish += ops > 0 ? static_cast<double>(core.finish.count()) : 0;
    }
    run.finish /= static_cast<double>(busy);
    return run;
}

/// L2 as it is before round `begin`, by what the rounds before it moved.
class L2Before {
  public:
    L2Before(const config::HardwareConfig& hardware, kernels::Operator& op, double ops_per_round)
        : hardware_(hardware), op_(op),
          most_(static_cast<std::int64_t>(std::ceil(kMostOps / ops_per_round))) {}

    timing::L2Cache operator()(std::int64_t begin) {
        const double wanted = kL2Times * static_cast<double>(hardware_.gm.l2_size_bytes);
        for (;;) {
            op_.run_only({std::max<std::int64_t>(0, begin - rounds_), begin});
            timing::L2Cache l2 =
                model::l2_after(hardware_, [&](isa::CoreId core) { return op_.program(core); });
            const auto seen = static_cast<double>(l2.bytes_touched());
            if (seen >= wanted || rounds_ >= std::min(begin, most_)) {
                return l2;
            }
            constexpr double kMore = 1.5; // at least
            constexpr double kMost = 16;
            const double more = seen > 0 ? std::clamp(1.1 * wanted / seen, kMore, kMost) : kMost;
            rounds_ = std::min(
                static_cast<std::int64_t>(std::ceil(more * static_cast<double>(rounds_))), most_);
        }
    }
    /// That the last one took.
    [[nodiscard]] std::int64_t rounds() const { return rounds_; }

  private:
    const config::HardwareConfig& hardware_;
    kernels::Operator& op_;
    std::int64_t most_;
    std::int64_t rounds_ = 1;
};

} // namespace

OperatorRun sample(const config::HardwareConfig& hardware, kernels::Operator& op) {
    const std::int64_t rounds = op.rounds();
    std::int64_t first = 0; // rounds of the beginning
    Run beginning;
    do {
        first = std::max<std::int64_t>(1, 2 * first);
        if (first * (1 + 2 * kStretches) >= rounds) {
            return run_rounds(hardware, op, kAll).cost;
        }
        beginning = run_rounds(hardware, op, {0, first});
    } while (beginning.ops < kOps);
    const std::int64_t measured = std::max<std::int64_t>(2, first * kOps / beginning.ops);
    const std::int64_t run_in = ceil_div(measured, std::int64_t{2});
    const std::int64_t left = rounds - first;
    L2Before l2_before(
        hardware, op, static_cast<double>(beginning.ops) / static_cast<double>(first));
    // Of `measured` rounds in the middle of part `index` of the rounds that are left.
    const auto stretch = [&](std::int64_t index) {
        const std::int64_t middle = first + left * (2 * index + 1) / (2 * kStretches);
        const std::int64_t begin = middle - measured / 2 - run_in;
        const timing::L2Cache l2 = l2_before(begin);
        const Run before = run_rounds(hardware, op, {begin, begin + run_in}, &l2);
        const Run with = run_rounds(hardware, op, {begin, begin + run_in + measured}, &l2);
        Extent extent(with.cost);
        extent.add(Extent(before.cost), -1);
        extent.cycles = with.finish - before.finish;
        return extent;
    };
    std::vector<Extent> stretches{stretch(kStretches / 2)};
    if (left < kLong * l2_before.rounds()) {
        stretches.push_back(stretch(0));
        stretches.push_back(stretch(kStretches - 1));
    }
    op.run_only(kAll);
    const std::int64_t counted = std::ssize(stretches) * measured;
    Extent sum(beginning.cost);
    for (const Extent& extent : stretches) {
        sum.add(extent, static_cast<double>(left) / static_cast<double>(counted));
    }
    OperatorRun run = sum.run();
    run.worked_out = static_cast<double>(first + counted) / static_cast<double>(rounds);
    return run;
}

} // namespace npusim::app
