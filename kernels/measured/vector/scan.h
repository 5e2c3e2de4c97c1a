// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

#include <limits>

namespace npusim::kernels {

struct ScanShape {
    std::int64_t elements = 0;
    std::int64_t side = 128;    ///< s, of the matrix of ones; a multiple of 16
    std::int64_t ai_cores = 20; ///< at most
    /// Elements taken through all phases at a time, so that what lies between them stays in L2.
    std::int64_t piece = std::numeric_limits<std::int64_t>::max();
    bool rows_only = false; ///< the first phase alone
};

/// Inclusive prefix sum of fp16 values in fp32 by matrix products with a triangle of ones:
/// huawei-csl/pytorch-tcuscan, src/kernels/kernel_scan_multi_core.h (with kernel_row_scan.h,
/// kernel_reduce_tiles.h and kernel_complete_rows.h). For chips of split cores.
///
/// 1. The cube core of every AI core scans the rows of its [side, side] tiles, each a product with
///    the upper triangle of ones; every queue has one buffer. At the same time the vector cores sum
///    up their tiles of side^2 / 2 elements.
/// 2. Behind a barrier of the chip every vector core sums what is before its part, and adds to each
///    row of its tiles the last element of the row before, which the scalar unit reads back row by
///    row.
///
/// Tensors `x` fp16 and `y` fp32 [tiles * side, side], `ones` [side, side], `sums` [64, 8] fp32: a
/// block of every vector core. The data is that of the kernel but for the values the scalar unit
/// carries from row to row, which are zero here: `y` is the scan of each row.
///
/// A round is up to `kMostTiles` tiles of side 128 of the cube, or as many elements in smaller
/// ones. A long input is done in pieces (see ScanShape::piece), each ended by another barrier of
/// the chip.
class Scan : public SteadyKernel {
  public:
    static constexpr std::int64_t kMostTiles = 8;

    /// Throws ConfigError for a chip of fused cores.
    Scan(const config::HardwareConfig& hardware, const ScanShape& shape);
    [[nodiscard]] std::string_view name() const override { return "scan"; }
    [[nodiscard]] std::int64_t rounds() const override { return ceil_div(deal_.each, per_round_); }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    struct CubeQueues;
    struct VectorQueues;
    [[nodiscard]] std::int64_t half_rows() const { return shape_.side / 2; }
    /// What is taken through all phases before the next: tiles of the cube, or twice as many halves
    /// of the vector cores, each core's in a row.
    struct Piece {
        std::int64_t first = 0; ///< tile
        std::int64_t tiles = 0;
        std::int64_t each = 0; ///< of a core, but for the last
        std::int64_t run = 0;  ///< of these, those that are run
        /// What worker `index` runs, of `parts` items to a tile.
        [[nodiscard]] Range of(std::int64_t index, std::int64_t parts) const;
    };
    [[nodiscard]] Piece piece(std::int64_t index) const;
    [[nodiscard]] std::int64_t pieces() const {
        return ceil_div(limited_tiles(deal_.each, per_round_), piece_);
    }
    [[nodiscard]] isa::Tile half(const isa::Tile& tensor, std::int64_t index) const;
    void load_ones(Script& s, CubeQueues& queues) const;
    void scan_rows(Script& s, CubeQueues& queues, std::int64_t tile) const;
    void reduce(Script& s, VectorQueues& queues, std::int64_t index) const;
    void store_sum(Script& s, VectorQueues& queues, std::int64_t block) const;
    void sum_before(Script& s, VectorQueues& queues, std::int64_t block) const;
    void complete(Script& s, VectorQueues& queues, std::int64_t index) const;
    [[nodiscard]] isa::Program cube_program(isa::CoreId core) const;
    [[nodiscard]] isa::Program vector_program(isa::CoreId core) const;

    ScanShape shape_;
    Deal deal_;              ///< of tiles to AI cores
    std::int64_t per_round_; ///< tiles
    std::int64_t piece_;     ///< tiles of an AI core in a piece
    bool spills_;            ///< whether what phase 1 of a piece leaves is gone from L2 in phase 2
    isa::Tile x_;
    isa::Tile ones_;
    isa::Tile y_;
    isa::Tile sums_;
};

} // namespace npusim::kernels
