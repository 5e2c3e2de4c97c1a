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
constexpr std::int32_t kStateWritten = 3;
constexpr std::int32_t kWsWritten = 0;
constexpr std::int32_t kKeysWritten = 1;
constexpr std::int32_t kKvWritten = 2;

} // namespace

struct GdnStates::Tiles : StateTiles {
    Tiles(Script& s, std::int64_t chunk, std::int64_t size)
        : StateTiles(s, chunk, size), g_rows(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)) {}

    Tile g_rows; ///< the gates of the core's rows
};

GdnStates::GdnStates(const config::HardwareConfig& hardware, const GdnShape& shape)
    : GdnStage(hardware, shape),
      k_(add_tokens("k", Tensor::Role::Input, shape.key_heads, shape.size)),
      w_(add_tokens("w", Tensor::Role::Input, shape.heads, shape.size)),
      u_(add_tokens("u", Tensor::Role::Input, shape.heads, shape.size)),
      g_(add_gate("g", Tensor::Role::Input, DType::Fp32)),
      workspace_(add_workspace("workspace", kSlots, shape.chunk, shape.size)),
      states_(add_states(Tensor::Role::Output)),
      v_(add_tokens("v", Tensor::Role::Output, shape.heads, shape.size)) {
    if (shape.chunk != shape.size) {
        throw ConfigError("the workspace of chunk_h is for chunks as long as a key");
    }
}

Tile GdnStates::slot(CoreId core, Slot which) const {
    const std::int64_t size = shape().size;
    return workspace_.block((core.ai_core * kSlots + which) * size, 0, size, size);
}

Tile GdnStates::state_of(Place place) const {
    const std::int64_t size = shape().size;
    const std::int64_t chunk = place.sequence * shape().chunks() + place.chunk;
    return states_.block((chunk * shape().heads + place.head) * size, 0, size, size);
}

isa::Program GdnStates::cube(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t size = shape().size;
    Script s(hardware(), core);
    const Tile state = s.tile(Memory::L1, DType::Fp16, size, size);
    const Tile w = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile k = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const Tile v = s.tile(Memory::L1, DType::Fp16, chunk, size);
    const pto::CubeTiles l0(s, chunk, size, size);
    const Tile ws = s.tile(Memory::L0c, DType::Fp32, chunk, size);
    const Tile kv = s.tile(Memory::L0c, DType::Fp32, size, size);
    for (std::int64_t i = 0; i < limited(rounds_by_heads(core.ai_core)); ++i) {
        const Place place = by_heads(core, i);
        await_vectors(s, kStateWritten);
        s(isa::Copy{state, slot(core, kState)});
        s(isa::Copy{w, tile_of(w_, place, place.head, size), true});
        s.order(Pipe::FixPipe, Pipe::Cube);
        pto::product(s, l0, ws, w, Layout::Plain, state, Layout::Plain);
        s(isa::Fixpipe{slot(core, kWs), ws});
        tell_vectors(s, kWsWritten);

        await_vectors(s, kKeysWritten);
        s(isa::Copy{k, slot(core, kKeys)});
        s(isa::Copy{v, tile_of(v_, place, place.head, size)});
        s.order(Pipe::FixPipe, Pipe::Cube);
        pto::product(s, l0, kv, k, Layout::Transposed, v, Layout::Plain);
        s(isa::Fixpipe{slot(core, kKv), kv});
        tell_vectors(s, kKvWritten);
        co_yield s.block();
    }
}

void GdnStates::load_keys(Script& s, const Tiles& t, Place place) const {
    s(isa::Copy{t.k_half,
                half_of(tile_of(k_, place, key_head(place), shape().size), s.lane()),
                first_of_group(place)});
    s(isa::Copy{t.g, gate_of(g_, place), true});
}

/// The state before `place`, to the cube and to the output.
void GdnStates::store_state(Script& s, const Tiles& t, CoreId core, Place place) const {
    s.order(Pipe::Vector, Pipe::Mte3);
    s(isa::Copy{half_of(slot(core, kState), s.lane()), t.state_half});
    s(isa::Copy{half_of(state_of(place), s.lane()), t.state_half, true});
    tell_cube(s, kStateWritten);
}

void GdnStates::begin_sequence(Script& s, const Tiles& t, CoreId core, Place place) const {
    s.order(Pipe::Vector, Pipe::Scalar);
    s(isa::Vdup{t.zero, 0.0F});
    s.order(Pipe::Vector, Pipe::Scalar);
    s(isa::Vdup{t.state, 0.0F});
    s(isa::Vcast{t.state_half, t.state});
    store_state(s, t, core, place);
    load_keys(s, t, place);
    s.order(Pipe::Mte2, Pipe::Vector);
}

/// v = u - w s, and k decayed to the end of the chunk.
void GdnStates::residual(Script& s, const Tiles& t, CoreId core, Place place) const {
    const std::int64_t half = shape().chunk / 2;
    s(isa::Copy{t.u_half, half_of(tile_of(u_, place, place.head, shape().size), s.lane()), true});
    s(isa::Vcast{t.k, t.k_half});
    pto::move(s, t.g_rows, t.g.block(0, s.lane() * half, 1, half));
    s.order(Pipe::Vector, Pipe::Scalar);
    s(isa::ScalarLoad{t.last()});
    s(isa::Vadds{{t.decay, t.g_rows}, -1.0F, t.last()});
    fence(s);
    s(isa::Vsub{{t.decay, t.zero, t.decay}});
    fence(s);
    s(isa::Vexp{{t.decay, t.decay}});
    s(isa::Vexp{{t.g, t.g}});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.u, t.u_half});
    row_expand(s, t.ws, t.decay);
    fence(s);
    s(isa::Vmul{{t.k, t.k, t.ws}});
    fence(s);

    await_cube(s, kWsWritten);
    subtract_ws(
        s, t, slot(core, kWs), tile_of(v_, place, place.head, shape().size), slot(core, kKeys));
    tell_cube(s, kKeysWritten);
}

/// s = exp(g_last) s + k^T v, with what the next chunk needs first fetched in between.
void GdnStates::update(Script& s, const Tiles& t, CoreId core, Place place) const {
    const bool more = place.chunk + 1 < shape().chunks();
    const Place next{place.sequence, place.chunk + 1, place.head};
    decay_state(s, t);
    if (more) {
        load_keys(s, t, next);
    }
    await_cube(s, kKvWritten);
    add_products(s, t, slot(core, kKv));
    if (more) {
        store_state(s, t, core, next);
        s.order(Pipe::Mte2, Pipe::Vector);
    }
}

isa::Program GdnStates::vector(CoreId core) const {
    Script s(hardware(), core);
    const Tiles t(s, shape().chunk, shape().size);
    const std::int64_t count = limited(rounds_by_heads(core.ai_core));
    for (std::int64_t i = 0; i < count; ++i) {
        const Place place = by_heads(core, i);
        if (place.chunk == 0) {
            begin_sequence(s, t, core, place);
        }
        residual(s, t, core, place);
        co_yield s.block();
        update(s, t, core, place);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
