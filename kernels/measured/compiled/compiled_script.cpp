// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/compiled/compiled_script.h"

#include "kernels/common/vector_tiles.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Largest tiles of the sources: a chunk of 128 rows of 128, half of it on either vector core.
constexpr std::int64_t kSide = 128;
/// solve_tril.py keeps 38 squares of 16 floats side by side.
constexpr std::int64_t kWideRows = 80;

/// `room` as a tile [rows, cols] of another dtype.
Tile as(const Tile& room, DType dtype, std::int64_t rows, std::int64_t cols) {
    return isa::dense(room.memory, dtype, room.address, rows, cols);
}

} // namespace

std::int32_t CompiledScript::Turns::take(Script& s) {
    const std::int32_t slot = turn_;
    turn_ = (turn_ + 1) % kSlots;
    if (up_[static_cast<std::size_t>(slot)]) {
        s.wait(from_, to_, first_ + slot);
        up_[static_cast<std::size_t>(slot)] = false;
    }
    return slot;
}

void CompiledScript::Turns::release(Script& s, std::int32_t slot) {
    s.set(from_, to_, first_ + slot);
    up_[static_cast<std::size_t>(slot)] = true;
}

void CompiledScript::Turns::drain(Script& s) {
    for (std::int32_t i = 0; i < kSlots; ++i) {
        take(s);
    }
}

CompiledScript::CompiledScript(const config::HardwareConfig& hardware, isa::CoreId core)
    : s_(hardware, core) {
    if (s_.vector()) {
        const std::int64_t rows = kSide / s_.lanes();
        for (std::size_t i = 0; i < kSlots; ++i) {
            in_[i] = s_.tile(Memory::Ub, DType::Fp32, rows, kSide);
            out_[i] = s_.tile(Memory::Ub, DType::Fp16, rows, kSide);
        }
        wide_ = s_.tile(Memory::Ub, DType::Fp32, kWideRows, kSide);
        other_ = s_.tile(Memory::Ub, DType::Fp32, kWideRows, kSide);
    }
    if (s_.cube()) {
        for (std::size_t i = 0; i < kSlots; ++i) {
            l1a_[i] = s_.tile(Memory::L1, DType::Fp16, kSide, kSide);
            l1b_[i] = s_.tile(Memory::L1, DType::Fp16, kSide, kSide);
            l0a_[i] = s_.tile(Memory::L0a, DType::Fp16, kSide, kSide);
            l0b_[i] = s_.tile(Memory::L0b, DType::Fp16, kSide, kSide);
            l0c_[i] = s_.tile(Memory::L0c, DType::Fp32, kSide, kSide);
        }
    }
}

void CompiledScript::start(std::int64_t of) {
    const std::int64_t load = s_.hardware().scalar.gm_load.count();
    s_.scalar(costs_.indices * load / of);
}

std::int64_t CompiledScript::part(std::int64_t rows) const {
    return alone_ ? rows : ceil_div(rows, s_.lanes());
}

void CompiledScript::operation(std::int64_t count) {
    s_.scalar(count * costs_.operation);
    since_ += count;
}

/// What was loaded last has been read.
void CompiledScript::consumed() {
    if (loaded_ >= 0) {
        loads_.release(s_, loaded_);
        loaded_ = -1;
    }
}

void CompiledScript::load(const Tile& gm, bool cold) {
    if (!s_.vector()) {
        return;
    }
    operation();
    consumed();
    const std::int64_t rows = part(gm.rows);
    const std::int64_t first = std::min(s_.lane() * rows, gm.rows - rows);
    loaded_ = loads_.take(s_);
    const Tile room = in_[static_cast<std::size_t>(loaded_)];
    s_(isa::Copy{as(room, gm.dtype, rows, gm.cols), gm.block(first, 0, rows, gm.cols), cold});
    s_.order(Pipe::Mte2, Pipe::Vector, loaded_);
}

void CompiledScript::widen(std::int64_t rows, std::int64_t cols) {
    if (!s_.vector()) {
        return;
    }
    operation();
    const Tile room = loaded_ >= 0 ? in_[static_cast<std::size_t>(loaded_)] : other_;
    s_(isa::Vcast{shaped(wide_, part(rows), cols), as(room, DType::Fp16, part(rows), cols)});
    consumed();
}

