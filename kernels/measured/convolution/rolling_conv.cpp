// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/convolution/rolling_conv.h"

#include "kernels/common/stream.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// MAX_BLOCK_DIM: channels a core can have.
constexpr std::int64_t kMostChannels = 4096;
constexpr DType kElement = DType::Bf16;

} // namespace

RollingConv::RollingConv(const config::HardwareConfig& hardware, const RollingConvShape& shape)
    : SteadyKernel(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, kElement, shape.sequences * shape.tokens, shape.channels)),
      y_(add("y", Tensor::Role::Output, kElement, shape.sequences * shape.tokens, shape.channels)),
      weight_(add("weight", Tensor::Role::Weight, kElement, kTaps, shape.channels)),
      state_(add(
          "state", Tensor::Role::State, kElement, shape.sequences * (kTaps - 1), shape.channels)) {}

std::int64_t RollingConv::channel_blocks() const {
    return ceil_div(shape_.channels, kMostChannels);
}

/// Tokens of a core.
std::int64_t RollingConv::token_block() const {
    const std::int64_t blocks =
        std::max<std::int64_t>(vector_workers(hardware()) / channel_blocks(), 1);
    return ceil_div(shape_.sequences * shape_.tokens, blocks);
}

std::int64_t RollingConv::rounds() const {
    return ceil_div(token_block(), shape_.tokens);
}

RollingConv::Tiles RollingConv::allocate(Script& s, std::int64_t channels) const {
    Tiles tiles;
    const auto rows = [&](auto& set, DType dtype) {
        for (Tile& tile : set) {
            tile = s.tile(Memory::Ub, dtype, 1, channels);
        }
    };
    rows(tiles.ring, kElement);
    rows(tiles.out, kElement);
    rows(tiles.weights, DType::Fp32);
    rows(tiles.sums, DType::Fp32);
    tiles.current = s.tile(Memory::Ub, DType::Fp32, 1, channels);
    return tiles;
}

Tile RollingConv::row(const Tile& tensor, const Piece& piece, std::int64_t t) const {
    return tensor.block(
        std::max<std::int64_t>(piece.token + t, 0), piece.channel, 1, piece.channels);
}

/// LoadWeightAndBias, InitRingSeqSplit, RestoreFnLocalPartials.
void RollingConv::start(Script& s, const Tiles& tiles, const Piece& piece) const {
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
        s(isa::Copy{
            tiles.ring[tap],
            weight_.block(static_cast<std::int64_t>(tap), piece.channel, 1, piece.channels)});
    }
    s.order(Pipe::Mte2, Pipe::Vector);
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
        s(isa::Vcast{tiles.weights[tap], tiles.ring[tap]});
    }
    s.order(Pipe::Vector, Pipe::Mte2);
    for (std::size_t past = 0; past + 1 < kTaps; ++past) {
        s(isa::Copy{
            tiles.ring[past], row(x_, piece, static_cast<std::int64_t>(past) + 1 - kTaps), true});
    }
    s.order(Pipe::Mte2, Pipe::Vector);
    for (std::size_t past = 0; past + 1 < kTaps; ++past) {
        s(isa::Vcast{tiles.current, tiles.ring[past]});
        s.barrier(Pipe::Vector);
        for (std::size_t sum = 0; sum <= past; ++sum) {
            s(isa::Vmul{{tiles.sums[sum], tiles.current, tiles.weights[past - sum]}});
            s.barrier(Pipe::Vector);
        }
    }
    s(isa::Copy{tiles.ring[3], row(x_, piece, 0), true});
    s.set(Pipe::Mte2, Pipe::Vector, 3);
    if (piece.tokens > 1) {
        s.set(Pipe::Vector, Pipe::Mte2, 0);
    }
}

/// RoundedInputSilu.
void RollingConv::silu(Script& s, const Tiles& tiles, const Tile& out) const {
    const Tile& x = tiles.current;
    const Tile& y = tiles.sums[0];
    s(isa::Vcast{out, y});
    s.barrier(Pipe::Vector);
    s(isa::Vcast{x, out});
    s.barrier(Pipe::Vector);
    s(isa::Vmuls{{y, x}, -1});
    s.barrier(Pipe::Vector);
    s(isa::Vexp{{y, y}});
    s.barrier(Pipe::Vector);
    s(isa::Vadds{{y, y}, 1});
    s.barrier(Pipe::Vector);
    s(isa::Vdiv{{y, x, y}});
    s.barrier(Pipe::Vector);
    s(isa::Vcast{out, y});
}

