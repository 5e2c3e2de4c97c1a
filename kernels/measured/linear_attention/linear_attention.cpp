// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/linear_attention/linear_attention.h"

#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace npusim::kernels {

using isa::CoreId;
using isa::Tile;

namespace {

constexpr std::int64_t kVectorCores = 2;
/// Step of K where L0 is double-buffered.
constexpr std::int64_t kDepthStep = 64;

/// Cross-core flags; those of a slot are followed by the other slot's.
constexpr std::int32_t kWritten = 0;  ///< cube: scores and sums
constexpr std::int32_t kMasked = 2;   ///< vector: scores and state
constexpr std::int32_t kZeroed = 4;   ///< vector: the state of a new head
constexpr std::int32_t kHeadDone = 5; ///< cube

/// An operand in L1, stored as it is used or transposed.
struct Operand {
    Tile tile;
    bool transposed = false;
};

/// Columns `from`.. of the left operand, rows of the right one: `depth` of them.
Tile slice(const Operand& operand, bool left, std::int64_t from, std::int64_t depth) {
    const Tile& t = operand.tile;
    return left != operand.transposed ? t.block(0, from, t.rows, depth)
                                      : t.block(from, 0, depth, t.cols);
}

} // namespace

struct LinearAttention::CubeTiles {
    CubeTiles(Script& s, const LinearAttentionShape& n, bool double_buffered)
        : q(s.tile(Memory::L1, DType::Fp16, n.chunk, n.size)),
          k(s.tile(Memory::L1, DType::Fp16, n.chunk, n.size)),
          v(s.tile(Memory::L1, DType::Fp16, n.chunk, n.size)),
          state(s.tile(Memory::L1, DType::Fp16, n.size, n.size)),
          scores(s.tile(Memory::L1, DType::Fp16, n.chunk, n.chunk)),
          next_state(s.tile(Memory::L1, DType::Fp16, n.size, n.size)),
          c(s.tile(Memory::L0c, DType::Fp32, std::max(n.chunk, n.size), n.size)),
          ping_pong(double_buffered) {
        const std::int64_t side = std::max(n.chunk, n.size);
        for (std::size_t i = 0; i < l0a.size(); ++i) {
            l0a[i] = s.tile(Memory::L0a, DType::Fp16, side, side / 2);
            l0b[i] = s.tile(Memory::L0b, DType::Fp16, side / 2, side);
        }
    }

    /// MatmulL1: c (+)= a * b, over operands in L1 that are there already.
    void product(Script& s, const Tile& to, const Operand& a, const Operand& b, bool add) const {
        const std::int64_t depth = a.transposed ? a.tile.rows : a.tile.cols;
        if (ping_pong && depth > kDepthStep) {
            in_steps(s, to, a, b, add, depth);
            return;
        }
        // The two halves of L0 as one.
        const Tile left = shaped(l0a[0], to.rows, depth);
        const Tile right = shaped(l0b[0], depth, to.cols);
        s(isa::Copy{left, a.tile, false, a.transposed});
        s(isa::Copy{right, b.tile, false, b.transposed});
        s.barrier_all();
        s(isa::Mmad{to, left, right, add});
        s.barrier_all();
    }

    void in_steps(Script& s,
                  const Tile& to,
                  const Operand& a,
                  const Operand& b,
                  bool add,
                  std::int64_t depth) const {
        s.set(Pipe::Cube, Pipe::Mte1, 0);
        s.set(Pipe::Cube, Pipe::Mte1, 1);
        for (std::int64_t from = 0; from < depth; from += kDepthStep) {
            const std::int64_t turn = from / kDepthStep % 2;
            const auto event = static_cast<std::int32_t>(turn);
            const Tile left = shaped(l0a[static_cast<std::size_t>(turn)], to.rows, kDepthStep);
            const Tile right = shaped(l0b[static_cast<std::size_t>(turn)], kDepthStep, to.cols);
            s.wait(Pipe::Cube, Pipe::Mte1, event);
            s(isa::Copy{left, slice(a, true, from, kDepthStep), false, a.transposed});
            s(isa::Copy{right, slice(b, false, from, kDepthStep), false, b.transposed});
            s.order(Pipe::Mte1, Pipe::Cube, event);
            s(isa::Mmad{to, left, right, add || from > 0});
            s.set(Pipe::Cube, Pipe::Mte1, event);
        }
        s.wait(Pipe::Cube, Pipe::Mte1, 0);
        s.wait(Pipe::Cube, Pipe::Mte1, 1);
        s.barrier_all();
    }

