// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/vector_work.h"

namespace npusim::inverse {

using isa::Tile;
using kernels::Emitter;
using Kind = Recipe::Value::Kind;

VectorWork::VectorWork(const RecipePlan& plan, Emitter& emit) : plan_(plan), emit_(emit) {
    for (const Tile& slot : plan.ub_.slots) {
        slots_.push_back({slot, {}, {}});
    }
    for (const Tile& mask : plan.ub_.masks) {
        masks_.push_back({mask});
    }
    if (plan.diagonal_) {
        plan.diagonal_->set_up(emit, {}); // what is not in the blocks is never read
    }
}

const Tile& VectorWork::begin(Pipe loader) {
    ++turn_;
    emit_.await(
        Pipe::Mte3, loader, loader == Pipe::Mte2 ? slot().free_for_mte2 : slot().free_for_fixpipe);
    return slot().room;
}

const Tile& VectorWork::mask(std::size_t which) {
    MaskTile& tile = masks_[which % masks_.size()];
    if (tile.mask != which) {
        tile.mask = which;
        const Tile& from = plan_.masks_[which];
        const Tile to = kernels::shaped(tile.room, from.rows, from.cols);
        emit_.await(Pipe::Vector, Pipe::Mte2, masked_);
        emit_(isa::Copy{to, from});
        emit_.await(Pipe::Mte2, Pipe::Vector, emit_.signal(Pipe::Mte2, Pipe::Vector));
        tile.room = to;
    }
    return tile.room;
}

void VectorWork::finish(std::size_t value, Pipe loader, const Tile& to, bool cold) {
    Slot& slot = this->slot();
    const Tile data = kernels::shaped(slot.room, to.rows, to.cols);
    const bool inverts = plan_.value(value).kind == Kind::BlockInverse;
    const Tile keep = inverts ? Tile{} : mask(plan_.use_.mask_of[value]);
    emit_.await(loader, Pipe::Vector, emit_.signal(loader, Pipe::Vector));
    if (inverts) {
        plan_.diagonal_->invert(emit_, data, data);
    } else {
        emit_(isa::Vand{{data, data, keep}});
    }
    if (masks_.size() < plan_.use_.masks.size()) {
        masked_ = emit_.signal(Pipe::Vector, Pipe::Mte2);
    }
    emit_.await(Pipe::Vector, Pipe::Mte3, emit_.signal(Pipe::Vector, Pipe::Mte3));
    emit_(isa::Copy{to, data, cold});
    slot.free_for_mte2 = emit_.signal(Pipe::Mte3, Pipe::Mte2);
    if (!plan_.split_) {
        slot.free_for_fixpipe = emit_.signal(Pipe::Mte3, Pipe::FixPipe);
    }
}

} // namespace npusim::inverse
