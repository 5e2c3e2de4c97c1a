// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace npusim::kernels {

/// A kernel that does the same thing round after round, as published kernels over thousands of
/// chunks do: a run of some rounds tells how long all of them take.
class SteadyKernel : public Operator {
  public:
    using Operator::Operator;

    /// Rounds of the core that has most.
    [[nodiscard]] virtual std::int64_t rounds() const = 0;
    /// Every core stops after that many rounds of its own. Where tensors lie and what they find in
    /// L2 stays that of the whole shape.
    void stop_after(std::int64_t rounds) { limit_ = rounds; }

  protected:
    /// Of `mine` rounds of a core, those that are run.
    [[nodiscard]] std::int64_t limited(std::int64_t mine) const { return std::min(mine, limit_); }
    /// The same in tiles, of a kernel that does `per_round` of them in a round.
    [[nodiscard]] std::int64_t limited_tiles(std::int64_t mine, std::int64_t per_round) const {
        return std::min(mine, limited(ceil_div(mine, per_round)) * per_round);
    }

  private:
    std::int64_t limit_ = std::numeric_limits<std::int64_t>::max();
};

} // namespace npusim::kernels
