// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/vector_steps.h"

namespace npusim::kernels::gdn {

using isa::Tile;

StateTiles::StateTiles(Script& s, std::int64_t chunk, std::int64_t size)
    : zero(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
      state(s.tile(Memory::Ub, DType::Fp32, size / 2, size)),
      k_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, size)),
      g(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
      u_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, size)),
      k(s.tile(Memory::Ub, DType::Fp32, chunk / 2, size)),
      decay(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
      u(s.tile(Memory::Ub, DType::Fp32, chunk / 2, size)),
      ws(s.tile(Memory::Ub, DType::Fp32, chunk / 2, size)),
      kv(isa::dense(Memory::Ub, DType::Fp32, u_half.address, size / 2, size)),
      state_half(s.tile(Memory::Ub, DType::Fp16, size / 2, size)) {}

void subtract_ws(Script& s, const StateTiles& t, const Tile& ws, const Tile& v, const Tile& keys) {
    s(isa::Copy{t.u_half, half_of(ws, s.lane())});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.ws, t.u_half});
    s(isa::Vsub{{t.u, t.u, t.ws}});
    s(isa::Vcast{t.u_half, t.u});
    s(isa::Vcast{t.k_half, t.k});
    s.order(Pipe::Vector, Pipe::Mte3);
    s(isa::Copy{half_of(v, s.lane()), t.u_half, true});
    s(isa::Copy{half_of(keys, s.lane()), t.k_half});
}

void decay_state(Script& s, const StateTiles& t) {
    s.order(Pipe::Mte3, Pipe::Scalar);
    s(isa::ScalarLoad{t.last()});
    s(isa::Vmuls{{t.state, t.state}, 1.0F, t.last()});
    s.order(Pipe::Vector, Pipe::Mte2);
}

void add_products(Script& s, const StateTiles& t, const Tile& kv) {
    s(isa::Copy{t.state_half, half_of(kv, s.lane())});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.kv, t.state_half});
    s.barrier_all();
    s(isa::Vadd{{t.state, t.state, t.kv}});
    s(isa::Vcast{t.state_half, t.state});
}

OutputTiles::OutputTiles(Script& s, std::int64_t chunk, std::int64_t size)
    : g(s.tile(Memory::Ub, DType::Fp32, 1, chunk)),
      mask(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
      scores(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
      row_gate(s.tile(Memory::Ub, DType::Fp32, 1, chunk / 2)),
      coefficients(s.tile(Memory::Ub, DType::Fp32, chunk / 2, chunk)),
      scores_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, chunk)),
      state_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, size)),
      state_part(s.tile(Memory::Ub, DType::Fp32, chunk / 2, size)),
      o_half(s.tile(Memory::Ub, DType::Fp16, chunk / 2, size)) {}

void weigh_scores(Script& s, const OutputTiles& t, const Tile& scores, const Tile& parts) {
    s(isa::Copy{t.scores_half, half_of(scores, s.lane())});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{t.scores, t.scores_half});
    s.order(Pipe::Vector, Pipe::Mte2);
    s(isa::Copy{t.state_half, half_of(parts, s.lane())});
    s(isa::Vmul{{t.scores, t.scores, t.coefficients}});
}

void store_scores(Script& s, const OutputTiles& t, const Tile& gated) {
    s(isa::Vcast{t.scores_half, t.scores});
    s.order(Pipe::Vector, Pipe::Mte3);
    s(isa::Copy{half_of(gated, s.lane()), t.scores_half});
}

void add_values(
    Script& s, const OutputTiles& t, const Tile& parts, const Tile& sum, const Tile& result) {
    s(isa::Copy{t.o_half, half_of(parts, s.lane())});
    s.order(Pipe::Mte2, Pipe::Vector);
    s(isa::Vcast{sum, t.o_half});
    s(isa::Vadd{{sum, t.state_part, sum}});
    s(isa::Vcast{t.o_half, sum});
    s.order(Pipe::Vector, Pipe::Mte3);
    s(isa::Copy{half_of(result, s.lane()), t.o_half, true});
}

} // namespace npusim::kernels::gdn
