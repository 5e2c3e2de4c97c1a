// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/observe/observer.h"
#include "traces/occupancy.h"
#include "traces/selection.h"
#include "traces/trace.h"

#include <array>
#include <deque>
#include <memory>
#include <unordered_set>
#include <vector>

namespace npusim::traces {

/// Turns a run into lanes, slices, arrows and counters, as they come, and hands them to a writer.
///
/// With `Detail::Instructions` what flags cost is left out, and their arrows go from the
/// instruction before the set to the one after the wait.
class Recorder : public observe::Observer {
  public:
    Recorder(std::unique_ptr<TraceWriter> writer,
             const config::HardwareConfig& hardware,
             Selection selection,
             Detail detail);
    ~Recorder() override;
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    Recorder(Recorder&&) = delete;
    Recorder& operator=(Recorder&&) = delete;

    void on_begin(const std::vector<observe::CoreInfo>& cores) override;
    void on_span(const observe::Span& span) override;
    void on_gm(const observe::GmAccess& access) override;
    [[nodiscard]] bool detailed() const override { return detail_ != Detail::Pipes; }
    void on_execute(const observe::Execution& execution) override;
    void on_raise(const observe::Raise& raise) override;
    void on_end(Cycles total) override;

  private:
    class PipeLane;
    class CoreCounters;
    struct Measured;

    LaneId add_lane(const Lane& lane);
    PipeLane* lane_of(std::size_t core, Pipe pipe);
    Series& add_counter(Counter counter);

    std::unique_ptr<TraceWriter> writer_;
    const config::HardwareConfig& hardware_;
    Selection selection_;
    Detail detail_;
    LaneId lanes_ = 0;
    std::vector<std::array<std::unique_ptr<PipeLane>, kPipeCount>> pipes_; ///< by core; shown ones
    std::unordered_set<std::uint64_t> hidden_; ///< raises that wait, set where nothing is shown
    std::deque<Measured> counters_;
    Series* read_ = nullptr;
    Series* written_ = nullptr;
    Series* hbm_ = nullptr;
    std::array<Series*, kPipeCount> busy_{};
    std::array<double, kPipeCount> share_{};             ///< of a pipe in all of its kind, in %
    std::vector<std::unique_ptr<CoreCounters>> of_core_; ///< null: not counted
};

} // namespace npusim::traces
