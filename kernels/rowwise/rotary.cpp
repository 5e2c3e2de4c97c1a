// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/rotary.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;
using rowwise::Grid;
using rowwise::kSlots;

namespace {

/// Part of UB for angles, at most, unless a tile of x needs more. A choice.
constexpr std::int64_t kAnglePart = 8;

} // namespace

/// In UB. y takes the place of x.
struct Rotary::Tiles {
    Tiles(Stream& s, const Grid& grid, const RotaryShape& shape, std::int64_t angle_rows)
        : xs(s.ring(Memory::Ub, shape.dtype, grid.tile_rows, grid.tile_cols * shape.size, kSlots)),
          all_cosines(s.ring(Memory::Ub, DType::Fp32, angle_rows, shape.rotary, kSlots)),
          all_sines(s.ring(Memory::Ub, DType::Fp32, angle_rows, shape.rotary, kSlots)),
          work(s.tile(
              Memory::Ub, DType::Fp32, std::max(grid.tile_rows, grid.tile_cols), shape.rotary)) {
        if (shape.dtype != DType::Fp32) {
            wide = s.tile(Memory::Ub, DType::Fp32, grid.tile_rows, grid.tile_cols * shape.size);
        }
    }
    Ring xs;
    Ring all_cosines;
    Ring all_sines;
    Tile work; ///< a row per row of one op
    Tile wide;

    std::int64_t first_token = 0; ///< of the angles that are there
    Tile cosines = {};            ///< [tokens, rotary], tokens 0 at first
    Tile sines = {};
};

Rotary::Rotary(const config::HardwareConfig& hardware, const RotaryShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.tokens, shape.heads * shape.size)),
      cos_(add("cos", Tensor::Role::Input, DType::Fp32, shape.tokens, shape.rotary / 2)),
      sin_(add("sin", Tensor::Role::Input, DType::Fp32, shape.tokens, shape.rotary / 2)),
      y_(add("y", Tensor::Role::Output, shape.dtype, shape.tokens, shape.heads * shape.size)),
      grid_(choose()) {}

std::int64_t Rotary::angle_rows(std::int64_t tile_rows) const {
    const std::int64_t row = bytes_of(DType::Fp32, 2 * shape_.rotary);
    const std::int64_t room = hardware().buffer(Memory::Ub).size_bytes / kAnglePart / kSlots;
    return std::max(std::min(room / row, shape_.tokens), tile_rows);
}

bool Rotary::fits(const Grid& grid) const {
    rowwise::UbPlan ub(hardware());
    const std::int64_t cols = grid.tile_cols * shape_.size;
    ub.add(shape_.dtype, grid.tile_rows, cols, kSlots)
        .add(DType::Fp32, angle_rows(grid.tile_rows), shape_.rotary, 2 * kSlots)
        .add(DType::Fp32, std::max(grid.tile_rows, grid.tile_cols), shape_.rotary)
        .add(DType::Fp32, grid.tile_rows, cols, shape_.dtype == DType::Fp32 ? 0 : 1);
    return ub.fits();
}

Grid Rotary::choose() const {
    rowwise::require_multiple("dimensions of a head", shape_.size);
    rowwise::require_multiple("pairs of dimensions rotated", shape_.rotary / 2);
    if (shape_.rotary > shape_.size || shape_.rotary % 2 != 0) {
        throw ConfigError(
            fmt::format("{} of {} dimensions of a head rotated", shape_.rotary, shape_.size));
    }
    const std::int64_t heads =
        rowwise::preferred_elements(hardware(), shape_.tokens * shape_.heads * shape_.size) /
        shape_.size;
    const auto grid = [&](std::int64_t wanted) {
        return rowwise::make_grid(shape_.tokens, shape_.heads, 1, wanted);
    };
    const std::int64_t wanted = rowwise::largest(std::max(heads, std::int64_t{1}),
                                                 [&](std::int64_t n) { return fits(grid(n)); });
    if (wanted == 0) {
        rowwise::refuse_ub(hardware(), "a head to rotate");
    }
    return grid(wanted);
}

