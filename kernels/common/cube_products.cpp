// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/cube_products.h"

#include <algorithm>

namespace npusim::kernels {

namespace {

/// More slots would not be filled by the operands of a few sums.
constexpr std::int64_t kMostSlots = 6;

/// The largest K, by halving, for which two slots of [n,K] fit L0A and two of [K,n] fit L0B; no
/// less than a block of the cube or an aligned row of L1. The allocator refuses what does not fit
/// then.
std::int64_t slot_depth(const config::HardwareConfig& hardware, DType dtype, std::int64_t n) {
    const std::int64_t room =
        std::min(hardware.buffer(Memory::L0a).size_bytes, hardware.buffer(Memory::L0b).size_bytes);
    const std::int64_t least =
        std::max(hardware.cube_format(dtype).k,
                 ceil_div(8 * hardware.buffer(Memory::L1).align_bytes, bits_of(dtype)));
    std::int64_t depth = n;
    while (depth % 2 == 0 && depth / 2 >= least && 2 * bytes_of(dtype, n * depth) > room) {
        depth /= 2;
    }
    return depth;
}

} // namespace

Operand Operand::diagonal(std::int64_t start, std::int64_t size) const {
    Operand part = *this;
    part.tile = tile.block(start, start, size, size);
    if (blocks.size >= size) {
        // The whole block counts or none of it does; a recipe asks for the first only.
        part.blocks = {};
    }
    return part;
}

CubeProducts::CubeProducts(const config::HardwareConfig& hardware,
                           DType dtype,
                           std::int64_t n,
                           Emitter& emit)
    : hardware_(hardware), emit_(emit), dtype_(dtype),
      slot_elements_(n * slot_depth(hardware, dtype, n)), left_(make_slots(Memory::L0a)),
      right_(make_slots(Memory::L0b)) {
    const DType accumulator = hardware.cube_format(dtype).accumulator;
    Allocator l0c(hardware, Memory::L0c);
    results_.push_back({l0c.tile(accumulator, n, n), {}});
    if (2 * l0c.used() <= hardware.buffer(Memory::L0c).size_bytes) {
        results_.push_back({l0c.tile(accumulator, n, n), {}});
    }
}

std::vector<CubeProducts::Slot> CubeProducts::make_slots(Memory memory) const {
    Allocator allocator(hardware_, memory);
    std::vector<Slot> slots;
    const std::int64_t size = hardware_.buffer(memory).size_bytes;
    do {
        slots.push_back({.room = allocator.tile(dtype_, 1, slot_elements_)});
    } while (slots.size() < 2 ||
             (std::ssize(slots) < kMostSlots &&
              allocator.used() / std::ssize(slots) * (std::ssize(slots) + 1) <= size));
    return slots;
}

Operand CubeProducts::operand(const isa::Tile& tile, Pipe writer) {
    return {tile, writer, emit_.signal(writer, Pipe::Mte1), ++serials_, {}};
}

void CubeProducts::sum(const isa::Tile& to, std::span<const Term> terms, const Way& way) {
    const isa::Tile c = form(to.rows, terms);
    emit_(isa::Fixpipe{to, c, way.cold, way.scale, way.step, way.unit});
    release();
}

isa::Tile CubeProducts::form(std::int64_t size, std::span<const Term> terms) {
    formed_ = &results_[next_result_++ % results_.size()];
    const isa::Tile c = shaped(formed_->room, size, size);
    emit_.await(Pipe::FixPipe, Pipe::Cube, formed_->released);
    bool accumulate = false;
    for (const Term& term : terms) {
        multiply(c, term, accumulate);
        accumulate = true;
    }
    emit_.await(Pipe::Cube, Pipe::FixPipe, emit_.signal(Pipe::Cube, Pipe::FixPipe));
    return c;
}

void CubeProducts::release() {
    formed_->released = emit_.signal(Pipe::FixPipe, Pipe::Cube);
}

void CubeProducts::multiply(const isa::Tile& c, const Term& term, bool accumulate) {
    const std::int64_t n = c.rows;
    const std::int64_t depth = std::min(n, slot_elements_ / n);
    emit_.await(term.left.writer, Pipe::Mte1, term.left.ready);
    emit_.await(term.right.writer, Pipe::Mte1, term.right.ready);
    for (std::int64_t k = 0; k < n; k += depth) {
        const auto [a, new_a] = fetch(left_, term.left, {0, k, n, depth});
        const auto [b, new_b] = fetch(right_, term.right, {k, 0, depth, n});
        if (new_a || new_b) {
            emit_.await(Pipe::Mte1, Pipe::Cube, emit_.signal(Pipe::Mte1, Pipe::Cube));
        }
        emit_(
            isa::Mmad{c, shaped(a.room, n, depth), shaped(b.room, depth, n), accumulate || k > 0});
        a.released = b.released = emit_.signal(Pipe::Cube, Pipe::Mte1);
    }
}

std::pair<CubeProducts::Slot&, bool>
CubeProducts::fetch(std::vector<Slot>& slots, const Operand& operand, const Window& window) {
    const isa::Tile from = operand.tile.block(window.row, window.col, window.rows, window.cols);
    ++clock_;
    for (Slot& slot : slots) {
        if (slot.serial == operand.serial && slot.from == from && slot.blocks == operand.blocks) {
            slot.used = clock_;
            return {slot, false};
        }
    }
    Slot& slot = *std::ranges::min_element(slots, {}, &Slot::used);
    emit_.await(Pipe::Cube, Pipe::Mte1, slot.released);
    load(shaped(slot.room, window.rows, window.cols), operand, window);
    slot.serial = operand.serial;
    slot.from = from;
    slot.blocks = operand.blocks;
    slot.used = clock_;
    return {slot, true};
}

void CubeProducts::load(const isa::Tile& to, const Operand& operand, const Window& window) {
    const auto [row, col, rows, cols] = window;
    const Blocks& blocks = operand.blocks;
    if (blocks.size == 0) {
        emit_(isa::Copy{to, operand.tile.block(row, col, rows, cols)});
        return;
    }
    emit_.await(zero_.writer, Pipe::Mte1, zero_.ready);
    emit_(isa::Copy{to, zero_.tile.block(0, 0, rows, cols)});
    for (std::int64_t start = blocks.first * blocks.size; start < operand.tile.rows;
         start += blocks.step * blocks.size) {
        // The block's rows and columns that lie in the window.
        const std::int64_t top = std::max(start, row);
        const std::int64_t left = std::max(start, col);
        const std::int64_t height = std::min(start + blocks.size, row + rows) - top;
        const std::int64_t width = std::min(start + blocks.size, col + cols) - left;
        if (height > 0 && width > 0) {
            emit_(isa::Copy{to.block(top - row, left - col, height, width),
                            operand.tile.block(top, left, height, width)});
        }
    }
}

} // namespace npusim::kernels
