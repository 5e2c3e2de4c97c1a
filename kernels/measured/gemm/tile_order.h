// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace npusim::kernels {

/// A tile of the result of a product, by its place in the grid of tiles.
struct GridTile {
    std::int64_t row = 0;
    std::int64_t col = 0;
    std::int64_t part = -1; ///< of the columns of the tile; -1: all
    bool operator==(const GridTile&) const = default;
};

/// The tiles of every core, in the order in which it does them.
using DealtTiles = std::vector<std::vector<GridTile>>;

/// Which way the tiles of a product are walked.
enum class Walk : std::uint8_t {
    Rows,         ///< row by row
    ColumnBlocks, ///< "Nz": blocks of some columns, top to bottom and back up in the next block
    RowBlocks,    ///< "Zn": blocks of some rows, left to right and back in the next block
};

/// Tiles `rows` x `cols` walked in blocks of `width` and dealt one by one: tile i to core
/// i mod `cores`, as the swizzled product of huawei-csl/pto-kernels
/// (examples/jit_cpp/matmul_swizzle/matmul_custom_pto.cpp) and CATLASS (GemmIdentityBlockSwizzle)
/// do.
DealtTiles
deal_walk(std::int64_t rows, std::int64_t cols, std::int64_t cores, Walk walk, std::int64_t width);

/// One rectangle of tiles for each core, row by row in it. The grid of cores is the largest of at
/// most `cores` whose sides divide `rows` and `cols`, and of equals the one with fewest rows of
/// cores: matmul_original_pto.cpp and jit_util_original_pto.py, same folder.
DealtTiles deal_rectangles(std::int64_t rows, std::int64_t cols, std::int64_t cores);

/// The same on a given grid of cores, whose sides divide `rows` and `cols`.
DealtTiles
deal_grid(std::int64_t rows, std::int64_t cols, std::int64_t grid_rows, std::int64_t grid_cols);

/// Every core a run of tiles in a zigzag, odd rows from right to left: hw-native-sys/pto-isa,
/// kernels/manual/a2a3/gemm_ar.
DealtTiles deal_runs(std::int64_t rows, std::int64_t cols, std::int64_t cores);

/// Tiles of which those of the last round may be parts.
struct SplitTiles {
    DealtTiles tiles; ///< a part has `GridTile::part` 0..parts-1
    std::int64_t parts = 1;
};

/// CATLASS's "adaptive sliding window": rows of tiles four at a time, there and back; what is left
/// for the last round is cut along n until half of the cores are exceeded, if they fill no more
/// than that half (hicann/catlass, docs/zh/2_Design/01_kernel_design/05_aswt.md).
SplitTiles deal_sliding_window(std::int64_t rows, std::int64_t cols, std::int64_t cores);

} // namespace npusim::kernels
