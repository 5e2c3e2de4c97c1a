// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/vector_math.h"

#include "kernels/common/vector_tiles.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels::rowwise {

using isa::Tile;

namespace {

/// A core's share is cut into so many tiles, where they are large enough: the first load and the
/// last store, which nothing hides, are then a small part. A choice.
constexpr std::int64_t kTilesEach = 4;
/// Elements below which a tile is not cut: 64 repeats, which take an op two to ten times its
/// fixed part of about 25 cycles. A choice.
constexpr std::int64_t kWorthwhile = 4096;
constexpr std::int64_t kMultiple = 16; ///< of columns

/// The widest slice that divides `cols`.
std::int64_t widest_slice(const config::HardwareConfig& hardware, std::int64_t cols) {
    return kMultiple * largest(std::max(slice_floats(hardware) / kMultiple, std::int64_t{1}),
                               [&](std::int64_t n) { return cols % (n * kMultiple) == 0; });
}

} // namespace

Tile widen(Stream& s, const Tile& in, const Tile& wide) {
    if (in.dtype == DType::Fp32) {
        return in;
    }
    s(isa::Vcast{wide, in});
    return wide;
}

void narrow(Stream& s, const Tile& out, const Tile& values) {
    if (out != values) {
        s(isa::Vcast{out, values});
    }
}

void sigmoid_divisor(Stream& s, const Tile& to, const Tile& from) {
    s(isa::Vmuls{{to, from}, -1.0F});
    s(isa::Vexp{{to, to}});
    s(isa::Vadds{{to, to}, 1.0F});
}

void require_multiple(const char* what, std::int64_t cols) {
    if (cols % kMultiple != 0) {
        throw ConfigError(fmt::format("{} {} (allowed: multiples of {})", cols, what, kMultiple));
    }
}

UbPlan::UbPlan(const config::HardwareConfig& hardware)
    : size_(hardware.buffer(Memory::Ub).size_bytes),
      align_(hardware.buffer(Memory::Ub).align_bytes) {}

UbPlan& UbPlan::add(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t slots) {
    used_ += slots * ceil_div(rows * bytes_of(dtype, cols), align_) * align_;
    return *this;
}

void refuse_ub(const config::HardwareConfig& hardware, const char* what) {
    throw ConfigError(fmt::format("{}: {} bytes are too few for {}",
                                  hardware.at("buffers.ub.size"),
                                  hardware.buffer(Memory::Ub).size_bytes,
                                  what));
}

std::int64_t preferred_elements(const config::HardwareConfig& hardware, std::int64_t total) {
    const std::int64_t share = ceil_div(total, vector_workers(hardware));
    const std::int64_t room = hardware.buffer(Memory::Ub).size_bytes / bytes_of(DType::Fp32, 1);
    return std::min({share, std::max(ceil_div(share, kTilesEach), kWorthwhile), room});
}

Grid::Part Grid::part(std::int64_t unit, std::int64_t end) const {
    const std::int64_t row = unit % rows;
    const std::int64_t col = unit / rows * tile_cols;
    return {
        row, col, std::min({tile_rows, rows - row, end - unit}), std::min(tile_cols, cols - col)};
}

Grid make_grid(std::int64_t rows, std::int64_t cols, std::int64_t granule, std::int64_t wanted) {
    if (wanted >= cols) {
        return {rows, cols, wanted / cols, cols};
    }
    const std::int64_t most = std::max(wanted / granule, std::int64_t{1}) * granule;
    const std::int64_t even = ceil_div(cols, ceil_div(cols, most));
    return {rows, cols, 1, ceil_div(even, granule) * granule};
}

void RowTiles::plan(UbPlan& ub, std::int64_t rows) {
    ub.add(DType::Fp32, 1, rows, 2).add(DType::Fp32, rows, kBlockFloats);
}

RowTiles::RowTiles(Stream& stream,
                   const config::HardwareConfig& hardware,
                   std::int64_t rows,
                   std::int64_t cols,
                   float numerator)
    : s_(stream), width_(widest_slice(hardware, cols)), slices_(cols / width_),
      sums_(s_.tile(Memory::Ub, DType::Fp32, 1, rows)),
      numerators_(s_.tile(Memory::Ub, DType::Fp32, 1, rows)),
      factors_(s_.tile(Memory::Ub, DType::Fp32, rows, kBlockFloats)) {
    s_(isa::Vdup{numerators_, numerator});
}

/// Neighbouring slices are added in pairs, of all rows in one op, as long as their number is even.
/// The result is dense and takes the place of what was read by then.
Tile RowTiles::sums_of(const Tile& x) {
    std::int64_t slices = slices_;
    for (; slices % 2 == 0; slices /= 2) {
        const std::int64_t count = x.rows * slices / 2;
        const Tile pairs = shaped(x, count, 2 * width_);
        s_(isa::Vadd{{shaped(x, count, width_), slice(pairs, 0), slice(pairs, 1)}});
    }
    const Tile rest = shaped(x, x.rows, slices * width_);
    for (std::int64_t i = 1; i < slices; ++i) {
        s_(isa::Vadd{{slice(rest, 0), slice(rest, 0), slice(rest, i)}});
    }
    const Tile sums = sums_.block(0, 0, 1, x.rows);
    s_(isa::Vcadd{sums, slice(rest, 0)});
    return sums;
}

Tile RowTiles::inverse_roots(const Tile& x, const Tile& work, float share, float epsilon) {
    s_(isa::Vmul{{work, x, x}});
    const Tile sums = sums_of(work);
    const Tile factors = factors_.block(0, 0, x.rows, kBlockFloats);
    s_(isa::Vmuls{{sums, sums}, share});
    s_(isa::Vadds{{sums, sums}, epsilon});
    s_(isa::Vsqrt{{sums, sums}});
    s_(isa::Vdiv{{sums, numerators_.block(0, 0, 1, x.rows), sums}});
    s_(isa::Vbrcb{factors, sums});
    return factors;
}

void RowTiles::scale_rows(const Tile& to, const Tile& from, const Tile& factors) {
    if (to.rows >= slices_) {
        for (std::int64_t i = 0; i < slices_; ++i) {
            s_(isa::Vmul{{slice(to, i), slice(from, i), factors}});
        }
        return;
    }
    for (std::int64_t r = 0; r < to.rows; ++r) {
        const auto row = [&](const Tile& x) {
            return shaped(x.block(r, 0, 1, x.cols), slices_, width_);
        };
        s_(isa::Vmul{
            {row(to), row(from), repeated(factors.block(r, 0, 1, kBlockFloats), slices_)}});
    }
}

void RowTiles::scale_columns(const Tile& x, const Tile& factors) {
    if (x.rows >= slices_) {
        const Tile rows = repeated(factors, x.rows);
        for (std::int64_t i = 0; i < slices_; ++i) {
            s_(isa::Vmul{{slice(x, i), slice(x, i), slice(rows, i)}});
        }
        return;
    }
    for (std::int64_t r = 0; r < x.rows; ++r) {
        const Tile row = x.block(r, 0, 1, x.cols);
        s_(isa::Vmul{{row, row, factors}});
    }
}

} // namespace npusim::kernels::rowwise
