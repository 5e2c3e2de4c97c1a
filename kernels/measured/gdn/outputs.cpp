// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/pto_tiles.h"
#include "sim/base/error.h"

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;
using pto::Layout;

namespace {

/// Cross-core flags, in the order of a chunk.
constexpr std::int32_t kScoresWritten = 0;
constexpr std::int32_t kGatedWritten = 1;
constexpr std::int32_t kValuesWritten = 2;
constexpr std::int32_t kChunkDone = 3;

} // namespace

GdnOutputs::GdnOutputs(const config::HardwareConfig& hardware, const GdnShape& shape)
    : GdnStage(hardware, shape),
      q_(add_tokens("q", Tensor::Role::Input, shape.key_heads, shape.size)),
      k_(add_tokens("k", Tensor::Role::Input, shape.key_heads, shape.size)),
      v_(add_tokens("v", Tensor::Role::Input, shape.heads, shape.size)),
      states_(add_states(Tensor::Role::Input)), g_(add_gate("g", Tensor::Role::Input, DType::Fp32)),
      mask_(add("mask", Tensor::Role::Input, DType::Fp32, shape.chunk, shape.chunk)),
      scores_(add_workspace("scores", 1, shape.chunk, shape.chunk)),
      parts_(add_workspace("parts", 1, shape.chunk, shape.size)),
      gated_(add_workspace("gated", 1, shape.chunk, shape.chunk)),
      o_(add_tokens("o", Tensor::Role::Output, shape.heads, shape.size)) {
    if (shape.chunk != shape.size) {
        throw ConfigError("the UB plan of chunk_o is for chunks as long as a key");
    }
}

isa::Program GdnOutputs::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    Script s(hardware(), core);
    const Tile q = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile state = s.tile(Memory::L1, DType::Fp16, size, size);
    const Tile gated = s.tile(Memory::L1, DType::Fp16, chunk, chunk);
    const Tile v = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const pto::CubeTiles l0(s, chunk, size, size);
    const Tile scores = s.tile(Memory::L0c, DType::Fp32, chunk, chunk);
    const Tile state_part = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile& values = scores; // in its place
    const std::int64_t row = core.ai_core * chunk;
    const std::int64_t count = limited(rounds_by_chunks(core.ai_core));
    for (std::int64_t i = 0; i < count; ++i) {
        const Place place = by_chunks(core, i);
        if (i > 0) {
            await_vectors(s, kChunkDone);
        }
        s.order(Pipe::FixPipe, Pipe::Cube);
        s(isa::Copy{q, tile_of(q_, place, key_head(place), size), first_of_group(place)});
        s(isa::Copy{k, tile_of(k_, place, key_head(place), size), first_of_group(place)});
        pto::product(s, l0, scores, q, Layout::Plain, k, Layout::Transposed);
        const std::int64_t state_row =
            ((place.sequence * shape().chunks() + place.chunk) * shape().heads + place.head) * size;
        s(isa::Copy{state, states_.block(state_row, 0, size, size), true});
        pto::product(s, l0, state_part, q, Layout::Plain, state, Layout::Plain);
        s(isa::Fixpipe{scores_.block(row, 0, chunk, chunk), scores});
        s(isa::Fixpipe{parts_.block(row, 0, chunk, size), state_part});
        tell_vectors(s, kScoresWritten);

        await_vectors(s, kGatedWritten);
        s.order(Pipe::FixPipe, Pipe::Cube);
        s(isa::Copy{gated, gated_.block(row, 0, chunk, chunk)});
        s(isa::Copy{v, tile_of(v_, place, place.head, size), true});
        pto::product(s, l0, values, gated, Layout::Plain, v, Layout::Plain);
        s(isa::Fixpipe{parts_.block(row, 0, chunk, size), values});
        tell_vectors(s, kValuesWritten);
        co_yield s.block();
    }
    if (count > 0) {
        await_vectors(s, kChunkDone); // which the last chunk says as well
        co_yield s.block();
    }
}

/// exp(min(g_i - g_j, 0)) * mask, while the cube multiplies; exp(g_i) in the gate of the rows.
void GdnOutputs::coefficients(Script& s, const OutputTiles& t) const {
    const std::int64_t half = shape().chunk / 2;
    pto::move(s, t.row_gate, t.g.block(0, s.lane() * half, 1, half));
    const Tile& rows_2d = t.state_part;
    row_expand(s, rows_2d, t.row_gate);
    column_expand(s, t.coefficients, t.g);
    s(isa::Vsub{{t.coefficients, rows_2d, t.coefficients}});
    fence(s);
    s(isa::Vmins{{t.coefficients, t.coefficients}, 0.0F});
    fence(s);
    s(isa::Vexp{{t.coefficients, t.coefficients}});
    fence(s);
    s(isa::Vmul{{t.coefficients, t.coefficients, t.mask}});
    fence(s);
    s(isa::Vexp{{t.row_gate, t.row_gate}});
}

void GdnOutputs::gate_scores(Script& s, const OutputTiles& t, CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t row = core.ai_core * chunk;
    weigh_scores(
        s, t, scores_.block(row, 0, chunk, chunk), parts_.block(row, 0, chunk, shape().size));
    store_scores(s, t, gated_.block(row, 0, chunk, chunk));
    tell_cube(s, kGatedWritten);
}

void GdnOutputs::combine(Script& s, const OutputTiles& t, CoreId core, Place place) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.state_part, t.state_half});
    const Tile& gates_2d = t.coefficients; // in its place
    row_expand(s, gates_2d, t.row_gate);
    fence(s);
    s(isa::Vmul{{t.state_part, t.state_part, gates_2d}});

    await_cube(s, kValuesWritten);
    add_values(s,
               t,
               parts_.block(core.ai_core * chunk, 0, chunk, size),
               shaped(t.scores, chunk / 2, size), // which are with the cube by then
               tile_of(o_, place, place.head, size));
    tell_cube(s, kChunkDone);
}

isa::Program GdnOutputs::vector(CoreId core) const {
    Script s(hardware(), core);
    const OutputTiles t(s, shape().chunk, shape().size);
    s(isa::Copy{t.mask, half_of(mask_, s.lane()), true});
    s.order(Pipe::Mte2, Pipe::Vector);
    co_yield s.block();
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const Place place = by_chunks(core, i);
        s(isa::Copy{t.g, gate_of(g_, place), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        coefficients(s, t);
        co_yield s.block();
        await_cube(s, kScoresWritten);
        gate_scores(s, t, core);
        combine(s, t, core, place);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
