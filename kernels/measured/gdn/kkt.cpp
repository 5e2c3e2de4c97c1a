// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/pto_tiles.h"

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;
using pto::Layout;

namespace {

constexpr std::int64_t kSlots = 2;
/// Cross-core flags: the slot is written (cube), the slot is free (vector).
constexpr std::int32_t kWritten = 0;
constexpr std::int32_t kFree = 2;

} // namespace

/// In UB, half a chunk of rows.
struct GdnKkt::Tiles {
    Tiles(Script& s, std::int64_t chunk)
        : g(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          beta_half(s.tile(Memory::Ub, DType::Fp16, 1, chunk / 2)),
          beta(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
          row_gate(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
          a(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          rows(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
          cols(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          mask(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          rows_2d(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          cols_2d(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          coefficients(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          // Never alive together with rows_2d.
          a_half(isa::dense(Memory::Ub, DType::Fp16, rows_2d.address, chunk / 2, chunk)) {}

    Tile g;
    Tile beta_half;
    Tile beta;
    Tile row_gate;
    Tile a;
    Tile rows;
    Tile cols;
    Tile mask;
    Tile rows_2d;
    Tile cols_2d;
    Tile coefficients;
    Tile a_half;
};

GdnKkt::GdnKkt(const config::HardwareConfig& hardware, const GdnShape& shape)
    : GdnStage(hardware, shape),
      k_(add_tokens("k", Tensor::Role::Input, shape.key_heads, shape.size)),
      beta_(add_gate("beta", Tensor::Role::Input, DType::Fp16)),
      g_(add_gate("g", Tensor::Role::Input, DType::Fp32)),
      mask_(add("mask", Tensor::Role::Input, DType::Fp32, shape.chunk, shape.chunk)),
      products_(add_workspace("products", kSlots, shape.chunk, shape.chunk)),
      a_(add_tokens("a", Tensor::Role::Output, shape.heads, shape.chunk)) {}

isa::Program GdnKkt::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t count = limited(rounds_by_heads(core.ai_core));
    Script s(hardware(), core);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, shape().size);
    const pto::CubeTiles l0(s, chunk, chunk, shape().size);
    const Tile product = s.tile(Memory::L0c, DType::Fp32, chunk, chunk);
    for (std::int64_t i = 0; i < count; ++i) {
        const Place place = by_heads(core, i);
        const auto slot = static_cast<std::int32_t>(place.chunk % kSlots);
        await_vectors(s, kFree + slot);
        s.barrier_all();
        s(isa::Copy{k, tile_of(k_, place, key_head(place), shape().size), first_of_group(place)});
        pto::product(s, l0, product, k, Layout::Plain, k, Layout::Transposed);
        s(isa::Fixpipe{products_.block((core.ai_core * kSlots + slot) * chunk, 0, chunk, chunk),
                       product});
        tell_vectors(s, kWritten + slot);
        co_yield s.block();
    }
    // Both slots are free in the end; the device forgets that at the end of the kernel.
    for (std::int32_t slot = 0; slot < kSlots; ++slot) {
        await_vectors(s, kFree + slot);
    }
    co_yield s.block();
}

/// exp(min(g_i + log(beta_i) - g_j, 0)), while the cube multiplies.
void GdnKkt::coefficients(Script& s, const Tiles& t) const {
    const std::int64_t half = shape().chunk / 2;
    s(isa::Vcast{t.beta, t.beta_half});
    pto::move(s, t.row_gate, t.g.block(0, s.lane() * half, 1, half));
    fence(s);
    s(isa::Vln{{t.beta, t.beta}});
    fence(s);
    s(isa::Vadd{{t.row_gate, t.row_gate, t.beta}});
    fence(s);
    pto::move(s, t.rows, t.row_gate);
    pto::move(s, t.cols, t.g);
    fence(s);
    row_expand(s, t.rows_2d, t.rows);
    column_expand(s, t.cols_2d, t.cols);
    fence(s);
    s(isa::Vsub{{t.coefficients, t.rows_2d, t.cols_2d}});
    fence(s);
    s(isa::Vmins{{t.coefficients, t.coefficients}, 0.0F});
    fence(s);
    s(isa::Vexp{{t.coefficients, t.coefficients}});
}

isa::Program GdnKkt::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t count = limited(rounds_by_heads(core.ai_core));
    Script s(hardware(), core);
    const Tiles t(s, chunk);
    s(isa::Copy{t.mask, half_of(mask_, s.lane()), true});
    s.order(Pipe::Mte2, Pipe::Vector);
    for (std::int32_t slot = 0; slot < kSlots; ++slot) {
        tell_cube(s, kFree + slot);
    }
    co_yield s.block();
    for (std::int64_t i = 0; i < count; ++i) {
        const Place place = by_heads(core, i);
        const auto slot = static_cast<std::int32_t>(place.chunk % kSlots);
        s(isa::Copy{t.g, gate_of(g_, place), true});
        s(isa::Copy{
            t.beta_half, gate_of(beta_, place).block(0, s.lane() * chunk / 2, 1, chunk / 2), true});
        await_cube(s, kWritten + slot);
        s.barrier_all();
        coefficients(s, t);
        s.order(Pipe::Vector, Pipe::Mte2);
        co_yield s.block();

        const Tile products =
            products_.block((core.ai_core * kSlots + slot) * chunk, 0, chunk, chunk);
        s(isa::Copy{t.a_half, half_of(products, s.lane())});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vcast{t.a, t.a_half});
        s(isa::Vmul{{t.a, t.a, t.coefficients}});
        s(isa::Vmul{{t.a, t.a, t.mask}});
        s(isa::Vcast{t.a_half, t.a});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of(tile_of(a_, place, place.head, chunk), s.lane()), t.a_half, true});
        s.barrier_all();
        tell_cube(s, kFree + slot);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
