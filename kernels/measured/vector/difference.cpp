// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/difference.h"

#include "kernels/measured/vector/queue.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Elements a cycle of a vector gather: one 32-byte block of the index vector, since every element
/// has an address of its own. An estimate: no public measurement.
constexpr std::int64_t kGathered = isa::kVectorBlockBytes / 4;
/// Repeats of a one-operand op stand for that many elements gathered.
constexpr std::int64_t kIndexBytes = 4;

} // namespace

Difference::Difference(const config::HardwareConfig& hardware, std::int64_t elements, DType dtype)
    : SteadyKernel(hardware), dtype_(dtype), tile_(kTileBytes / bytes_of(dtype, 1)),
      deal_(ceil_div(elements, tile_), kBlocks),
      per_round_(tiles_per_round(deal_.each, kMostTiles)),
      x_(add("x", Tensor::Role::Input, dtype, deal_.tiles, tile_)),
      y_(add("y", Tensor::Role::Output, dtype, deal_.tiles, tile_)) {}

void Difference::indices(Script& s, const Tile& index) const {
    const std::int64_t repeat = hardware().vector.repeat_bytes / kIndexBytes;
    const std::int64_t block = isa::kVectorBlockBytes / kIndexBytes;
    // The first block comes from the scalar unit, the first repeat block by block.
    for (std::int64_t i = 0; i < block; ++i) {
        s(isa::ScalarStore{index.block(0, 0, 1, 1)});
    }
    s.order(Pipe::Scalar, Pipe::Vector);
    const auto next = [&](std::int64_t at, std::int64_t size) {
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vadds{{index.block(0, at, 1, size), index.block(0, at - size, 1, size)}});
        s.barrier(Pipe::Vector);
    };
    for (std::int64_t at = block; at < repeat; at += block) {
        next(at, block);
    }
    for (std::int64_t at = repeat; at < index.cols; at += repeat) {
        next(at, repeat);
    }
}

void Difference::subtract(Script& s, Queue& in, Queue& out, const Tile& index) const {
    const Tile x = in.deque();
    const Tile y = out.alloc();
    indices(s, index);
    s.scalar(QueueCode::kVectorCall);
    // The gather, `kGathered` elements a cycle, as so many repeats of one-operand work.
    const std::int64_t repeats = tile_ / kGathered;
    const std::int64_t whole = index.cols * kIndexBytes / hardware().vector.repeat_bytes;
    for (std::int64_t left = repeats; left > 0; left -= whole) {
        const std::int64_t share = std::min(left, whole);
        const Tile part =
            index.block(0, 0, 1, share * hardware().vector.repeat_bytes / kIndexBytes);
        s(isa::Vadds{{part, part}});
    }
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vsub{{y, x, x}});
    s.order(Pipe::Mte2, Pipe::Scalar);
    s.scalar(QueueCode::kGetValue);
    s(isa::ScalarLoad{x.block(0, 0, 1, 1)});
    s.scalar(QueueCode::kGetValue);
    s(isa::ScalarLoad{x.block(0, 0, 1, 1)});
    s.order(Pipe::Vector, Pipe::Scalar);
    s(isa::ScalarStore{y.block(0, 0, 1, 1)});
    s.order(Pipe::Scalar, Pipe::Mte3);
    out.enque();
    in.free();
}

isa::Program Difference::program(isa::CoreId core) const {
    const std::int64_t block = vector_block(hardware(), core, deal_.blocks);
    if (block < 0) {
        co_return;
    }
    constexpr std::int64_t kBuffers = 2;
    Script s(hardware(), core);
    s.scalar(QueueCode::kStart);
    Queue in(
        s, {Pipe::Mte2, Pipe::Vector, 0}, queue_tiles(s, Memory::Ub, dtype_, 1, tile_, kBuffers));
    Queue out(
        s, {Pipe::Vector, Pipe::Mte3, 0}, queue_tiles(s, Memory::Ub, dtype_, 1, tile_, kBuffers));
    const Tile index = s.tile(Memory::Ub, DType::Fp32, 1, tile_);
    const std::int64_t first = block * deal_.each;
    const std::int64_t mine = limited_tiles(deal_.of(block), per_round_);
    for (std::int64_t i = 0; i < mine; ++i) {
        s(isa::Copy{in.alloc(), x_.block(first + i, 0, 1, tile_), true});
        in.enque();
        subtract(s, in, out, index);
        s(isa::Copy{y_.block(first + i, 0, 1, tile_), out.deque(), true});
        out.free();
        co_yield s.block();
    }
    in.close();
    out.close();
    co_yield s.block();
}

} // namespace npusim::kernels
