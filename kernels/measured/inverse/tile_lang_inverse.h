// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/inverse/matrices.h"
#include "kernels/measured/steady.h"

namespace npusim::kernels {

/// Inverse by blocks of 32 in TileLang: tile-ai/tilelang-ascend,
/// examples/linear_attention_and_rnn/opt_gdn/opt_gdn_solve_tril.py, for sides 32, 64 and 128.
/// Tensors `m`, `inverse` (both in the input's dtype) and `i`, the identity in fp32.
///
/// A vector core inverts blocks on the diagonal row by row: a row is spread over a column, times
/// all rows, summed over the rows by halving. At 32 the two vector cores of a block take a matrix
/// each. At 64 they take the two blocks on the diagonal and the cube multiplies the third from
/// them; at 128 each takes two and the cube goes on to the 64x64 block below. Cube and vector
/// cores, and the cube with itself, hand everything over through GM. A core goes on to the next
/// block when it is done with its own part of the one before.
///
/// Of the third block the cube makes -1 times what it should be where it is given M rather than -M:
/// at 64 a vector core reads it back and negates it, at 128 vector cores have left -M in its place.
class TileLangInverse : public SteadyKernel {
  public:
    /// `barriers`: whether the compiler puts a barrier of all pipes after every vector operation of
    /// a row, as it did where the kernel did not turn its automatic synchronisation off. Inferred
    /// from times, not from a source.
    TileLangInverse(const config::HardwareConfig& hardware,
                    const InverseBatch& batch,
                    bool barriers);
    [[nodiscard]] std::string_view name() const override { return "measured/tile-lang-inverse"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Blocks: matrices, or pairs of them at side 32.
    [[nodiscard]] std::int64_t rounds() const override { return rounds_of(0); }

    /// Side of the blocks that vector cores invert.
    static constexpr std::int64_t kBlock = 32;

  private:
    [[nodiscard]] std::int64_t rounds_of(std::int64_t core) const {
        return share_in_turn(blocks_, cores_, core);
    }
    isa::Program vectors(isa::CoreId core) const;
    isa::Program cube(isa::CoreId core) const;

    InverseBatch batch_;
    bool barriers_;
    std::int64_t blocks_;
    std::int64_t cores_;
    isa::Tile m_;
    isa::Tile inverse_;
    isa::Tile i_;
};

} // namespace npusim::kernels
