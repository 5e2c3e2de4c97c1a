// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/pto_tiles.h"

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;
using pto::Layout;

namespace {

/// Cross-core flags. The vector cores have written a product's left side; the cube has used it.
constexpr std::int32_t kBothWritten = 1;
constexpr std::int32_t kBetaWritten = 2;
constexpr std::int32_t kBetaFree = 3;
constexpr std::int32_t kBothFree = 4;
/// A core looks at every chunk of every head and takes one in `cores`; it needs a 64-bit remainder
/// for each. Estimate: no public measurement.
constexpr std::int64_t kLookCycles = 12;

} // namespace

/// In UB, half a chunk of rows.
struct GdnWy::Tiles {
    Tiles(Script& s, std::int64_t chunk)
        : beta_half(s.tile(Memory::Ub, DType::Fp16, 1, chunk)),
          a_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, chunk)),
          beta(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          beta_row(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          beta_2d(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          a(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          scaled(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
          scaled_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, chunk)),
          g(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          g_row(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
          g_2d(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)) {}

    Tile beta_half;
    Tile a_half;
    Tile beta;
    Tile beta_row;
    Tile beta_2d;
    Tile a;
    Tile scaled;
    Tile scaled_half;
    Tile g;
    Tile g_row;
    Tile g_2d;
};

GdnWy::GdnWy(const config::HardwareConfig& hardware, const GdnShape& shape)
    : GdnStage(hardware, shape),
      k_(add_tokens("k", Tensor::Role::Input, shape.key_heads, shape.size)),
      v_(add_tokens("v", Tensor::Role::Input, shape.heads, shape.size)),
      beta_(add_gate("beta", Tensor::Role::Input, DType::Fp16)),
      g_(add_gate("g", Tensor::Role::Input, DType::Fp32)),
      a_(add_tokens("a", Tensor::Role::Input, shape.heads, shape.chunk)),
      by_both_(add_workspace("by_both", 1, shape.chunk, shape.chunk)),
      by_beta_(add_workspace("by_beta", 1, shape.chunk, shape.chunk)),
      w_(add_tokens("w", Tensor::Role::Output, shape.heads, shape.size)),
      u_(add_tokens("u", Tensor::Role::Output, shape.heads, shape.size)) {}

isa::Program GdnWy::cube(CoreId core) const {
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
    const std::int64_t row = core.ai_core * chunk;
    for (std::int64_t i = 0; i < limited(rounds_by_chunks(core.ai_core)); ++i) {
        const Place place = by_chunks(core, i);
        s.scalar(kLookCycles * cores());
        s(isa::Copy{k, tile_of(k_, place, key_head(place), size), first_of_group(place)});
        s(isa::Copy{v, tile_of(v_, place, place.head, size), true});
        await_vectors(s, kBetaWritten);
        s(isa::Copy{by_beta, by_beta_.block(row, 0, chunk, chunk)});
        s.order(Pipe::FixPipe, Pipe::Cube);
        pto::product(s, l0, u, by_beta, Layout::Plain, v, Layout::Plain);
        s(isa::Fixpipe{tile_of(u_, place, place.head, size), u, true});
        tell_vectors(s, kBetaFree);

        await_vectors(s, kBothWritten);
        s(isa::Copy{by_both, by_both_.block(row, 0, chunk, chunk)});
        s.order(Pipe::FixPipe, Pipe::Cube);
        pto::product(s, l0, w, by_both, Layout::Plain, k, Layout::Plain);
        s(isa::Fixpipe{tile_of(w_, place, place.head, size), w, true});
        tell_vectors(s, kBothFree);
        co_yield s.block();
    }
}

isa::Program GdnWy::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t count = limited(rounds_by_chunks(core.ai_core));
    Script s(hardware(), core);
    const Tiles t(s, chunk);
    const auto half_of_slot = [&](const Tile& workspace) {
        return half_of(workspace.block(core.ai_core * chunk, 0, chunk, chunk), s.lane());
    };
    for (std::int64_t i = 0; i < count; ++i) {
        const Place place = by_chunks(core, i);
        s.scalar(kLookCycles * cores());
        s(isa::Copy{t.beta_half, gate_of(beta_, place), true});
        s(isa::Copy{t.a_half, half_of(tile_of(a_, place, place.head, chunk), s.lane()), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vcast{t.beta, t.beta_half});
        fence(s);
        pto::move(s, t.beta_row, t.beta);
        fence(s);
        column_expand(s, t.beta_2d, t.beta_row);
        s(isa::Vcast{t.a, t.a_half});
        s(isa::Vmul{{t.scaled, t.a, t.beta_2d}});
        s(isa::Vcast{t.scaled_half, t.scaled});
        if (i > 0) {
            await_cube(s, kBetaFree);
        }
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of_slot(by_beta_), t.scaled_half});
        s.barrier_all();
        tell_cube(s, kBetaWritten);
        co_yield s.block();

        s(isa::Copy{t.g, gate_of(g_, place), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vexp{{t.g, t.g}});
        fence(s);
        s(isa::Vmul{{t.g, t.g, t.beta}});
        fence(s);
        pto::move(s, t.g_row, t.g);
        fence(s);
        column_expand(s, t.g_2d, t.g_row);
        s(isa::Vmul{{t.a, t.a, t.g_2d}});
        s(isa::Vcast{t.a_half, t.a});
        if (i > 0) {
            await_cube(s, kBothFree);
        }
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{half_of_slot(by_both_), t.a_half});
        s.barrier_all();
        tell_cube(s, kBothWritten);
        co_yield s.block();
    }
    // The cube says so of its last two products as well.
    if (count > 0) {
        await_cube(s, kBetaFree);
        await_cube(s, kBothFree);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
