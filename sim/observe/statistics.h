// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <array>
#include <cstdint>
#include <optional>

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
};

struct CoreStatistics {
    CoreInfo info;
    std::array<PipeStatistics, kPipeCount> pipes; ///< by Pipe; absent pipes stay zero
    Cycles finish;                                ///< end of the last span
    Cycles arithmetic;       ///< cycles in which the cube or the vector unit executes, or both
    Cycles arithmetic_until; ///< end of the latest such stretch
};

/// Totals of one run.
struct RunStatistics {
    Cycles total;
    std::vector<CoreStatistics> cores;
    std::int64_t gm_bytes_read = 0;
    std::int64_t gm_bytes_written = 0;
    std::int64_t hbm_bytes = 0; ///< of those, what goes past L2
    std::int64_t macs = 0;      ///< multiply-accumulates on the cube

    /// The core that finished last.
    [[nodiscard]] const CoreStatistics& last() const;
};

/// Adds up a run's spans.
class StatisticsCollector : public Observer {
  public:
    void on_begin(const std::vector<CoreInfo>& cores) override;
    void on_start(const Start& start) override;
    void on_span(const Span& span) override;
    void on_gm(const GmAccess& access) override;
    void on_end(Cycles total) override { run_.total = total; }

    [[nodiscard]] const RunStatistics& result() const { return run_; }

  private:
    RunStatistics run_;
};

} // namespace npusim::observe
