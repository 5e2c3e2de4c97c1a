// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/norms.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;
using rowwise::kSlots;
using rowwise::RowTiles;
using rowwise::UbPlan;

namespace {

/// The most slots, then the most rows up to the preferred number, that fit. Throws ConfigError
/// where nothing does.
template <class Fits>
NormTiling choose_tiling(const config::HardwareConfig& hardware,
                         std::int64_t rows,
                         std::int64_t cols,
                         const Fits& fits) {
    rowwise::require_multiple("columns of a norm", cols);
    const std::int64_t preferred =
        std::max(rowwise::preferred_elements(hardware, rows * cols) / cols, std::int64_t{1});
    for (std::int64_t slots = kSlots; slots > 0; --slots) {
        const std::int64_t n = rowwise::largest(preferred, [&](std::int64_t count) {
            return fits(NormTiling{count, slots});
        });
        if (n > 0) {
            return {n, slots};
        }
    }
    rowwise::refuse_ub(hardware, "a row of a norm");
}

/// Adds an fp32 tile to work in, which fp32 data does not need.
void plan_wide(UbPlan& ub, DType dtype, std::int64_t rows, std::int64_t cols) {
    if (dtype != DType::Fp32) {
        ub.add(DType::Fp32, rows, cols);
    }
}
Tile wide_tile(Stream& s, DType dtype, std::int64_t rows, std::int64_t cols) {
    return dtype == DType::Fp32 ? Tile{} : s.tile(Memory::Ub, DType::Fp32, rows, cols);
}

/// With a residual, the place of fp32 x is free when the squares need one.
bool needs_work(const RmsNormShape& shape) {
    return shape.dtype != DType::Fp32 || !shape.residual;
}

} // namespace

/// In UB. A result takes the place of what it was made from.
struct RmsNorm::Tiles {
    Tiles(Stream& s,
          const config::HardwareConfig& hardware,
          const RmsNormShape& shape,
          NormTiling t)
        : rows(s, hardware, t.rows, shape.cols, 1),
          xs(s.ring(Memory::Ub, shape.dtype, t.rows, shape.cols, t.slots)),
          seconds(s.ring(Memory::Ub, shape.dtype, t.rows, shape.cols, shape.seconds() * t.slots)),
          wide(wide_tile(s, shape.dtype, t.rows, shape.cols)),
          work(needs_work(shape) ? s.tile(Memory::Ub, DType::Fp32, t.rows, shape.cols) : Tile{}),
          weight(s.tile(Memory::Ub, shape.dtype, 1, shape.cols)) {}

    RowTiles rows;
    Ring xs;
    Ring seconds; ///< residual and gate
    Tile wide;
    Tile work;
    Tile weight;
};

RmsNorm::RmsNorm(const config::HardwareConfig& hardware, const RmsNormShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.rows, shape.cols)),
      weight_(add("weight", Tensor::Role::Weight, shape.dtype, 1, shape.cols)) {
    if (shape.residual) {
        residual_ = add("residual", Tensor::Role::State, shape.dtype, shape.rows, shape.cols);
    }
    if (shape.gated) {
        gate_ = add("gate", Tensor::Role::Input, shape.dtype, shape.rows, shape.cols);
    }
    y_ = add("y", Tensor::Role::Output, shape.dtype, shape.rows, shape.cols);
    tiling_ = choose();
}

bool RmsNorm::fits(const NormTiling& t) const {
    UbPlan ub(hardware());
    RowTiles::plan(ub, t.rows);
    ub.add(shape_.dtype, t.rows, shape_.cols, (1 + shape_.seconds()) * t.slots)
        .add(DType::Fp32, t.rows, shape_.cols, needs_work(shape_) ? 1 : 0)
        .add(shape_.dtype, 1, shape_.cols);
    plan_wide(ub, shape_.dtype, t.rows, shape_.cols);
    return ub.fits();
}

NormTiling RmsNorm::choose() const {
    return choose_tiling(
        hardware(), shape_.rows, shape_.cols, [&](const NormTiling& t) { return fits(t); });
}

Tile RmsNorm::load(
    Stream& s, Ring& ring, const Tile& tensor, std::int64_t row, std::int64_t n) const {
    const Tile to = shaped(ring.next(), n, shape_.cols);
    s(isa::Copy{to, tensor.block(row, 0, n, shape_.cols), spills(tensor.bytes())});
    return to;
}

