// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/tile_lang.h"

#include "kernels/measured/gdn/pto_tiles.h"
#include "sim/base/error.h"

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;
using pto::Layout;

namespace {

/// From the end of a block to the first instruction of the next one on that core, hand-overs aside.
/// A task of vector cores takes 1.3 to 1.5 us more than its cores are busy (BobbyWeng/
/// cannbot-ascendc-vs-pypto, relu on a 910B4).
constexpr std::int64_t kVectorBlockStart = 2000;
/// Of a block with a cube core and its vector cores, fitted on the rows "TileLang codegen" of kkt,
/// wy and o on a 910B2; those of static shapes and of other TileLang builds are a check.
constexpr std::int64_t kMixedBlockStart = 4000;
/// Cross-core flags of a block's end, out of the way of the kernels' own.
constexpr std::int32_t kVectorsDone = 6;
constexpr std::int32_t kCubeDone = 7;

/// to(r, :) *= factors(r): the scalar unit reads each factor behind the vector unit.
void scale_rows(Script& s, const Tile& to, const Tile& factors) {
    for (std::int64_t row = 0; row < to.rows; ++row) {
        const Tile line = to.block(row, 0, 1, to.cols);
        const Tile factor = factors.block(0, row, 1, 1);
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::ScalarLoad{factor});
        s(isa::Vmuls{{line, line}, 1.0F, factor});
    }
}

/// to(r, :) = from - terms(r).
void subtract_rows(Script& s, const Tile& to, const Tile& from, const Tile& terms) {
    for (std::int64_t row = 0; row < to.rows; ++row) {
        const Tile term = terms.block(0, row, 1, 1);
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::ScalarLoad{term});
        s(isa::Vadds{{to.block(row, 0, 1, to.cols), from}, -1.0F, term});
    }
}

} // namespace

Tile TileLangStage::add_rows(std::string_view name, Tensor::Role role, std::int64_t width) {
    return add(std::string(name), role, DType::Fp16, shape().total() * shape().heads, width);
}

Tile TileLangStage::add_row(std::string_view name, Tensor::Role role, DType dtype) {
    return add(std::string(name), role, dtype, 1, shape().total() * shape().heads);
}

Tile TileLangStage::rows_of(const Tile& tensor, std::int64_t block) const {
    return tensor.block(block * shape().chunk, 0, shape().chunk, tensor.cols);
}

Tile TileLangStage::row_of(const Tile& gate, std::int64_t block) const {
    return gate.block(0, block * shape().chunk, 1, shape().chunk);
}

void TileLangStage::next_block(Script& s, std::int64_t start) {
    s.barrier_all();
    if (s.cube()) {
        s.from_vectors(kVectorsDone);
        s.to_vectors(Pipe::FixPipe, kCubeDone);
    } else {
        s.to_cube(Pipe::Mte3, kVectorsDone);
        s.from_cube(kCubeDone);
    }
    s.scalar(start);
}

TileLangCumsum::TileLangCumsum(const config::HardwareConfig& hardware, const GdnShape& shape)
    : TileLangStage(hardware, shape), g_(add_row("g", Tensor::Role::Input, DType::Fp32)),
      sums_(add_row("g_sum", Tensor::Role::Output, DType::Fp32)) {}

namespace {

/// Chunks of a vector core in a block of cumsum.
constexpr std::int64_t kChunksPerLane = 8;

} // namespace

std::int64_t TileLangCumsum::rounds() const {
    return ceil_div(shape().batch * shape().heads * shape().chunks(), 2 * kChunksPerLane * cores());
}

isa::Program TileLangCumsum::cube(CoreId core) const {
    Script s(hardware(), core);
    for (std::int64_t i = 0; i < limited(rounds()); ++i) {
        next_block(s, kVectorBlockStart);
        co_yield s.block();
    }
}

