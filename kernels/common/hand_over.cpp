// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/hand_over.h"

#include <cassert>
#include <utility>
#include <vector>

namespace npusim::kernels {

using isa::Tile;

HandOver::HandOver(Stream& stream,
                   const config::HardwareConfig& hardware,
                   isa::CoreId core,
                   const Tile& scratch)
    : s_(stream), hardware_(hardware), up_(ring(scratch, core, 0)),
      down_(ring(scratch, core, kSlots)) {}

Ring HandOver::ring(const Tile& scratch, isa::CoreId core, std::int64_t first) {
    const std::int64_t rows = scratch.rows / scratch_rows(hardware_, 1);
    std::vector<Tile> slots;
    for (std::int64_t i = first; i < first + kSlots; ++i) {
        slots.push_back(
            scratch.block((core.ai_core * 2 * kSlots + i) * rows, 0, rows, scratch.cols));
        s_.share(slots.back());
    }
    return Ring(std::move(slots));
}

Tile HandOver::next(Ring& slots, const Tile& like) {
    const Tile& slot = slots.next();
    assert(like.bytes() <= slot.bytes());
    return isa::dense(Memory::Gm, like.dtype, slot.address, like.rows, like.cols);
}

void HandOver::to_vector(const Tile& to, const Tile& from) {
    if (hardware_.link(Memory::L0c, Memory::Ub) != nullptr) {
        s_(isa::Fixpipe{to, from});
        return;
    }
    const Tile slot = next(up_, to);
    s_(isa::Fixpipe{slot, from});
    s_(isa::Copy{to, slot});
}

void HandOver::to_cube(const Tile& to, const Tile& from) {
    if (hardware_.link(Memory::Ub, Memory::L1) != nullptr) {
        s_(isa::Copy{to, from});
        return;
    }
    const Tile slot = next(down_, from);
    s_(isa::Copy{slot, from});
    s_(isa::Copy{to, slot});
}

} // namespace npusim::kernels
