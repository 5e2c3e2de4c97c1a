// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/hand_over.h"

#include <cassert>

namespace npusim::kernels {

using isa::Tile;

HandOver::HandOver(Stream& stream,
                   const config::HardwareConfig& hardware,
                   isa::CoreId core,
                   const Tile& scratch)
    : s_(stream), hardware_(hardware) {
    const std::int64_t rows = scratch.rows / (hardware.ai_cores * kSlots);
    for (std::int64_t i = 0; i < kSlots; ++i) {
        const std::int64_t row = (core.ai_core * kSlots + i) * rows;
        slots_.push_back(scratch.block(row, 0, rows, scratch.cols));
        s_.share(slots_.back());
    }
}

Tile HandOver::next(const Tile& like) {
    const Tile& slot = slots_[turn_++ % slots_.size()];
    assert(like.bytes() <= slot.bytes());
    return isa::dense(Memory::Gm, like.dtype, slot.address, like.rows, like.cols);
}

void HandOver::to_vector(const Tile& to, const Tile& from) {
    if (hardware_.link(Memory::L0c, Memory::Ub) != nullptr) {
        s_(isa::Fixpipe{to, from});
        return;
    }
    const Tile slot = next(to);
    s_(isa::Fixpipe{slot, from});
    s_(isa::Copy{to, slot});
}

void HandOver::to_cube(const Tile& to, const Tile& from) {
    if (hardware_.link(Memory::Ub, Memory::L1) != nullptr) {
        s_(isa::Copy{to, from});
        return;
    }
    const Tile slot = next(from);
    s_(isa::Copy{slot, from});
    s_(isa::Copy{to, slot});
}

} // namespace npusim::kernels
