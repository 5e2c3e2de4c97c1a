// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <vector>

namespace npusim::timing {

/// A flag that has gone up.
struct Raised {
    Cycles at;
    std::uint64_t number = 0; ///< the caller's, to tell it from others
};

/// Event flags of one core: for each ordered pair of pipes and id, and for each cross-core id, the
/// times of the raises nobody has consumed yet, first raised first consumed. Keeps no clock.
class Scoreboard {
  public:
    Scoreboard(std::int64_t flag_ids, std::int64_t cross_flag_ids)
        : ids_(static_cast<std::size_t>(flag_ids)),
          cross_(static_cast<std::size_t>(cross_flag_ids)) {}

    /// Raises of one flag come in order of time.
    void raise(Pipe from, Pipe to, std::int32_t id, Raised raised) {
        pair(from, to)[static_cast<std::size_t>(id)].push(raised);
    }
    void raise_cross(std::int32_t id, Raised raised) {
        cross_[static_cast<std::size_t>(id)].push(raised);
    }
    /// Consumes one raise; nothing if there is none.
    std::optional<Raised> consume(Pipe from, Pipe to, std::int32_t id) {
        return pair(from, to)[static_cast<std::size_t>(id)].pop();
    }
    std::optional<Raised> consume_cross(std::int32_t id) {
        return cross_[static_cast<std::size_t>(id)].pop();
    }

  private:
    /// Hardly ever is there more than one, so that one stands here.
    class Raises {
      public:
        void push(Raised raised) {
            if (count_++ == 0) {
                first_ = raised;
            } else {
                later_.push_back(raised);
            }
        }
        std::optional<Raised> pop() {
            if (count_ == 0) {
                return std::nullopt;
            }
            const Raised raised = first_;
            if (--count_ > 0) {
                first_ = later_.front();
                later_.pop_front();
            }
            return raised;
        }

      private:
        std::size_t count_ = 0;
        Raised first_;
        std::list<Raised> later_;
    };
    std::vector<Raises>& pair(Pipe from, Pipe to) {
        std::vector<Raises>& flags =
            flags_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
        if (flags.empty()) { // most pairs are never used
            flags.resize(ids_);
        }
        return flags;
    }

    std::size_t ids_;
    std::array<std::array<std::vector<Raises>, kPipeCount>, kPipeCount> flags_;
    std::vector<Raises> cross_;
};

} // namespace npusim::timing
