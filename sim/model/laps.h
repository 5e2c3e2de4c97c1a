// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/model/core.h"
#include "sim/model/gm_module.h"
#include "sim/observe/observer.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace npusim::model {

/// Finds out when the chip goes round in laps, and passes over those that are certain to take what
/// the last one took: the same cycles, the same of every statistic.
///
/// The state of the chip at one moment is all that its future depends on: times as seen from then,
/// what is queued, flags, the queues of GM. Where it is what it was a while before, and programs
/// hold the same instructions for as long as that again, and L2 makes the same of their addresses,
/// what has happened since happens once more. Programs go on being generated and L2 sees every
/// transfer, so all three are known, not assumed. (After memoised simulators such as FastSim,
/// Schnarr and Larus 1998.)
///
/// Moments to compare are those at which one pipe of one core, the marker, has been served by GM.
/// First only the times of that core are looked at; where they come back, a lap is watched as a
/// whole. That costs time, so it is done for nothing ever more seldom.
class Laps {
  public:
    using Cores = std::vector<std::unique_ptr<Core>>;
    /// `fail` hands on the current exception: programs are generated here, too.
    Laps(const Cores& cores,
         GlobalMemoryModule& gm,
         const observe::Observers& observers,
         std::function<void()> fail);

  private:
    using Marker = std::pair<std::size_t, Pipe>;

    /// Looks for a number that came before, by Brent's method: compares with the one after 1, 2,
    /// 4... numbers.
    class Finder {
      public:
        /// How many numbers ago this one was seen; 0 if it has not been.
        std::size_t see(std::uint64_t number);
        [[nodiscard]] std::size_t distance() const { return most_; }

      private:
        std::uint64_t then_ = 0;
        std::size_t since_ = 0;
        std::size_t most_ = 0;
    };

    void served(const GmInterface::Request& request, const timing::L2Cache::Traffic& past);
    void quiet();
    void look(Cycles now);
    void watch();
    void begin_lap(Cycles now);
    void look_back(Cycles now);
    void give_up();
    bool pass_laps(Cycles now);
    bool next_is_same(std::vector<GmSides>& sides);
    [[nodiscard]] std::uint64_t marker_times(Cycles now) const;
    void line_up();
    [[nodiscard]] std::uint64_t state(Cycles now) const;
    [[nodiscard]] std::size_t lap_size() const;

    const Cores& cores_;
    GlobalMemoryModule& gm_;
    const observe::Observers& observers_;
    std::function<void()> fail_;
    std::optional<Marker> marker_;
    bool marked_ = false;        ///< in this cycle
    std::size_t since_mark_ = 0; ///< transfers
    enum class Phase : std::uint8_t {
        Looking,  ///< at the times of the marker
        Watching, ///< programs, until the blocks at hand are known
        Lap,      ///< of the chip, perhaps
    };
    Phase phase_ = Phase::Looking;
    Finder finder_;
    std::size_t marks_ = 0;  ///< so far
    std::size_t wasted_ = 0; ///< of those, in laps watched for nothing since laps were passed
    std::size_t patience_;   ///< marks to watch at least; more each time it was for nothing

    // The lap that is watched, and the time before it.
    std::size_t marker_lap_ = 0; ///< marks of a lap of the marker
    Cycles began_;
    std::uint64_t times_then_ = 0;
    std::uint64_t state_then_ = 0;
    std::vector<GlobalMemoryModule::Served> transfers_;
    std::size_t lap_marks_ = 0;
    std::size_t most_lap_marks_ = 0; ///< then it is given up
};

} // namespace npusim::model