    Tile q;
    Tile k;
    Tile v;
    Tile state;
    Tile scores;
    Tile next_state;
    Tile c;
    bool ping_pong;
    std::array<Tile, 2> l0a;
    std::array<Tile, 2> l0b;
};

/// In UB: half of the rows of the scores and of a state.
struct LinearAttention::VectorTiles {
    VectorTiles(Script& s, const LinearAttentionShape& n)
        : sum(s.tile(Memory::Ub, DType::Fp16, n.size / 2, n.size)),
          scores(s.tile(Memory::Ub, DType::Fp16, n.chunk / 2, n.chunk)),
          part(s.tile(Memory::Ub, DType::Fp16, n.size / 2, n.size)),
          mask(s.tile(Memory::Ub, DType::Fp16, n.chunk / 2, n.chunk)) {}

    Tile sum;
    Tile scores;
    Tile part;
    Tile mask;
};

LinearAttention::LinearAttention(const config::HardwareConfig& hardware,
                                 const LinearAttentionShape& shape,
                                 LinearAttentionVersion version)
    : SteadyKernel(hardware), shape_(shape), version_(version) {
    if (shape.tokens % shape.chunk != 0) {
        throw ConfigError("sequences are not whole chunks");
    }
    if (!split() || hardware.vector_cores != kVectorCores) {
        throw ConfigError(hardware.name + ": this kernel is for a cube and two vector cores");
    }
    const bool heads_first = sums_states();
    const std::int64_t tokens = shape.batch * shape.tokens;
    const std::int64_t rows = heads_first ? tokens * shape.heads : tokens;
    const std::int64_t cols = heads_first ? shape.size : shape.size * shape.heads;
    q_ = add("q", Tensor::Role::Input, DType::Fp16, rows, cols);
    k_ = add("k", Tensor::Role::Input, DType::Fp16, rows, cols);
    v_ = add("v", Tensor::Role::Input, DType::Fp16, rows, cols);
    mask_ = add("mask", Tensor::Role::Input, DType::Fp16, shape.chunk, shape.chunk);
    const std::int64_t cores = hardware.ai_cores;
    scores_ = add(
        "scores", Tensor::Role::Scratch, DType::Fp16, cores * slots() * shape.chunk, shape.chunk);
    const std::int64_t states =
        heads_first ? cores * slots() : shape.batch * shape.chunks() * shape.heads;
    sums_ = add("states",
                heads_first ? Tensor::Role::Scratch : Tensor::Role::Input,
                DType::Fp16,
                states * shape.size,
                shape.size);
    o_ = add("o", Tensor::Role::Output, DType::Fp16, rows, cols);
}

double LinearAttention::flops() const {
    constexpr double kPerMultiplyAdd = 2;
    constexpr double kProducts = 2; // with the chunk, and with the state
    return kPerMultiplyAdd * kProducts *
           static_cast<double>(shape_.batch * shape_.heads * shape_.tokens * shape_.size *
                               (shape_.chunk + shape_.size));
}

std::int64_t LinearAttention::slots() const {
    return version_.states == States::TwoSlots ? 2 : 1;
}

std::int64_t LinearAttention::rounds_of(std::int64_t core) const {
    return share_in_turn(shape_.batch * shape_.heads, hardware().ai_cores, core) * shape_.chunks();
}

LinearAttention::Place LinearAttention::place(CoreId core, std::int64_t index) const {
    return {index / shape_.chunks() * hardware().ai_cores + core.ai_core, index % shape_.chunks()};
}

