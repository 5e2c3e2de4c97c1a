// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/emitter.h"
#include "sim/functional/memory.h"

#include <span>

namespace npusim::inverse {

/// The start of a block method, on the vector unit: X = (I - D)^-1, where D is the 16x16 blocks on
/// the diagonal of a strictly lower A [n,n]. Every block is swept row by row, as
/// forward-substitution does, all n/16 at once, fp32 inside; X is rounded once.
///
/// Works on UB of one core; n is a multiple of 16. The flags of A's arrival and X's departure are
/// the caller's:
///
///     inverse.set_up(emit, {&x, 1});      // once per core
///     emit.await(Pipe::Mte2, Pipe::Vector, loaded);
///     inverse.invert(emit, a, x);         // once per matrix
///     stored = emit.signal(Pipe::Vector, Pipe::Mte3);
class BlockDiagonalInverse {
  public:
    static constexpr std::int64_t kBlock = 16;

    /// Allocates the constants (128 n bytes) in `gm`, and in `ub` 352 n bytes: the constants, which
    /// must survive from `set_up` to the last `invert`, and 224 n bytes of scratch, which is free
    /// between two `invert`s. Throws ConfigError if there is no room.
    BlockDiagonalInverse(std::int64_t n, kernels::Allocator& gm, kernels::Allocator& ub);

    /// Writes the constants that `set_up` reads.
    void write_constants(functional::GlobalMemory& gm) const;

    /// Loads the constants and clears `results`, every (dense) tile that `invert` will write: it
    /// never writes outside their diagonal blocks. The vector unit waits for the constants here.
    void set_up(kernels::Emitter& emit, std::span<const isa::Tile> results) const;

    /// x [n,n] = inverse of the diagonal blocks of I - a, from a [n,n]; both in UB, of any dtype,
    /// rows on multiples of 32 bytes. Of `a` only the diagonal blocks are read.
    void invert(kernels::Emitter& emit, const isa::Tile& a, const isa::Tile& x) const;

  private:
    void gather(kernels::Emitter& emit, const isa::Tile& a) const;
    void sweep_row(kernels::Emitter& emit, std::int64_t i) const;
    void scatter(kernels::Emitter& emit, const isa::Tile& x) const;

    // Row index (b,j): row j of block b. A tile of halves is two tiles [n,8], columns 0..7 of every
    // row, then columns 8..15: rows of 32 bytes, as the factors' are, so products are dense.
    std::int64_t n_;
    std::int64_t blocks_; ///< n / 16
    isa::Tile constants_in_gm_;
    isa::Tile constants_;
    isa::Tile units_;    ///< [n,16] fp32, row (i,b): e_i
    isa::Tile identity_; ///< [2n,8] fp32, halves: row (b,j) is e_j
    isa::Tile rows_;     ///< [n,16] fp32, row (i,b): row i of block b of I + A
    isa::Tile factors_;  ///< [n,8] fp32, row (b,j): element (i,j) of block b, filling 32 bytes
    isa::Tile t_;        ///< [2n,8] fp32, halves: the inverse
    isa::Tile panel_;    ///< [2n,8] fp32, halves: products to be summed
};

} // namespace npusim::inverse