/// Element by element, by the scalar unit: GetValue twice and SetValue.
isa::Program TileLangCumsum::vector(CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t count = kChunksPerLane * shape().chunk;
    const std::int64_t all = g_.cols / count;
    const Tile sums = s.tile(Memory::Ub, DType::Fp32, 1, count);
    const Tile g = s.tile(Memory::Ub, DType::Fp32, 1, count);
    for (std::int64_t i = 0; i < limited(rounds()); ++i) {
        const std::int64_t block = ((i * cores() + core.ai_core) * 2 + s.lane()) % all;
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::Vdup{sums, 0.0F});
        s(isa::Copy{g, g_.block(0, block * count, 1, count), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        for (std::int64_t chunk = 0; chunk < kChunksPerLane; ++chunk) {
            s.order(Pipe::Vector, Pipe::Scalar);
            for (std::int64_t at = chunk * shape().chunk; at < (chunk + 1) * shape().chunk; ++at) {
                s(isa::ScalarLoad{sums.block(0, at, 1, 1)});
                s(isa::ScalarLoad{g.block(0, at, 1, 1)});
                s(isa::ScalarStore{sums.block(0, at, 1, 1), 0});
            }
            s.order(Pipe::Vector, Pipe::Mte3);
            s(isa::Copy{sums_.block(0, block * count, 1, count), sums, true});
            co_yield s.block();
        }
        next_block(s, kVectorBlockStart);
        co_yield s.block();
    }
}

TileLangKkt::TileLangKkt(const config::HardwareConfig& hardware, const GdnShape& shape)
    : TileLangStage(hardware, shape), k_(add_rows("k", Tensor::Role::Input, shape.size)),
      beta_(add_row("beta", Tensor::Role::Input, DType::Fp16)),
      g_(add_row("g", Tensor::Role::Input, DType::Fp32)),
      mask_(add("mask", Tensor::Role::Input, DType::Fp32, shape.chunk, shape.chunk)),
      products_(add_rows("products", Tensor::Role::Scratch, shape.chunk)),
      a_(add_rows("a", Tensor::Role::Output, shape.chunk)) {}

isa::Program TileLangKkt::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    Script s(hardware(), core);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, shape().size);
    const pto::CubeTiles l0(s, chunk, chunk, shape().size);
    const Tile product = s.tile(Memory::L0c, DType::Fp32, chunk, chunk);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{k, rows_of(k_, block), true});
        pto::product(s, l0, product, k, Layout::Plain, k, Layout::Transposed);
        s(isa::Fixpipe{rows_of(products_, block), product});
        s.to_vectors(Pipe::FixPipe, 0);
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

isa::Program TileLangKkt::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t half = chunk / 2;
    Script s(hardware(), core);
    const Tile g = s.tile(Memory::Ub, DType::Fp32, 1, chunk);
    const Tile beta_half = s.tile(Memory::Ub, DType::Fp16, 1, half);
    const Tile beta = s.tile(Memory::Ub, DType::Fp32, 1, half);
    const Tile row_gate = s.tile(Memory::Ub, DType::Fp32, 1, half);
    const Tile rows = s.tile(Memory::Ub, DType::Fp32, 1, half);
    const Tile cols = s.tile(Memory::Ub, DType::Fp32, 1, chunk);
    const Tile a = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile mask = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile rows_2d = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile cols_2d = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile coefficients = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile a_half = isa::dense(Memory::Ub, DType::Fp16, rows_2d.address, half, chunk);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{g, row_of(g_, block), true});
        s(isa::Copy{beta_half, row_of(beta_, block).block(0, s.lane() * half, 1, half), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vcast{beta, beta_half});
        pto::move(s, row_gate, g.block(0, s.lane() * half, 1, half));
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::Vdup{a, 0.0F});
        s(isa::Vln{{beta, beta}});
        s.barrier(Pipe::Vector);
        s(isa::Vadd{{row_gate, row_gate, beta}});
        s.barrier(Pipe::Vector);
        pto::move(s, rows, row_gate);
        pto::move(s, cols, g);
        s.order(Pipe::Vector, Pipe::Mte2);
        s(isa::Copy{mask, half_of(mask_, s.lane())});
        pto::row_expand(s, rows_2d, rows);
        pto::column_expand(s, cols_2d, cols);
        s(isa::Vsub{{coefficients, rows_2d, cols_2d}});
        s(isa::Vexp{{coefficients, coefficients}});
        s.order(Pipe::Vector, Pipe::Mte2);
        s.from_cube(0);
        s(isa::Copy{a_half, half_of(rows_of(products_, block), s.lane())});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vcast{a, a_half});
        s(isa::Vmul{{a, a, coefficients}});
        s(isa::Vmul{{a, a, mask}});
        s(isa::Vcast{a_half, a});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of(rows_of(a_, block), s.lane()), a_half, true});
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

