// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"
#include "sim/isa/tile.h"

#include <cstdint>

namespace npusim::kernels::attention {

/// Columns of a tile come in multiples of a block of the cube.
inline constexpr std::int64_t kGrain = 16;
constexpr std::int64_t grains(std::int64_t count) {
    return ceil_div(count, kGrain) * kGrain;
}

/// Columns of fp32 in a strided row, at most: a repeat of 256 bytes.
inline constexpr std::int64_t kRowFloats = 64;

/// `row` [1,C], seen as `rows` times the same.
inline isa::Tile repeated(isa::Tile row, std::int64_t rows) {
    row.rows = rows;
    row.stride_bytes = 0;
    return row;
}

} // namespace npusim::kernels::attention
