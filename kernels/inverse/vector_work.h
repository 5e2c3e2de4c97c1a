// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_program.h"

namespace npusim::inverse {

/// The vector unit's part in a recipe: one trip at a time through one of its slots in UB.
class VectorWork {
  public:
    VectorWork(const RecipePlan& plan, kernels::Emitter& emit);

    /// Where the next trip's data goes: filled by `loader`, once that has been made safe.
    const isa::Tile& begin(Pipe loader);
    /// Does what `value` asks with the [size,size] matrix that `loader` has just put there, and
    /// sends the result to `to`.
    void finish(std::size_t value, Pipe loader, const isa::Tile& to, bool cold);

  private:
    struct Slot {
        isa::Tile room;
        kernels::Ticket free_for_mte2; ///< the result has left by MTE3
        kernels::Ticket free_for_fixpipe;
    };
    struct MaskTile {
        isa::Tile room;
        std::size_t mask = SIZE_MAX; ///< which of the layout's is in it
    };
    Slot& slot() { return slots_[turn_ % slots_.size()]; }
    const isa::Tile& mask(std::size_t which);

    const RecipePlan& plan_;
    kernels::Emitter& emit_;
    std::vector<Slot> slots_;
    std::vector<MaskTile> masks_;
    std::size_t turn_ = 0;
    kernels::Ticket masked_; ///< the vector unit has read a mask for the last time
};

} // namespace npusim::inverse