TileLangWy::TileLangWy(const config::HardwareConfig& hardware, const GdnShape& shape)
    : TileLangStage(hardware, shape), k_(add_rows("k", Tensor::Role::Input, shape.size)),
      v_(add_rows("v", Tensor::Role::Input, shape.size)),
      beta_(add_row("beta", Tensor::Role::Input, DType::Fp16)),
      g_(add_row("g", Tensor::Role::Input, DType::Fp32)),
      a_(add_rows("a", Tensor::Role::Input, shape.chunk)),
      by_both_(add_rows("by_both", Tensor::Role::Scratch, shape.chunk)),
      by_beta_(add_rows("by_beta", Tensor::Role::Scratch, shape.chunk)),
      w_(add_rows("w", Tensor::Role::Output, shape.size)),
      u_(add_rows("u", Tensor::Role::Output, shape.size)) {}

isa::Program TileLangWy::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    Script s(hardware(), core);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile v = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile by_beta = s.tile(Memory::L1, DType::Fp16, chunk, chunk);
    const Tile by_both = s.tile(Memory::L1, DType::Fp16, chunk, chunk);
    const pto::CubeTiles l0(s, chunk, size, chunk);
    const Tile u = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile w = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{k, rows_of(k_, block), true});
        s(isa::Copy{v, rows_of(v_, block), true});
        s.from_vectors(2);
        s(isa::Copy{by_beta, rows_of(by_beta_, block)});
        pto::product(s, l0, u, by_beta, Layout::Plain, v, Layout::Plain);
        s(isa::Fixpipe{rows_of(u_, block), u, true});
        s.from_vectors(1);
        s(isa::Copy{by_both, rows_of(by_both_, block)});
        pto::product(s, l0, w, by_both, Layout::Plain, k, Layout::Plain);
        s(isa::Fixpipe{rows_of(w_, block), w, true});
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

isa::Program TileLangWy::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t half = chunk / 2;
    Script s(hardware(), core);
    const Tile beta_half = s.tile(Memory::Ub, DType::Fp16, 1, chunk);
    const Tile beta = s.tile(Memory::Ub, DType::Fp32, 1, chunk);
    const Tile row = s.tile(Memory::Ub, DType::Fp32, 1, chunk);
    const Tile g = s.tile(Memory::Ub, DType::Fp32, 1, chunk);
    const Tile a_half = s.tile(Memory::Ub, DType::Fp16, half, chunk);
    const Tile scaled_half = s.tile(Memory::Ub, DType::Fp16, half, chunk);
    const Tile beta_2d = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile a = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile scaled = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    const Tile g_2d = s.tile(Memory::Ub, DType::Fp32, half, chunk);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{beta_half, row_of(beta_, block), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Copy{a_half, half_of(rows_of(a_, block), s.lane()), true});
        s(isa::Vcast{beta, beta_half});
        s.barrier(Pipe::Vector);
        pto::move(s, row, beta);
        s.barrier(Pipe::Vector);
        pto::column_expand(s, beta_2d, row);
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vcast{a, a_half});
        s(isa::Vmul{{scaled, a, beta_2d}});
        s(isa::Vcast{scaled_half, scaled});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of(rows_of(by_beta_, block), s.lane()), scaled_half});
        s.to_cube(Pipe::Mte3, 2);

        s(isa::Copy{g, row_of(g_, block), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vexp{{g, g}});
        s.barrier(Pipe::Vector);
        s(isa::Vmul{{g, g, beta}});
        s.barrier(Pipe::Vector);
        pto::move(s, row, g);
        s.barrier(Pipe::Vector);
        pto::column_expand(s, g_2d, row);
        s(isa::Vmul{{a, a, g_2d}});
        s(isa::Vcast{a_half, a});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of(rows_of(by_both_, block), s.lane()), a_half});
        s.to_cube(Pipe::Mte3, 1);
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

TileLangStates::TileLangStates(const config::HardwareConfig& hardware, const GdnShape& shape)
    : TileLangStage(hardware, shape), k_(add_rows("k", Tensor::Role::Input, shape.size)),
      w_(add_rows("w", Tensor::Role::Input, shape.size)),
      u_(add_rows("u", Tensor::Role::Input, shape.size)),
      g_(add_row("g", Tensor::Role::Input, DType::Fp32)),
      workspace_(add_workspace("workspace", kSlots, shape.size, shape.size)),
      states_(add_states(Tensor::Role::Output)),
      v_(add_rows("v", Tensor::Role::Output, shape.size)) {
    if (shape.chunk > shape.size) {
        throw ConfigError("the workspace of chunk_h is for chunks no longer than a key");
    }
}