Tile LinearAttention::tokens_of(const Tile& tensor, Place place) const {
    if (sums_states()) {
        return tensor.block(
            place.head * shape_.tokens + place.chunk * shape_.chunk, 0, shape_.chunk, shape_.size);
    }
    const std::int64_t sequence = place.head / shape_.heads;
    return tensor.block(sequence * shape_.tokens + place.chunk * shape_.chunk,
                        place.head % shape_.heads * shape_.size,
                        shape_.chunk,
                        shape_.size);
}

Tile LinearAttention::scores_slot(CoreId core, std::int64_t slot) const {
    const std::int64_t row = (core.ai_core * slots() + slot) * shape_.chunk;
    return scores_.block(row, 0, shape_.chunk, shape_.chunk);
}

Tile LinearAttention::state_slot(CoreId core, std::int64_t slot) const {
    const std::int64_t row = (core.ai_core * slots() + slot) * shape_.size;
    return sums_.block(row, 0, shape_.size, shape_.size);
}

isa::Program LinearAttention::program(CoreId core) const {
    if (core.unit > 0) {
        return vector(core);
    }
    switch (version_.states) {
    case States::OneSlot:
        return cube_one_slot(core);
    case States::TwoSlots:
        return cube_two_slots(core);
    default:
        return cube_given(core);
    }
}

void LinearAttention::load(Script& s, const CubeTiles& t, Place place) const {
    s(isa::Copy{t.q, tokens_of(q_, place), true});
    s(isa::Copy{t.k, tokens_of(k_, place), true});
    s(isa::Copy{t.v, tokens_of(v_, place), true});
}

/// q k^T and k^T v of the loaded chunk, for the vector cores.
void LinearAttention::scores_and_state(Script& s,
                                       const CubeTiles& t,
                                       CoreId core,
                                       std::int64_t slot) const {
    const Tile scores = shaped(t.c, shape_.chunk, shape_.chunk);
    t.product(s, scores, {t.q}, {t.k, true}, false);
    s(isa::Fixpipe{scores_slot(core, slot), scores});
    s.barrier_all();
    if (sums_states()) {
        const Tile sum = shaped(t.c, shape_.size, shape_.size);
        t.product(s, sum, {t.k, true}, {t.v}, false);
        s(isa::Fixpipe{state_slot(core, slot), sum});
        s.barrier_all();
    }
    s.to_vectors(Pipe::FixPipe, kWritten + static_cast<std::int32_t>(slot));
}

void LinearAttention::output(Script& s, const CubeTiles& t, const Tile& state, Place place) const {
    const Tile o = shaped(t.c, shape_.chunk, shape_.size);
    t.product(s, o, {t.scores}, {t.v}, false);
    t.product(s, o, {t.q}, {state}, true);
    s(isa::Fixpipe{tokens_of(o_, place), o, true});
    s.barrier_all();
}

/// The output from the one slot of scores, once they are masked, and the loaded state.
void LinearAttention::masked_output(Script& s, const CubeTiles& t, CoreId core, Place place) const {
    s.from_vectors(kMasked);
    s(isa::Copy{t.scores, scores_slot(core, 0)});
    s.barrier_all();
    output(s, t, t.state, place);
}

isa::Program LinearAttention::cube_one_slot(CoreId core) const {
    Script s(hardware(), core);
    const CubeTiles t(s, shape_, version_.ping_pong);
    const std::int64_t count = limited(rounds_of(core.ai_core));
    for (std::int64_t i = 0; i < count; ++i) {
        const Place now = place(core, i);
        if (now.chunk == 0) {
            s.from_vectors(kZeroed);
        }
        load(s, t, now);
        s(isa::Copy{t.state, state_slot(core, 0)});
        s.barrier_all();
        scores_and_state(s, t, core, 0);
        masked_output(s, t, core, now);
        co_yield s.block();
    }
}

