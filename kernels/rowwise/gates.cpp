// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/gates.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;
using rowwise::kSlots;

/// In UB. A row of heads is mostly shorter than a repeat, so everything is a dense tile, and the
/// weights are spread over one once for all.
struct Gates::Tiles {
    Tiles(Stream& s, std::int64_t rows, std::int64_t heads, DType dtype)
        : as(s.ring(Memory::Ub, dtype, rows, heads, dtype == DType::Fp32 ? 0 : kSlots)),
          bs(s.ring(Memory::Ub, dtype, rows, heads, dtype == DType::Fp32 ? 0 : kSlots)),
          gs(s.ring(Memory::Ub, DType::Fp32, rows, heads, kSlots)),
          betas(s.ring(Memory::Ub, DType::Fp32, rows, heads, kSlots)),
          work(s.tile(Memory::Ub, DType::Fp32, rows, heads)),
          ones(s.tile(Memory::Ub, DType::Fp32, rows, heads)),
          decay(s.tile(Memory::Ub, DType::Fp32, rows, heads)),
          bias(s.tile(Memory::Ub, DType::Fp32, rows, heads)) {}

    Ring as;
    Ring bs;
    Ring gs;
    Ring betas;
    Tile work;
    Tile ones;
    Tile decay; ///< -exp(a_log)
    Tile bias;
};

Gates::Gates(const config::HardwareConfig& hardware, const GatesShape& shape)
    : Operator(hardware), shape_(shape),
      a_(add("a", Tensor::Role::Input, shape.dtype, shape.tokens, shape.heads)),
      b_(add("b", Tensor::Role::Input, shape.dtype, shape.tokens, shape.heads)),
      a_log_(add("a_log", Tensor::Role::Weight, DType::Fp32, 1, shape.heads)),
      dt_bias_(add("dt_bias", Tensor::Role::Weight, DType::Fp32, 1, shape.heads)),
      beta_(add("beta", Tensor::Role::Output, DType::Fp32, shape.tokens, shape.heads)),
      g_(add("g", Tensor::Role::Output, DType::Fp32, shape.tokens, shape.heads)), grid_(choose()) {}

rowwise::Grid Gates::choose() const {
    constexpr std::int64_t kGranule = 16;
    rowwise::require_multiple("heads of gates", shape_.heads);
    const auto fits = [&](std::int64_t rows, std::int64_t cols) {
        rowwise::UbPlan ub(hardware());
        ub.add(shape_.dtype, rows, cols, shape_.dtype == DType::Fp32 ? 0 : 2 * kSlots)
            .add(DType::Fp32, rows, cols, 2 * kSlots)
            .add(DType::Fp32, rows, cols, 4);
        return ub.fits();
    };
    std::int64_t cols = shape_.heads;
    while (cols > kGranule && !fits(1, cols)) {
        cols = ceil_div(cols / 2, kGranule) * kGranule;
    }
    const std::int64_t preferred =
        rowwise::preferred_elements(hardware(), shape_.tokens * shape_.heads) / cols;
    const std::int64_t rows = rowwise::largest(std::max(preferred, std::int64_t{1}),
                                               [&](std::int64_t n) { return fits(n, cols); });
    if (rows == 0) {
        rowwise::refuse_ub(hardware(), "a row of gates");
    }
    return {shape_.tokens, shape_.heads, rows, cols};
}

void Gates::spread_weights(Stream& s,
                           const Tiles& tiles,
                           const rowwise::Grid::Part& part,
                           bool first) const {
    const Tile row = tiles.work.block(0, 0, 1, part.cols);
    const std::int64_t slice = slice_floats(hardware());
    const auto spread = [&](const Tile& whole, float factor) {
        const Tile to = shaped(whole, whole.rows, part.cols);
        for (std::int64_t col = 0; col < part.cols; col += slice) {
            const std::int64_t width = std::min(slice, part.cols - col);
            s(isa::Vmuls{
                {to.block(0, col, to.rows, width), repeated(row.block(0, col, 1, width), to.rows)},
                factor});
        }
    };
    s(isa::Copy{row, a_log_.block(0, part.col, 1, part.cols), first});
    s(isa::Vexp{{row, row}});
    spread(tiles.decay, -1.0F);
    s(isa::Copy{row, dt_bias_.block(0, part.col, 1, part.cols), first});
    spread(tiles.bias, 1.0F);
    s(isa::Vdup{tiles.ones, 1.0F});
}

void Gates::tile(Stream& s, Tiles& tiles, const rowwise::Grid::Part& part) const {
    const auto dense = [&](const Tile& whole) { return shaped(whole, part.rows, part.cols); };
    const auto load = [&](const Tile& tensor, Ring& ring, const Tile& wide) {
        const bool fp32 = shape_.dtype == DType::Fp32;
        const Tile in = fp32 ? wide : dense(ring.next());
        s(isa::Copy{in, part.of(tensor), spills(tensor.bytes())});
        if (!fp32) {
            s(isa::Vcast{wide, in});
        }
    };
    const Tile beta = dense(tiles.betas.next());
    load(b_, tiles.bs, beta);
    rowwise::sigmoid_divisor(s, beta, beta);
    s(isa::Vdiv{{beta, dense(tiles.ones), beta}});
    s(isa::Copy{part.of(beta_), beta, spills(beta_.bytes())});

    const Tile g = dense(tiles.gs.next());
    const Tile work = dense(tiles.work);
    load(a_, tiles.as, g);
    s(isa::Vadd{{g, g, dense(tiles.bias)}});
    s(isa::Vabs{{work, g}});
    rowwise::sigmoid_divisor(s, work, work);
    s(isa::Vln{{work, work}});
    s(isa::Vmaxs{{g, g}, 0.0F});
    s(isa::Vadd{{g, g, work}});
    s(isa::Vmul{{g, g, dense(tiles.decay)}});
    s(isa::Copy{part.of(g_), g, spills(g_.bytes())});
}

isa::Program Gates::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Tiles tiles(s, grid_.tile_rows, grid_.tile_cols, shape_.dtype);
    const Range mine = limited(worker->of(grid_.units()), grid_.tile_rows);
    std::int64_t spread = -1; // first column of the weights that are there
    for (std::int64_t unit = mine.begin; unit < mine.end;) {
        const rowwise::Grid::Part part = grid_.part(unit, mine.end);
        if (part.col != spread) {
            spread_weights(s, tiles, part, part.row == 0);
            spread = part.col;
        }
        tile(s, tiles, part);
        unit += part.rows;
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
