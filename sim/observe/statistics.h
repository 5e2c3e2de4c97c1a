// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/work.h"
#include "sim/observe/observer.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace npusim::observe {

/// Cycles of one pipe by state. busy + stalls + idle = total, always.
struct PipeStatistics {
    std::array<std::int64_t, kStateCount> cycles{}; ///< by State
    std::int64_t instructions = 0;                  ///< ops executed, flags not counted

    [[nodiscard]] std::int64_t busy() const { return cycles[0]; }
    [[nodiscard]] std::int64_t stalled() const;
    [[nodiscard]] std::int64_t idle(Cycles total) const {
        return total.count() - busy() - stalled();
    }
    bool operator==(const PipeStatistics&) const = default;
};

struct CoreStatistics {
    CoreInfo info;
    std::array<PipeStatistics, kPipeCount> pipes; ///< by Pipe; absent pipes stay zero
    Cycles finish;                                ///< end of the last span
    Cycles arithmetic; ///< cycles in which the cube or the vector unit executes, or both
    bool operator==(const CoreStatistics&) const = default;
};

/// What the pipes of one kind did, those of all cores.
struct PipeWork : isa::Work {
    std::int64_t hbm_bytes = 0; ///< between L2 and HBM for their sake
    bool operator==(const PipeWork&) const = default;
};

/// Totals of one run.
struct RunStatistics {
    Cycles total;
    std::vector<CoreStatistics> cores;
    std::int64_t gm_bytes_read = 0;
    std::int64_t gm_bytes_written = 0;
    std::int64_t hbm_bytes = 0;            ///< of those, what goes past L2
    std::array<PipeWork, kPipeCount> work; ///< by Pipe; that of the scalar unit is its time

    /// Multiply-accumulates on the cube.
    [[nodiscard]] std::int64_t macs() const;
    /// Cycles in which a scalar unit is at work, of all cores.
    [[nodiscard]] std::int64_t scalar_busy() const;
    /// The core that finished last.
    [[nodiscard]] const CoreStatistics& last() const;
    bool operator==(const RunStatistics&) const = default;
};

/// How long two pipes execute at the same time: of two ascending series of stretches, the length
/// of what they share.
class Overlap {
  public:
    /// One more stretch of `series`, 0 or 1; returns what has been found to be shared by now and
    /// was not before.
    Cycles add(std::size_t series, Cycles start, Cycles end);
    /// Neither series has a stretch to come that ends before `now`.
    void forget(Cycles now);

  private:
    struct Stretch {
        Cycles start;
        Cycles end;
    };
    std::array<std::deque<Stretch>, 2> ahead_; ///< what the other series has not come to yet
};

/// Adds up a run's spans.
class StatisticsCollector : public Observer {
  public:
    void on_begin(const std::vector<CoreInfo>& cores) override;
    void on_span(const Span& span) override;
    void on_time(std::size_t core, Cycles now) override {
        if (overlaps_[core]) {
            overlaps_[core]->forget(now);
        }
    }
    void on_gm(const GmAccess& access) override;
    [[nodiscard]] bool takes_laps() const override { return true; }
    void on_lap_begin() override { at_lap_ = run_; }
    void on_laps(std::int64_t laps, Cycles cycles) override;
    void on_end(Cycles total) override { run_.total = total; }

    [[nodiscard]] const RunStatistics& result() const { return run_; }

  private:
    RunStatistics run_;
    RunStatistics at_lap_; ///< when the lap began
    Cycles passed_;        ///< in laps
    /// Of cube and vector unit, by core; none where a core has one of them, or neither.
    std::vector<std::optional<Overlap>> overlaps_;
};

} // namespace npusim::observe
