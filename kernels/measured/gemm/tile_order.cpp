// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gemm/tile_order.h"

#include <algorithm>

namespace npusim::kernels {

namespace {

/// Tile `index` of a walk along `length` in blocks of `width` of the `breadth` lines beside it:
/// first the place along, then the line.
GridTile
block_walk(std::int64_t index, std::int64_t length, std::int64_t breadth, std::int64_t width) {
    const std::int64_t block = index / (width * length);
    const std::int64_t within = index % (width * length);
    const std::int64_t lines = std::min(width, breadth - block * width);
    const std::int64_t along = within / lines;
    return {.row = block % 2 == 0 ? along : length - 1 - along,
            .col = block * width + within % lines};
}

GridTile
tile_of(std::int64_t index, std::int64_t rows, std::int64_t cols, Walk walk, std::int64_t width) {
    switch (walk) {
    case Walk::ColumnBlocks:
        return block_walk(index, rows, cols, width);
    case Walk::RowBlocks: {
        const GridTile turned = block_walk(index, cols, rows, width);
        return {.row = turned.col, .col = turned.row};
    }
    case Walk::Rows:
        break;
    }
    return {.row = index / cols, .col = index % cols};
}

} // namespace

DealtTiles
deal_walk(std::int64_t rows, std::int64_t cols, std::int64_t cores, Walk walk, std::int64_t width) {
    DealtTiles dealt(static_cast<std::size_t>(cores));
    for (std::int64_t index = 0; index < rows * cols; ++index) {
        dealt[static_cast<std::size_t>(index % cores)].push_back(
            tile_of(index, rows, cols, walk, width));
    }
    return dealt;
}

DealtTiles deal_rectangles(std::int64_t rows, std::int64_t cols, std::int64_t cores) {
    std::int64_t grid_rows = 1;
    std::int64_t grid_cols = 1;
    for (std::int64_t r = 1; r <= std::min(rows, cores); ++r) {
        for (std::int64_t c = 1; c <= std::min(cols, cores); ++c) {
            const bool divides = rows % r == 0 && cols % c == 0;
            if (divides && r * c <= cores && r * c > grid_rows * grid_cols) {
                grid_rows = r;
                grid_cols = c;
            }
        }
    }
    return deal_grid(rows, cols, grid_rows, grid_cols);
}

DealtTiles
deal_grid(std::int64_t rows, std::int64_t cols, std::int64_t grid_rows, std::int64_t grid_cols) {
    DealtTiles dealt(static_cast<std::size_t>(grid_rows * grid_cols));
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            const std::int64_t core =
                row / (rows / grid_rows) + col / (cols / grid_cols) * grid_rows;
            dealt[static_cast<std::size_t>(core)].push_back({.row = row, .col = col});
        }
    }
    return dealt;
}

DealtTiles deal_runs(std::int64_t rows, std::int64_t cols, std::int64_t cores) {
    DealtTiles dealt(static_cast<std::size_t>(std::min(cores, rows * cols)));
    const std::int64_t run = (rows * cols + std::ssize(dealt) - 1) / std::ssize(dealt);
    for (std::int64_t index = 0; index < rows * cols; ++index) {
        const std::int64_t row = index / cols;
        const std::int64_t col = index % cols;
        dealt[static_cast<std::size_t>(index / run)].push_back(
            {.row = row, .col = row % 2 == 0 ? col : cols - 1 - col});
    }
    return dealt;
}

SplitTiles deal_sliding_window(std::int64_t rows, std::int64_t cols, std::int64_t cores) {
    constexpr std::int64_t kWindow = 4;
    SplitTiles split{DealtTiles(static_cast<std::size_t>(cores)), 1};
    const std::int64_t rest = rows * cols % cores;
    const std::int64_t whole = rows * cols - rest;
    if (rest > 0 && rest <= cores / 2) {
        while ((split.parts + 1) * rest <= cores) {
            ++split.parts;
        }
    }
    for (std::int64_t index = 0; index < rows * cols; ++index) {
        const GridTile at = tile_of(index, rows, cols, Walk::RowBlocks, kWindow);
        if (index < whole || split.parts == 1) {
            split.tiles[static_cast<std::size_t>(index % cores)].push_back(at);
            continue;
        }
        for (std::int64_t part = 0; part < split.parts; ++part) {
            split.tiles[static_cast<std::size_t>((index - whole) * split.parts + part)].push_back(
                {at.row, at.col, part});
        }
    }
    return split;
}

} // namespace npusim::kernels
