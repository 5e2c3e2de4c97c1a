// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"

#include "kernels/common/stream.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

Gemm::Gemm(const config::HardwareConfig& hardware, const GemmShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.m, shape.k)),
      w_(add("w", Tensor::Role::Weight, shape.dtype, shape.k, shape.n)),
      y_(add("y", Tensor::Role::Output, shape.result, shape.m, shape.n)),
      tiling_(fastest_tiling(
          hardware, shape.dtype, [this](const GemmTiling& tiling) { return estimate(tiling); })) {}

double Gemm::estimate(const GemmTiling& t) const {
    const config::HardwareConfig& chip = hardware();
    const std::int64_t tiles = ceil_div(shape_.m, t.m) * ceil_div(shape_.n, t.n);
    const auto rounds = static_cast<double>(ceil_div(tiles, chip.ai_cores));
    const TileCost cost = tile_cost(
        chip, shape_.dtype, t, std::min(t.m, shape_.m), shape_.k, std::min(t.n, shape_.n));
    const double hbm =
        cost.weight_bytes * static_cast<double>(std::min(chip.ai_cores, tiles)) /
        (shape_.m > t.m ? chip.gm.l2_read_bytes_per_cycle : chip.gm.hbm_bytes_per_cycle);
    // The last tile's result has nothing to hide behind, and nor has the first slab.
    return rounds * std::max(cost.slowest(), hbm) + cost.out +
           cost.mte2 / static_cast<double>(cost.slabs);
}

isa::Program Gemm::program(isa::CoreId core) const {
    const auto worker = cube_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    const GemmTiling& t = tiling_;
    Stream s(hardware(), core);
    StreamedProduct product(s, hardware(), shape_.dtype, t);
    const std::int64_t rows = ceil_div(shape_.m, t.m);
    const std::int64_t cols = ceil_div(shape_.n, t.n);
    const bool input_spills = spills(x_.bytes());
    for (std::int64_t tile = worker->index; tile < rows * cols; tile += worker->count) {
        const std::int64_t row = tile % rows * t.m;
        const std::int64_t col = tile / rows * t.n;
        const std::int64_t m = std::min(t.m, shape_.m - row);
        const std::int64_t n = std::min(t.n, shape_.n - col);
        const Tile sum = product.next_sum(m, n);
        for (std::int64_t slab = 0; slab < shape_.k; slab += t.slab) {
            const std::int64_t depth = std::min(t.slab, shape_.k - slab);
            product.add(sum,
                        {x_.block(row, slab, m, depth), input_spills},
                        {w_.block(slab, col, depth, n), shared_cold(row == 0)},
                        slab > 0);
            co_yield s.take();
        }
        s(isa::Fixpipe{y_.block(row, col, m, n), sum, spills(y_.bytes())});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
