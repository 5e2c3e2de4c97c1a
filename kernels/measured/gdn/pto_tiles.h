// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "sim/isa/tile.h"

namespace npusim::kernels::pto {

// What tile instructions of the PTO library (hw-native-sys/pto-isa, include/pto/npu/a2a3) become
// on the A2 generation. Each ends as its source does: what must follow waits by itself.

/// TMOV in UB: to = from, one burst.
void move(Script& s, const isa::Tile& to, const isa::Tile& from);

/// TROWEXPAND: to [R,C] fp32 with to(r, :) = from(0, r). The scalar unit reads each element behind
/// the vector unit, and the vector unit fills one row behind the scalar unit.
void row_expand(Script& s, const isa::Tile& to, const isa::Tile& from);

/// TCOLEXPAND: to [R,C] = from [1,C] in every row, one burst each.
void column_expand(Script& s, const isa::Tile& to, const isa::Tile& from);

/// The same two on the A5 generation (include/pto/npu/a5): one vector function each, whose loop
/// over the rows is the vector unit's own. The first stands for its time only: every row gets the
/// first element.
void row_expand_in_registers(Script& s, const isa::Tile& to, const isa::Tile& from);
void column_expand_in_registers(Script& s, const isa::Tile& to, const isa::Tile& from);

/// L0 of a cube core, one tile each, for products up to `m` x `n` over `k`.
struct CubeTiles {
    CubeTiles(Script& s, std::int64_t m, std::int64_t n, std::int64_t k);
    isa::Tile a;
    isa::Tile b;
};

/// How an operand lies in L1.
enum class Layout : std::uint8_t { Plain, Transposed };

/// gemm_v0 of the gated-delta-net kernels where one slice of K is all: c [M,N] = a [M,K] * b [K,N]
/// from L1, an operand stored transposed where said. The L0 tiles are single, so each step waits
/// for the one before, and all of it for what MTE2 has been asked for.
void product(Script& s,
             const CubeTiles& l0,
             const isa::Tile& c,
             const isa::Tile& a,
             Layout a_layout,
             const isa::Tile& b,
             Layout b_layout);

} // namespace npusim::kernels::pto