/// AdvanceFnLocalPartials.
void RollingConv::roll(Script& s, const Tiles& tiles, const Tile& x) const {
    s(isa::Vcast{tiles.current, x});
    s.barrier(Pipe::Vector);
    for (std::size_t sum = 0; sum < tiles.sums.size(); ++sum) {
        s(isa::Vmul{{tiles.sums[sum], tiles.current, tiles.weights[tiles.sums.size() - 1 - sum]}});
        s.barrier(Pipe::Vector);
        if (sum + 1 < tiles.sums.size()) {
            s(isa::Vadd{{tiles.sums[sum], tiles.sums[sum], tiles.sums[sum + 1]}});
            s.barrier(Pipe::Vector);
        }
    }
}

/// A turn of RunSeqFnRolling.
void RollingConv::token(Script& s, const Tiles& tiles, const Piece& piece, std::int64_t t) const {
    const auto slot = static_cast<std::int32_t>((t + 3) % kSlots);
    const Tile& x = tiles.ring[static_cast<std::size_t>(slot)];
    s.wait(Pipe::Mte2, Pipe::Vector, slot);
    if (t + 1 < piece.tokens) {
        const auto next = static_cast<std::int32_t>((t + 4) % kSlots);
        s.wait(Pipe::Vector, Pipe::Mte2, 0);
        s(isa::Copy{
            tiles.ring[static_cast<std::size_t>(next)], row(x_, piece, t + 1), spills(x_.bytes())});
        s.set(Pipe::Mte2, Pipe::Vector, next);
    }
    s(isa::Vcast{tiles.current, x});
    s.barrier(Pipe::Vector);
    s(isa::Vmul{{tiles.sums[0], tiles.current, tiles.weights[kTaps - 1]}}); // MulAddDst
    s.barrier(Pipe::Vector);
    const auto turn = static_cast<std::int32_t>(t % 2);
    const Tile& out = tiles.out[static_cast<std::size_t>(turn)];
    if (t >= 2) {
        s.wait(Pipe::Mte3, Pipe::Vector, turn);
    }
    silu(s, tiles, out);
    s.order(Pipe::Vector, Pipe::Mte3, turn);
    s(isa::Copy{row(y_, piece, t), out, spills(y_.bytes())});
    if (t + 2 < piece.tokens) {
        s.set(Pipe::Mte3, Pipe::Vector, turn);
    }
    roll(s, tiles, x);
    if (t + 2 < piece.tokens) {
        s.set(Pipe::Vector, Pipe::Mte2, 0);
    }
}

/// MaybeWriteBackSeqSplitTailChunk, DrainTaskMte3. Who has a sequence's last token writes its
/// state.
void RollingConv::finish(Script& s, const Tiles& tiles, const Piece& piece) const {
    s.order(Pipe::Vector, Pipe::Mte3);
    const std::int64_t ended = (piece.token + piece.tokens) / shape_.tokens;
    for (std::size_t past = 0; past + 1 < kTaps && ended > piece.token / shape_.tokens; ++past) {
        const std::int64_t row = (ended - 1) * (kTaps - 1) + static_cast<std::int64_t>(past);
        s(isa::Copy{state_.block(row, piece.channel, 1, piece.channels), tiles.ring[past]});
    }
    s.order(Pipe::Mte3, Pipe::Vector);
    s.order(Pipe::Mte3, Pipe::Mte2);
}

isa::Program RollingConv::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    const std::int64_t blocks = channel_blocks();
    if (!worker || worker->index >= worker->count / blocks * blocks) {
        co_return;
    }
    Script s(hardware(), core);
    const std::int64_t tokens = shape_.sequences * shape_.tokens;
    const std::int64_t own = rounds();
    Piece piece;
    piece.channel = worker->index % blocks * kMostChannels;
    piece.channels = std::min(kMostChannels, shape_.channels - piece.channel);
    const std::int64_t first = worker->index / blocks * token_block();
    const std::int64_t end = std::min(first + token_block(), tokens);
    const std::int64_t most = ceil_div(token_block(), own);
    const Tiles tiles = allocate(s, piece.channels);
    // SyncAll of the vector cores: the first states are saved before any is written.
    s.scalar(hardware().sync.sync_all.count());
    for (std::int64_t round = 0; round < limited(own); ++round) {
        piece.token = first + round * most;
        piece.tokens = std::min(most, end - piece.token);
        if (piece.tokens <= 0) {
            break;
        }
        start(s, tiles, piece);
        for (std::int64_t t = 0; t < piece.tokens; ++t) {
            token(s, tiles, piece, t);
            co_yield s.block();
        }
        finish(s, tiles, piece);
        co_yield s.block();
    }
}

} // namespace npusim::kernels
