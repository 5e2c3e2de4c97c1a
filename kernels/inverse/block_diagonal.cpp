// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/block_diagonal.h"

#include "kernels/common/batch_layout.h"
#include "kernels/common/vector_tiles.h"

#include <bit>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::Emitter;
using kernels::kBlockFloats;

constexpr std::int64_t kBlock = BlockDiagonalInverse::kBlock;

/// Rows j .. j+count-1 of every block of `tile` [(b,j),8], a block to a row.
Tile of_every_block(const Tile& tile, std::int64_t j, std::int64_t count) {
    Tile rows = tile.block(j, 0, tile.rows / kBlock, count * tile.cols);
    rows.stride_bytes = kBlock * tile.stride_bytes;
    return rows;
}

/// to = from, converted where the dtypes differ.
void convert(Emitter& emit, const Tile& to, const Tile& from) {
    if (to.dtype == from.dtype) {
        emit(kernels::move(to, from));
    } else {
        emit(isa::Vcast{to, from});
    }
}

Tile diagonal_block(const Tile& matrix, std::int64_t b) {
    return matrix.block(b * kBlock, b * kBlock, kBlock, kBlock);
}

} // namespace

BlockDiagonalInverse::BlockDiagonalInverse(std::int64_t n,
                                           kernels::Allocator& gm,
                                           kernels::Allocator& ub)
    : n_(n), blocks_(n / kBlock), constants_in_gm_(gm.tile(DType::Fp32, 2 * n, kBlock)),
      constants_(ub.tile(DType::Fp32, 2 * n, kBlock)), units_(constants_.block(0, 0, n, kBlock)),
      identity_(isa::dense(
          Memory::Ub, DType::Fp32, constants_.block(n, 0, 1, 1).address, 2 * n, kBlockFloats)),
      rows_(ub.tile(DType::Fp32, n, kBlock)), factors_(ub.tile(DType::Fp32, n, kBlockFloats)),
      t_(ub.tile(DType::Fp32, 2 * n, kBlockFloats)),
      panel_(ub.tile(DType::Fp32, 2 * n, kBlockFloats)) {}

void BlockDiagonalInverse::write_constants(functional::GlobalMemory& gm) const {
    std::vector<float> values(static_cast<std::size_t>(2 * n_ * kBlock), 0.0F);
    for (std::int64_t row = 0; row < n_; ++row) {
        values[static_cast<std::size_t>(row * kBlock + row / blocks_)] = 1.0F;
        const std::int64_t half = row % kBlock / kBlockFloats;
        values[static_cast<std::size_t>(n_ * kBlock + (half * n_ + row) * kBlockFloats +
                                        row % kBlockFloats)] = 1.0F;
    }
    kernels::write_tile(gm, constants_in_gm_, values);
}

void BlockDiagonalInverse::set_up(Emitter& emit, std::span<const Tile> results) const {
    emit(isa::Copy{constants_, constants_in_gm_});
    emit.await(Pipe::Mte2, Pipe::Vector, emit.signal(Pipe::Mte2, Pipe::Vector));
    for (const Tile& x : results) {
        emit(isa::Vdup{x, 0.0F});
    }
}

void BlockDiagonalInverse::invert(Emitter& emit, const Tile& a, const Tile& x) const {
    gather(emit, a);
    // Row i is e_i until it is swept: it enters its own sum, with the diagonal of I + A. The rows
    // below it meet a factor of zero, so they must not be an earlier matrix's infinities.
    emit(kernels::move(t_, identity_));
    for (std::int64_t i = 1; i < kBlock; ++i) {
        sweep_row(emit, i);
    }
    scatter(emit, x);
}

/// Brings row i of every block together, where one Vbrcb reaches them all.
void BlockDiagonalInverse::gather(Emitter& emit, const Tile& a) const {
    for (std::int64_t b = 0; b < blocks_; ++b) {
        Tile rows = rows_.block(b, 0, kBlock, kBlock);
        rows.stride_bytes = blocks_ * rows_.stride_bytes;
        convert(emit, rows, diagonal_block(a, b));
    }
    emit(isa::Vadd{{rows_, rows_, units_}});
}

/// T[i,:] = sum over j <= i of (I + A)[i,j] T[j,:] in every block, as products and a tree of sums.
void BlockDiagonalInverse::sweep_row(Emitter& emit, std::int64_t i) const {
    // The tree halves a power of two of rows; columns 8..15 are zero up to row 7.
    const auto count = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(i + 1)));
    const std::int64_t halves = i < kBlockFloats ? 1 : 2;
    emit(isa::Vbrcb{
        factors_,
        isa::dense(Memory::Ub, DType::Fp32, rows_.block(i * blocks_, 0, 1, 1).address, 1, n_)});
    for (std::int64_t half = 0; half < halves; ++half) {
        const auto rows = [&](const Tile& tile) {
            return of_every_block(tile.block(half * n_, 0, n_, kBlockFloats), 0, count);
        };
        emit(isa::Vmul{{rows(panel_), rows(t_), of_every_block(factors_, 0, count)}});
    }
    const Tile sums = panel_.block(0, 0, halves * n_, kBlockFloats);
    for (std::int64_t rows = count / 2; rows > 1; rows /= 2) {
        const Tile low = of_every_block(sums, 0, rows);
        emit(isa::Vadd{{low, low, of_every_block(sums, rows, rows)}});
    }
    emit(isa::Vadd{{of_every_block(t_.block(0, 0, halves * n_, kBlockFloats), i, 1),
                    of_every_block(sums, 0, 1),
                    of_every_block(sums, 1, 1)}});
}

/// Puts the halves of T together, in the panel's place, and the blocks where they belong.
void BlockDiagonalInverse::scatter(Emitter& emit, const Tile& x) const {
    const Tile whole = isa::dense(Memory::Ub, DType::Fp32, panel_.address, n_, kBlock);
    for (std::int64_t half = 0; half < 2; ++half) {
        emit(kernels::move(whole.block(0, half * kBlockFloats, n_, kBlockFloats),
                           t_.block(half * n_, 0, n_, kBlockFloats)));
    }
    for (std::int64_t b = 0; b < blocks_; ++b) {
        convert(emit, diagonal_block(x, b), whole.block(b * kBlock, 0, kBlock, kBlock));
    }
}

} // namespace npusim::inverse
