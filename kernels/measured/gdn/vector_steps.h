// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "sim/isa/tile.h"

#include <cstdint>

namespace npusim::kernels::gdn {

// What a vector core does alike in the kernels written with the PTO library and in those that
// TileLang generates.

/// In UB for the states: half of the rows of a chunk and of a state.
struct StateTiles {
    StateTiles(Script& s, std::int64_t chunk, std::int64_t size);
    /// The gate at the end of the chunk.
    [[nodiscard]] isa::Tile last() const { return g.block(0, g.cols - 1, 1, 1); }

    isa::Tile zero;
    isa::Tile state;
    isa::Tile k_half;
    isa::Tile g;
    isa::Tile u_half;
    isa::Tile k;
    isa::Tile decay;
    isa::Tile u;
    isa::Tile ws;
    isa::Tile kv; ///< over u_half and k, which are done with by then
    isa::Tile state_half;
};

/// v = u - w s, with w s in `ws` of GM: v and the decayed k in fp16, to `v` and `keys` of GM.
void subtract_ws(
    Script& s, const StateTiles& t, const isa::Tile& ws, const isa::Tile& v, const isa::Tile& keys);

/// s = exp(g_last) s, with exp(g) in g.
void decay_state(Script& s, const StateTiles& t);

/// s = s + k^T v, with k^T v in `kv` of GM; in fp16 too.
void add_products(Script& s, const StateTiles& t, const isa::Tile& kv);

/// In UB for the outputs: half a chunk of rows.
struct OutputTiles {
    OutputTiles(Script& s, std::int64_t chunk, std::int64_t size);

    isa::Tile g;
    isa::Tile mask;
    isa::Tile scores;
    isa::Tile row_gate;
    isa::Tile coefficients;
    isa::Tile scores_half;
    isa::Tile state_half;
    isa::Tile state_part; ///< of the output: exp(g) * (q s)
    isa::Tile o_half;
};

/// Scores from `scores` of GM and q s from `parts`, and the product of the former with the
/// coefficients.
void weigh_scores(Script& s, const OutputTiles& t, const isa::Tile& scores, const isa::Tile& parts);

/// The scores in fp16 to `gated` of GM.
void store_scores(Script& s, const OutputTiles& t, const isa::Tile& gated);

/// The part of the states and that of the values, from `parts` of GM, to `result` there; `sum` is
/// room in UB.
void add_values(Script& s,
                const OutputTiles& t,
                const isa::Tile& parts,
                const isa::Tile& sum,
                const isa::Tile& result);

} // namespace npusim::kernels::gdn