void RmsNorm::tile(Stream& s, Tiles& tiles, std::int64_t row, std::int64_t n) const {
    const auto dense = [&](const Tile& whole) { return shaped(whole, n, shape_.cols); };
    const Tile in = load(s, tiles.xs, x_, row, n);
    const Tile y = rowwise::widen(s, in, dense(tiles.wide));
    Tile x = y;
    Tile work = dense(tiles.work);
    if (residual_) {
        const Tile residual = load(s, tiles.seconds, *residual_, row, n);
        const Tile sum = rowwise::widen(s, residual, work);
        s(isa::Vadd{{sum, sum, x}});
        rowwise::narrow(s, residual, sum);
        if (shape_.dtype == DType::Fp32) {
            x = residual;
            work = in;
        } else {
            s(isa::Vcast{x, residual});
        }
        s(isa::Copy{
            residual_->block(row, 0, n, shape_.cols), residual, spills(residual_->bytes())});
    }
    const Tile factors = tiles.rows.inverse_roots(
        x, work, 1.0F / static_cast<float>(shape_.cols), static_cast<float>(shape_.epsilon));
    tiles.rows.scale_rows(y, x, factors);
    tiles.rows.scale_columns(y, rowwise::widen(s, tiles.weight, shaped(work, 1, shape_.cols)));
    if (gate_) {
        const Tile gate = rowwise::widen(s, load(s, tiles.seconds, *gate_, row, n), work);
        s(isa::Vmul{{y, y, gate}});
        rowwise::sigmoid_divisor(s, gate, gate);
        s(isa::Vdiv{{y, y, gate}});
    }
    rowwise::narrow(s, in, y);
    s(isa::Copy{y_.block(row, 0, n, shape_.cols), in, spills(y_.bytes())});
}

isa::Program RmsNorm::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Tiles tiles(s, hardware(), shape_, tiling_);
    const Range mine = limited(worker->of(shape_.rows), tiling_.rows);
    if (mine.size() > 0) {
        s(isa::Copy{tiles.weight, weight_, mine.begin == 0}); // for the others it is in L2
    }
    for (std::int64_t row = mine.begin; row < mine.end; row += tiling_.rows) {
        tile(s, tiles, row, std::min(tiling_.rows, mine.end - row));
        co_yield s.take();
    }
    co_yield s.finish();
}

L2Norm::L2Norm(const config::HardwareConfig& hardware, const L2NormShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.rows, shape.cols)),
      y_(add("y", Tensor::Role::Output, shape.dtype, shape.rows, shape.cols)),
      tiling_(choose_tiling(hardware, shape.rows, shape.cols, [&](const NormTiling& t) {
          UbPlan ub(hardware);
          RowTiles::plan(ub, t.rows);
          ub.add(shape.dtype, t.rows, shape.cols, t.slots).add(DType::Fp32, t.rows, shape.cols);
          plan_wide(ub, shape.dtype, t.rows, shape.cols);
          return ub.fits();
      })) {}

isa::Program L2Norm::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    RowTiles rows(s, hardware(), tiling_.rows, shape_.cols, static_cast<float>(shape_.scale));
    Ring xs = s.ring(Memory::Ub, shape_.dtype, tiling_.rows, shape_.cols, tiling_.slots);
    const Tile wide = wide_tile(s, shape_.dtype, tiling_.rows, shape_.cols);
    const Tile work = s.tile(Memory::Ub, DType::Fp32, tiling_.rows, shape_.cols);
    const bool cold = spills(x_.bytes());
    const Range mine = limited(worker->of(shape_.rows), tiling_.rows);
    for (std::int64_t row = mine.begin; row < mine.end; row += tiling_.rows) {
        const std::int64_t n = std::min(tiling_.rows, mine.end - row);
        const Tile in = shaped(xs.next(), n, shape_.cols);
        s(isa::Copy{in, x_.block(row, 0, n, shape_.cols), cold});
        const Tile x = rowwise::widen(s, in, shaped(wide, n, shape_.cols));
        const Tile factors = rows.inverse_roots(
            x, shaped(work, n, shape_.cols), 1, static_cast<float>(shape_.epsilon));
        rows.scale_rows(x, x, factors);
        rowwise::narrow(s, in, x);
        s(isa::Copy{y_.block(row, 0, n, shape_.cols), in, cold});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
