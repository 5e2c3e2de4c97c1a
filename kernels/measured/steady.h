// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

#include <cstdint>

namespace npusim::kernels {

/// A kernel that does the same thing round after round, as published kernels over thousands of
/// chunks do: a run of some rounds tells how long all of them take.
class SteadyKernel : public Operator {
  public:
    using Operator::Operator;

    [[nodiscard]] std::int64_t rounds() const override = 0;
    /// Every core stops after that many rounds of its own.
    void stop_after(std::int64_t rounds) { run_only({0, rounds}); }

  protected:
    /// Of `mine` rounds of a core, those that are run.
    [[nodiscard]] std::int64_t limited(std::int64_t mine) const {
        return InRounds::limited(Range{0, mine}).end;
    }
    /// The same in tiles, of a kernel that does `per_round` of them in a round.
    [[nodiscard]] std::int64_t limited_tiles(std::int64_t mine, std::int64_t per_round) const {
        return InRounds::limited(Range{0, mine}, per_round).end;
    }
};

} // namespace npusim::kernels
