// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/units.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace npusim::timing {

/// Event flags of one core: for each ordered pair of pipes and id, and for each cross-core id, the
/// times of the raises nobody has consumed yet, first raised first consumed. Keeps no clock.
class Scoreboard {
  public:
    Scoreboard(std::int64_t flag_ids, std::int64_t cross_flag_ids)
        : ids_(static_cast<std::size_t>(flag_ids)), flags_(kPipeCount * kPipeCount * ids_),
          cross_(static_cast<std::size_t>(cross_flag_ids)) {}

    /// Raises of one flag come in order of time.
    void raise(Pipe from, Pipe to, std::int32_t id, Cycles at) {
        flags_[index(from, to, id)].push(at);
    }
    void raise_cross(std::int32_t id, Cycles at) { cross_[static_cast<std::size_t>(id)].push(at); }
    /// Consumes one raise and returns its time; nothing if there is none.
    std::optional<Cycles> consume(Pipe from, Pipe to, std::int32_t id) {
        return flags_[index(from, to, id)].pop();
    }
    std::optional<Cycles> consume_cross(std::int32_t id) {
        return cross_[static_cast<std::size_t>(id)].pop();
    }

  private:
    class Raises {
      public:
        void push(Cycles at) { times_.push_back(at); }
        std::optional<Cycles> pop() {
            if (first_ == times_.size()) {
                return std::nullopt;
            }
            const Cycles at = times_[first_++];
            if (first_ == times_.size() || first_ == kKept) {
                times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(first_));
                first_ = 0;
            }
            return at;
        }

      private:
        static constexpr std::size_t kKept = 32; ///< consumed ones, before they are dropped
        std::vector<Cycles> times_;
        std::size_t first_ = 0; ///< those before it are consumed
    };
    [[nodiscard]] std::size_t index(Pipe from, Pipe to, std::int32_t id) const {
        return (static_cast<std::size_t>(from) * kPipeCount + static_cast<std::size_t>(to)) * ids_ +
               static_cast<std::size_t>(id);
    }

    std::size_t ids_;
    std::vector<Raises> flags_;
    std::vector<Raises> cross_;
};

} // namespace npusim::timing