Tile TileLangStates::slot(CoreId core, Slot which) const {
    const std::int64_t size = shape().size;
    const std::int64_t rows = which == kWs || which == kKeys ? shape().chunk : size;
    return workspace_.block((core.ai_core * kSlots + which) * size, 0, rows, size);
}

std::int64_t TileLangStates::chunk_of(CoreId core, std::int64_t index) const {
    const std::int64_t head = index / shape().chunks() * cores() + core.ai_core;
    return head * shape().chunks() + index % shape().chunks();
}

isa::Program TileLangStates::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    Script s(hardware(), core);
    const Tile state = s.tile(Memory::L1, DType::Fp16, size, size);
    const Tile w = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile v = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const pto::CubeTiles l0(s, size, size, size);
    const Tile ws = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile kv = s.tile(Memory::L0c, DType::Fp32, size, size);
    for (std::int64_t i = 0; i < limited(rounds_by_heads(core.ai_core)); ++i) {
        const std::int64_t block = chunk_of(core, i);
        s(isa::Copy{state, slot(core, kState)});
        s(isa::Copy{w, rows_of(w_, block), true});
        pto::product(s, l0, ws, w, Layout::Plain, state, Layout::Plain);
        s(isa::Fixpipe{slot(core, kWs), ws});
        s.to_vectors(Pipe::FixPipe, 0);
        s.from_vectors(1);
        s(isa::Copy{k, slot(core, kKeys)});
        s(isa::Copy{v, rows_of(v_, block)});
        pto::product(s, l0, kv, k, Layout::Transposed, v, Layout::Plain);
        s(isa::Fixpipe{slot(core, kKv), kv});
        s.to_vectors(Pipe::FixPipe, 2);
        s.from_vectors(3);
        co_yield s.block();
    }
}

void TileLangStates::residual(Script& s,
                              const StateTiles& t,
                              CoreId core,
                              std::int64_t block) const {
    const std::int64_t half = shape().chunk / 2;
    s(isa::Copy{t.u_half, half_of(rows_of(u_, block), s.lane()), true});
    s(isa::Vcast{t.k, t.k_half});
    s(isa::ScalarLoad{t.last()});
    s(isa::Vadds{{t.decay, t.g.block(0, s.lane() * half, 1, half)}, -1.0F, t.last()});
    s.barrier(Pipe::Vector);
    s(isa::Vsub{{t.decay, t.zero, t.decay}});
    s.barrier(Pipe::Vector);
    s(isa::Vexp{{t.decay, t.decay}});
    s(isa::Vexp{{t.g, t.g}});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.u, t.u_half});
    scale_rows(s, t.k, t.decay);
    s.from_cube(0);
    subtract_ws(s, t, slot(core, kWs), rows_of(v_, block), slot(core, kKeys));
    s.to_cube(Pipe::Mte3, 1);
}

void TileLangStates::update(Script& s, const StateTiles& t, CoreId core, std::int64_t block) const {
    const bool more = (block + 1) % shape().chunks() != 0;
    decay_state(s, t);
    if (more) {
        s(isa::Copy{t.k_half, half_of(rows_of(k_, block + 1), s.lane()), true});
        s(isa::Copy{t.g, row_of(g_, block + 1), true});
    }
    s.from_cube(2);
    add_products(s, t, slot(core, kKv));
    if (more) {
        const std::int64_t row = (block + 1) * shape().size;
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of(slot(core, kState), s.lane()), t.state_half});
        s(isa::Copy{half_of(states_.block(row, 0, shape().size, shape().size), s.lane()),
                    t.state_half,
                    true});
    }
    s.to_cube(Pipe::Mte3, 3);
}

isa::Program TileLangStates::vector(CoreId core) const {
    Script s(hardware(), core);
    const StateTiles t(s, shape().chunk, shape().size);
    for (std::int64_t i = 0; i < limited(rounds_by_heads(core.ai_core)); ++i) {
        const std::int64_t block = chunk_of(core, i);
        if (i % shape().chunks() == 0) {
            s.order(Pipe::Vector, Pipe::Scalar);
            s(isa::Vdup{t.zero, 0.0F});
            s(isa::Vdup{t.state, 0.0F});
            s(isa::Copy{t.k_half, half_of(rows_of(k_, block), s.lane()), true});
            s(isa::Copy{t.g, row_of(g_, block), true});
            s.order(Pipe::Mte2, Pipe::Vector);
            s.order(Pipe::Vector, Pipe::Scalar);
        }
        residual(s, t, core, block);
        update(s, t, core, block);
        co_yield s.block();
    }
}

