// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/stream.h"
#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <cstdint>

/// What the operators of the vector unit share. Data is in the operator's dtype in GM and in fp32
/// while it is worked on.
namespace npusim::kernels::rowwise {

/// Tiles of each kind in flight. More than two hide no more: the vector unit is the slowest pipe by
/// far.
inline constexpr std::int64_t kSlots = 2;

/// `in` in fp32: itself if it is, else converted into `wide`, a tile of the same shape.
isa::Tile widen(Stream& s, const isa::Tile& in, const isa::Tile& wide);
/// out = round(values), fp32; nothing to do where they are one tile.
void narrow(Stream& s, const isa::Tile& out, const isa::Tile& values);

/// to = 1 + exp(-from), fp32: sigmoid(x) = 1 / it, silu(x) = x / it. It is infinite for x below
/// about -88, and both are then 0, as they should.
void sigmoid_divisor(Stream& s, const isa::Tile& to, const isa::Tile& from);

/// Throws ConfigError unless `cols`, which messages call `what`, is a multiple of 16: rows then
/// start on whole 32-byte blocks of UB in every format of 16 bits or more.
void require_multiple(const char* what, std::int64_t cols);

/// Counts the bytes of the tiles an operator plans to have in UB.
class UbPlan {
  public:
    explicit UbPlan(const config::HardwareConfig& hardware);
    UbPlan& add(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t slots = 1);
    [[nodiscard]] bool fits() const { return used_ <= size_; }

  private:
    std::int64_t size_;
    std::int64_t align_;
    std::int64_t used_ = 0;
};

/// The largest n of 1..most for which `fits(n)`; 0 where there is none.
template <class Fits> std::int64_t largest(std::int64_t most, const Fits& fits) {
    while (most > 0 && !fits(most)) {
        --most;
    }
    return most;
}

/// Throws ConfigError: UB is too small for `what`.
[[noreturn]] void refuse_ub(const config::HardwareConfig& hardware, const char* what);

/// Elements of a tile, of `total` that the vector cores share: a few tiles for each core, so that
/// transfers hide behind arithmetic, but none so small that the fixed part of an op dominates, nor
/// larger than UB.
std::int64_t preferred_elements(const config::HardwareConfig& hardware, std::int64_t total);

/// A matrix [rows, cols] cut into tiles. A unit is a row of a stripe of `tile_cols` columns; units
/// are numbered stripe by stripe, and workers share them.
struct Grid {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t tile_rows = 0;
    std::int64_t tile_cols = 0;

    struct Part {
        std::int64_t row = 0;
        std::int64_t col = 0;
        std::int64_t rows = 0;
        std::int64_t cols = 0;
        [[nodiscard]] isa::Tile of(const isa::Tile& matrix) const {
            return matrix.block(row, col, rows, cols);
        }
    };
    [[nodiscard]] std::int64_t units() const { return rows * ceil_div(cols, tile_cols); }
    /// The tile from `unit` on, within units ..`end` of a worker; it covers `rows` units.
    [[nodiscard]] Part part(std::int64_t unit, std::int64_t end) const;
};

/// Tiles of up to `wanted` elements: some rows, or a part of one whose columns are a multiple of
/// `granule` (of which one is not too many).
Grid make_grid(std::int64_t rows, std::int64_t cols, std::int64_t granule, std::int64_t wanted);

/// Arithmetic on dense fp32 tiles [n, cols], n up to `rows`, whose rows have a sum or a factor of
/// their own. A row is seen as slices, as wide as an op can take of rows that are not dense; an op
/// that knows rows takes one row at a time or one slice of all rows, whichever is fewer ops.
class RowTiles {
  public:
    /// Adds what the constructor allocates.
    static void plan(UbPlan& ub, std::int64_t rows);
    /// `cols` is a multiple of 16; `numerator`: of inverse_roots.
    RowTiles(Stream& stream,
             const config::HardwareConfig& hardware,
             std::int64_t rows,
             std::int64_t cols,
             float numerator);

    /// [n, 32-byte blocks] of numerator / sqrt(share * (sum of squares of a row of x) + epsilon).
    /// `work` is another tile of the shape of x, and is overwritten.
    isa::Tile inverse_roots(const isa::Tile& x, const isa::Tile& work, float share, float epsilon);
    /// to = from times the factor of its row.
    void scale_rows(const isa::Tile& to, const isa::Tile& from, const isa::Tile& factors);
    /// x *= the factor [1, cols] of its column.
    void scale_columns(const isa::Tile& x, const isa::Tile& factors);

  private:
    /// The sums [1, n] of the rows of x, which is overwritten.
    isa::Tile sums_of(const isa::Tile& x);
    /// Slice `index` of all rows.
    [[nodiscard]] isa::Tile slice(const isa::Tile& x, std::int64_t index) const {
        return x.block(0, index * width_, x.rows, width_);
    }

    Stream& s_;
    std::int64_t width_;  ///< of a slice
    std::int64_t slices_; ///< of a row
    isa::Tile sums_;      ///< [1, rows]
    isa::Tile numerators_;
    isa::Tile factors_; ///< [rows, block]
};

} // namespace npusim::kernels::rowwise