isa::Program LinearAttention::cube_two_slots(CoreId core) const {
    Script s(hardware(), core);
    const CubeTiles t(s, shape_, version_.ping_pong);
    const std::int64_t count = limited(rounds_of(core.ai_core));
    Tile state = t.state;
    Tile next_state = t.next_state;
    for (std::int64_t i = 0; i < count; ++i) {
        const Place now = place(core, i);
        const std::int64_t slot = now.chunk % 2;
        const bool more = now.chunk + 1 < shape_.chunks() && i + 1 < count;
        if (now.chunk == 0) {
            s.from_vectors(kZeroed);
            s(isa::Copy{state, state_slot(core, 1)});
            s.barrier_all();
            load(s, t, now);
            s.barrier_all();
            scores_and_state(s, t, core, 0);
        }
        if (more) {
            load(s, t, {now.head, now.chunk + 1});
            s.barrier_all();
            scores_and_state(s, t, core, 1 - slot);
        }
        s.from_vectors(kMasked + static_cast<std::int32_t>(slot));
        s(isa::Copy{t.scores, scores_slot(core, slot)});
        s(isa::Copy{t.q, tokens_of(q_, now)});
        s(isa::Copy{t.v, tokens_of(v_, now)});
        if (more) {
            s(isa::Copy{next_state, state_slot(core, slot)});
        }
        s.barrier_all();
        output(s, t, state, now);
        std::swap(state, next_state);
        if (!more) {
            s.to_vectors(Pipe::FixPipe, kHeadDone);
        }
        co_yield s.block();
    }
}

isa::Program LinearAttention::cube_given(CoreId core) const {
    Script s(hardware(), core);
    const CubeTiles t(s, shape_, version_.ping_pong);
    const std::int64_t count = limited(rounds_of(core.ai_core));
    for (std::int64_t i = 0; i < count; ++i) {
        const Place now = place(core, i);
        const std::int64_t chunk = now.head / shape_.heads * shape_.chunks() + now.chunk;
        const std::int64_t row = (chunk * shape_.heads + now.head % shape_.heads) * shape_.size;
        load(s, t, now);
        s(isa::Copy{t.state, sums_.block(row, 0, shape_.size, shape_.size), true});
        s.barrier_all();
        scores_and_state(s, t, core, 0);
        masked_output(s, t, core, now);
        co_yield s.block();
    }
}

void LinearAttention::begin_head(Script& s, const VectorTiles& t, CoreId core) const {
    s(isa::Vdup{t.sum, 0.0F});
    s.barrier_all();
    for (std::int64_t slot = 0; slot < slots(); ++slot) {
        s(isa::Copy{half_of(state_slot(core, slot), s.lane()), t.sum});
    }
    s.barrier_all();
    s.to_cube(Pipe::Mte3, kZeroed);
}

void LinearAttention::mask_and_sum(Script& s,
                                   const VectorTiles& t,
                                   CoreId core,
                                   std::int64_t slot) const {
    const Tile scores = half_of(scores_slot(core, slot), s.lane());
    s.from_cube(kWritten + static_cast<std::int32_t>(slot));
    s(isa::Copy{t.scores, scores});
    if (sums_states()) {
        s(isa::Copy{t.part, half_of(state_slot(core, slot), s.lane())});
        s.barrier_all();
        s(isa::Vadd{{t.sum, t.sum, t.part}});
    }
    s.barrier_all();
    s(isa::Vmul{{t.scores, t.scores, t.mask}});
    s.barrier_all();
    s(isa::Copy{scores, t.scores});
    if (sums_states()) {
        s(isa::Copy{half_of(state_slot(core, slot), s.lane()), t.sum});
    }
    s.barrier_all();
    s.to_cube(Pipe::Mte3, kMasked + static_cast<std::int32_t>(slot));
}

isa::Program LinearAttention::vector(CoreId core) const {
    Script s(hardware(), core);
    const VectorTiles t(s, shape_);
    const std::int64_t count = limited(rounds_of(core.ai_core));
    s(isa::Copy{t.mask, half_of(mask_, s.lane()), true});
    s.barrier_all();
    for (std::int64_t i = 0; i < count; ++i) {
        const Place now = place(core, i);
        if (sums_states() && now.chunk == 0) {
            begin_head(s, t, core);
        }
        mask_and_sum(s, t, core, now.chunk % slots());
        const bool more = now.chunk + 1 < shape_.chunks() && i + 1 < count;
        if (version_.states == States::TwoSlots && !more) {
            s.from_cube(kHeadDone);
        }
        co_yield s.block();
    }
}

} // namespace npusim::kernels