TileLangOutputs::TileLangOutputs(const config::HardwareConfig& hardware, const GdnShape& shape)
    : TileLangStage(hardware, shape), q_(add_rows("q", Tensor::Role::Input, shape.size)),
      k_(add_rows("k", Tensor::Role::Input, shape.size)),
      v_(add_rows("v", Tensor::Role::Input, shape.size)), states_(add_states(Tensor::Role::Input)),
      g_(add_row("g", Tensor::Role::Input, DType::Fp32)),
      mask_(add("mask", Tensor::Role::Input, DType::Fp32, shape.chunk, shape.chunk)),
      scores_(add_rows("scores", Tensor::Role::Scratch, shape.chunk)),
      parts_(add_rows("parts", Tensor::Role::Scratch, shape.size)),
      gated_(add_rows("gated", Tensor::Role::Scratch, shape.chunk)),
      o_(add_rows("o", Tensor::Role::Output, shape.size)) {}

isa::Program TileLangOutputs::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    Script s(hardware(), core);
    const Tile q = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile state = s.tile(Memory::L1, DType::Fp16, size, size);
    const Tile gated = s.tile(Memory::L1, DType::Fp16, chunk, chunk);
    const Tile v = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const pto::CubeTiles l0(s, chunk, size, size);
    const Tile first = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile state_part = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile scores = shaped(first, chunk, chunk);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{q, rows_of(q_, block), true});
        s(isa::Copy{k, rows_of(k_, block), true});
        pto::product(s, l0, scores, q, Layout::Plain, k, Layout::Transposed);
        s(isa::Copy{q, rows_of(q_, block)});
        s(isa::Copy{state, states_.block(block * size, 0, size, size), true});
        pto::product(s, l0, state_part, q, Layout::Plain, state, Layout::Plain);
        s(isa::Fixpipe{rows_of(scores_, block), scores});
        s(isa::Fixpipe{rows_of(parts_, block), state_part});
        s.to_vectors(Pipe::FixPipe, 0);
        s.from_vectors(1);
        s(isa::Copy{gated, rows_of(gated_, block)});
        s(isa::Copy{v, rows_of(v_, block), true});
        pto::product(s, l0, first, gated, Layout::Plain, v, Layout::Plain);
        s(isa::Fixpipe{rows_of(parts_, block), first});
        s.to_vectors(Pipe::FixPipe, 2);
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

void TileLangOutputs::coefficients(Script& s, const OutputTiles& t) const {
    const std::int64_t half = shape().chunk / 2;
    s.order(Pipe::Vector, Pipe::Scalar);
    s(isa::Vdup{t.scores, 0.0F});
    pto::move(s, t.row_gate, t.g.block(0, s.lane() * half, 1, half));
    subtract_rows(s, t.coefficients, t.g, t.row_gate);
    s(isa::Vsub{{t.coefficients, t.scores, t.coefficients}});
    s(isa::Vmul{{t.coefficients, t.coefficients, t.mask}});
    s(isa::Vexp{{t.coefficients, t.coefficients}});
    s(isa::Vexp{{t.row_gate, t.row_gate}});
}

void TileLangOutputs::gate_scores(Script& s, const OutputTiles& t, std::int64_t block) const {
    s.from_cube(0);
    weigh_scores(s, t, rows_of(scores_, block), rows_of(parts_, block));
    s(isa::Vmul{{t.scores, t.scores, t.mask}});
    store_scores(s, t, rows_of(gated_, block));
    s.to_cube(Pipe::Mte3, 1);
}

void TileLangOutputs::combine(Script& s, const OutputTiles& t, std::int64_t block) const {
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.state_part, t.state_half});
    scale_rows(s, t.state_part, t.row_gate);
    s.from_cube(2);
    add_values(s,
               t,
               rows_of(parts_, block),
               // Over the mask and the scores, which are done with by then.
               shaped(t.mask, shape().chunk / 2, shape().size),
               rows_of(o_, block));
}

isa::Program TileLangOutputs::vector(CoreId core) const {
    Script s(hardware(), core);
    const OutputTiles t(s, shape().chunk, shape().size);
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const std::int64_t block = block_of(core, i);
        s(isa::Copy{t.g, row_of(g_, block), true});
        s(isa::Copy{t.mask, half_of(mask_, s.lane())});
        s.order(Pipe::Mte2, Pipe::Vector);
        coefficients(s, t);
        co_yield s.block();
        gate_scores(s, t, block);
        combine(s, t, block);
        next_block(s, kMixedBlockStart);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
