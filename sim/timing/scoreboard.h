// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/hash.h"
#include "sim/base/units.h"
#include "sim/timing/flag_turns.h"

#include <algorithm>
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
    /// Adds the raises, with `from_now(at)` for their times, and the age of flags for their ids.
    template <class FromNow>
    void add_to(StateHash& hash, const FromNow& from_now, const FlagTurns& turns) const {
        const auto add = [&](std::int32_t id, const Raises& raises) {
            raises.each([&](const Raised& raised) {
                hash.add(id);
                hash.add(from_now(raised.at));
            });
        };
        each_pair([&](Pipe from, Pipe to, const std::vector<Raises>& flags) {
            hash.add(flags.size());
            for (std::size_t age = 0; age < flags.size(); ++age) {
                const std::int32_t id = turns.id_of_age(from, to, static_cast<std::int32_t>(age));
                add(static_cast<std::int32_t>(age), flags[static_cast<std::size_t>(id)]);
            }
        });
        for (std::size_t id = 0; id < cross_.size(); ++id) {
            add(static_cast<std::int32_t>(id), cross_[id]);
        }
    }
    /// Gives flags the ids that theirs have turned to from `then` to `now`.
    void turn(const FlagTurns& then, const FlagTurns& now) {
        each_pair([&](Pipe from, Pipe to, const std::vector<Raises>& flags) {
            if (!flags.empty()) {
                std::vector<Raises>& turned = pair(from, to);
                const std::int32_t by = now.turned(from, to, then);
                std::rotate(turned.begin(), turned.end() - by, turned.end());
            }
        });
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
        template <class See> void each(const See& see) const {
            if (count_ > 0) {
                see(first_);
                std::ranges::for_each(later_, see);
            }
        }

      private:
        std::size_t count_ = 0;
        Raised first_;
        std::list<Raised> later_;
    };
    template <class See> void each_pair(const See& see) const {
        for (std::size_t from = 0; from < kPipeCount; ++from) {
            for (std::size_t to = 0; to < kPipeCount; ++to) {
                see(static_cast<Pipe>(from), static_cast<Pipe>(to), flags_[from][to]);
            }
        }
    }
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