void Rotary::need_angles(Stream& s, Tiles& tiles, std::int64_t row, std::int64_t n) const {
    if (tiles.first_token <= row && row + n <= tiles.first_token + tiles.cosines.rows) {
        return;
    }
    const std::int64_t half = shape_.rotary / 2;
    const auto load = [&](Ring& ring, const Tile& tensor) {
        const std::int64_t rows = std::min(ring.front().rows, shape_.tokens - row);
        const Tile angles = shaped(ring.next(), rows, shape_.rotary);
        s(isa::Copy{angles.block(0, 0, rows, half),
                    tensor.block(row, 0, rows, half),
                    spills(tensor.bytes())});
        return angles;
    };
    tiles.first_token = row;
    tiles.cosines = load(tiles.all_cosines, cos_);
    tiles.sines = load(tiles.all_sines, sin_);
    complete(s, tiles.cosines, tiles.sines);
}

void Rotary::complete(Stream& s, const Tile& cosines, const Tile& sines) const {
    const std::int64_t half = shape_.rotary / 2;
    const std::int64_t slice = slice_floats(hardware());
    for (std::int64_t col = 0; col < half; col += slice) {
        const std::int64_t width = std::min(slice, half - col);
        const auto part = [&](const Tile& angles, std::int64_t from) {
            return angles.block(0, from + col, angles.rows, width);
        };
        s(isa::Vmuls{{part(cosines, half), part(cosines, 0)}, 1.0F});
        s(isa::Vmuls{{part(sines, half), part(sines, 0)}, 1.0F});
        s(isa::Vmuls{{part(sines, 0), part(sines, 0)}, -1.0F});
    }
}

void Rotary::rotate(
    Stream& s, const Tile& x, const Tile& cosines, const Tile& sines, const Tile& work) const {
    const std::int64_t half = shape_.rotary / 2;
    const std::int64_t slice = slice_floats(hardware());
    for (std::int64_t col = 0; col < half; col += slice) {
        const std::int64_t width = std::min(slice, half - col);
        const auto crossed = [&](std::int64_t to, std::int64_t from) {
            s(isa::Vmul{{work.block(0, to, x.rows, width),
                         x.block(0, from, x.rows, width),
                         sines.block(0, to, x.rows, width)}});
        };
        crossed(col, half + col);
        crossed(half + col, col);
    }
    for (std::int64_t col = 0; col < shape_.rotary; col += slice) {
        const std::int64_t width = std::min(slice, shape_.rotary - col);
        const Tile part = x.block(0, col, x.rows, width);
        s(isa::Vmul{{part, part, cosines.block(0, col, x.rows, width)}});
        s(isa::Vadd{{part, part, work.block(0, col, x.rows, width)}});
    }
}

void Rotary::tile(Stream& s, Tiles& tiles, const Grid::Part& part) const {
    const std::int64_t size = shape_.size;
    const std::int64_t cols = part.cols * size;
    const Tile in = shaped(tiles.xs.next(), part.rows, cols);
    s(isa::Copy{in, x_.block(part.row, part.col * size, part.rows, cols), spills(x_.bytes())});
    need_angles(s, tiles, part.row, part.rows);
    const auto angles = [&](const Tile& all) {
        return all.block(part.row - tiles.first_token, 0, part.rows, shape_.rotary);
    };
    const Tile cosines = angles(tiles.cosines);
    const Tile sines = angles(tiles.sines);
    const Tile x = rowwise::widen(s, in, shaped(tiles.wide, part.rows, cols));
    if (part.rows < part.cols) { // all heads of a token in an op
        for (std::int64_t row = 0; row < part.rows; ++row) {
            const auto of_token = [&](const Tile& all) {
                return repeated(all.block(row, 0, 1, shape_.rotary), part.cols);
            };
            rotate(s,
                   shaped(x.block(row, 0, 1, cols), part.cols, size),
                   of_token(cosines),
                   of_token(sines),
                   shaped(tiles.work, part.cols, shape_.rotary));
        }
    } else { // a head of all tokens in an op
        for (std::int64_t head = 0; head < part.cols; ++head) {
            rotate(s,
                   x.block(0, head * size, part.rows, size),
                   cosines,
                   sines,
                   shaped(tiles.work, part.rows, shape_.rotary));
        }
    }
    rowwise::narrow(s, in, x);
    s(isa::Copy{y_.block(part.row, part.col * size, part.rows, cols), in, spills(y_.bytes())});
}

isa::Program Rotary::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Tiles tiles(s, grid_, shape_, angle_rows(grid_.tile_rows));
    const Range mine = limited(worker->of(grid_.units()), grid_.tile_rows);
    for (std::int64_t unit = mine.begin; unit < mine.end;) {
        const Grid::Part part = grid_.part(unit, mine.end);
        tile(s, tiles, part);
        unit += part.rows;
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
