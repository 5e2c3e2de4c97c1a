// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/workers.h"
#include "sim/base/units.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace npusim::kernels {

/// Work of many cores that goes in rounds, each much like the one before and no core with many more
/// than another, so that a stretch of them tells how long all take.
class InRounds {
  public:
    InRounds() = default;
    InRounds(const InRounds&) = delete;
    InRounds& operator=(const InRounds&) = delete;
    InRounds(InRounds&&) = delete;
    InRounds& operator=(InRounds&&) = delete;
    virtual ~InRounds() = default;

    /// Rounds of the core that has most; 0 where no stretch can be run by itself.
    [[nodiscard]] virtual std::int64_t rounds() const { return 0; }
    /// From now on a core's program is that of these rounds alone. Where tensors lie stays that of
    /// the whole; what a stretch reads may never have been written.
    virtual void run_only(Range stretch) { stretch_ = stretch; }

  protected:
    /// Of `mine`, a core's items at `each` a round, those that are run.
    [[nodiscard]] Range limited(Range mine, std::int64_t each = 1) const {
        const std::int64_t rounds = ceil_div(mine.size(), each);
        const auto at = [&](std::int64_t round) {
            return std::min(mine.begin + std::min(round, rounds) * each, mine.end);
        };
        return {at(stretch_.begin), at(stretch_.end)};
    }

  private:
    Range stretch_{0, std::numeric_limits<std::int64_t>::max()};
};

} // namespace npusim::kernels