void CompiledScript::store(const Tile& gm, bool cold) {
    if (!s_.vector()) {
        return;
    }
    const std::int64_t rows = part(gm.rows);
    const std::int64_t first = std::min(s_.lane() * rows, gm.rows - rows);
    const Tile to = gm.block(first, 0, rows, gm.cols);
    const Tile from = shaped(wide_, rows, gm.cols);
    const std::int32_t slot = stores_.take(s_);
    if (gm.dtype == DType::Fp32) { // from where it is
        operation();
        s_.order(Pipe::Vector, Pipe::Mte3, slot);
        s_(isa::Copy{to, from, cold});
        s_.order(Pipe::Mte3, Pipe::Vector, kSlots);
        return;
    }
    operation(2); // the conversion is one of its own
    const Tile out = as(out_[static_cast<std::size_t>(slot)], gm.dtype, rows, gm.cols);
    s_(isa::Vcast{out, from});
    s_.order(Pipe::Vector, Pipe::Mte3, slot);
    s_(isa::Copy{to, out, cold});
    stores_.release(s_, slot);
}

void CompiledScript::product(
    const Tile& out, const Tile& a, bool a_cold, const Tile& b, bool b_cold, bool transpose_b) {
    if (!s_.cube()) {
        return;
    }
    const std::int64_t n = transpose_b ? b.rows : b.cols;
    const std::int32_t staged = l1_.take(s_);
    const Tile a1 = as(l1a_[static_cast<std::size_t>(staged)], a.dtype, a.rows, a.cols);
    const Tile b1 = as(l1b_[static_cast<std::size_t>(staged)], b.dtype, b.rows, b.cols);
    operation();
    s_(isa::Copy{a1, a, a_cold});
    operation();
    s_(isa::Copy{b1, b, b_cold});
    s_.order(Pipe::Mte2, Pipe::Mte1, staged);
    const std::int32_t operands = l0_.take(s_);
    const Tile a0 = as(l0a_[static_cast<std::size_t>(operands)], a.dtype, a.rows, a.cols);
    const Tile b0 = as(l0b_[static_cast<std::size_t>(operands)], b.dtype, a.cols, n);
    s_(isa::Copy{a0, a1});
    s_(isa::Copy{b0, b1, false, transpose_b});
    l1_.release(s_, staged);
    s_.order(Pipe::Mte1, Pipe::Cube, operands);
    const std::int32_t sum = sums_.take(s_);
    const Tile c = as(l0c_[static_cast<std::size_t>(sum)], DType::Fp32, a.rows, n);
    operation();
    s_(isa::Mmad{c, a0, b0});
    l0_.release(s_, operands);
    s_.order(Pipe::Cube, Pipe::FixPipe, sum);
    operation();
    s_(isa::Fixpipe{out, c});
    sums_.release(s_, sum);
}

void CompiledScript::rows(std::int64_t rows, std::int64_t cols) {
    if (!s_.vector()) {
        return;
    }
    operation();
    const std::int64_t width = slice_floats(s_.hardware());
    const std::int64_t pieces = part(rows) * ceil_div(cols, width);
    Tile from = shaped(other_, pieces, std::min(cols, width));
    from.stride_bytes = 0; // not in their order: one repeat for each
    s_(isa::Vmuls{{shaped(wide_, pieces, std::min(cols, width)), from}});
}

void CompiledScript::pass() {
    if (s_.cube()) {
        s_.order(Pipe::FixPipe, Pipe::Mte2);
    }
}

void CompiledScript::to_vectors(std::int32_t id) {
    if (s_.cube()) {
        s_.to_vectors(Pipe::FixPipe, id);
    }
    if (s_.vector()) {
        s_.from_cube(id);
    }
}

void CompiledScript::to_cube(std::int32_t id) {
    if (s_.vector()) {
        s_.to_cube(Pipe::Mte3, id);
        since_ = 0;
    }
    if (s_.cube()) {
        s_.from_vectors(id);
    }
}

void CompiledScript::exchange() {
    if (s_.vector()) {
        s_.scalar(std::max<std::int64_t>(costs_.exchange - since_ * costs_.operation, 0));
    }
}

void CompiledScript::free(std::int32_t id) {
    if (s_.vector()) {
        s_.to_cube(Pipe::Mte2, id);
    }
}

void CompiledScript::await_free(std::int32_t id) {
    if (s_.cube()) {
        s_.from_vectors(id);
    }
}

isa::Block& CompiledScript::finish() {
    if (s_.vector()) {
        consumed();
        loads_.drain(s_);
        stores_.drain(s_);
    }
    if (s_.cube()) {
        l1_.drain(s_);
        l0_.drain(s_);
        sums_.drain(s_);
    }
    return s_.block();
}

} // namespace npusim::kernels
