// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"

#include "kernels/common/stream.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npusim::kernels {

using isa::Tile;

Gemm::Gemm(const config::HardwareConfig& hardware, const GemmShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.m, shape.k)),
      w_(add("w", Tensor::Role::Weight, shape.dtype, shape.k, shape.n)),
      y_(add("y", Tensor::Role::Output, shape.result, shape.m, shape.n)),
      tiling_(fastest_tiling(
          hardware, shape.dtype, [this](const GemmTiling& tiling) { return estimate(tiling); })),
      walk_(choose_walk()), pace_(choose_pace()) {}

Gemm::Walk Gemm::choose_walk() const {
    const std::int64_t rows = ceil_div(shape_.m, tiling_.m);
    const std::int64_t cols = ceil_div(shape_.n, tiling_.n);
    const std::int64_t room = std::max<std::int64_t>(1, hardware().gm.l2_size_bytes / 8);
    // So wide that the tiles of a round make a square, at least.
    const auto least = static_cast<std::int64_t>(std::sqrt(hardware().ai_cores));
    const auto stripes = [&](const Tile& matrix, std::int64_t tiles) {
        return std::clamp(ceil_div(matrix.bytes(), room),
                          std::int64_t{1},
                          std::max(tiles / least, std::int64_t{1}));
    };
    const std::int64_t of_x = stripes(x_, rows);
    const std::int64_t of_w = stripes(w_, cols);
    // A matrix no larger than a stripe stays in L2 as well.
    const auto read = [](const Tile& kept, std::int64_t count, const Tile& passed, bool stays) {
        return kept.bytes() + passed.bytes() * (stays ? 1 : count);
    };
    return read(x_, of_x, w_, of_w == 1) <= read(w_, of_w, x_, of_x == 1)
               ? Walk{rows, cols, true, ceil_div(rows, of_x)}
               : Walk{rows, cols, false, ceil_div(cols, of_w)};
}

std::int64_t Gemm::choose_pace() const {
    const std::int64_t stripe = walk_.width * (walk_.by_rows ? walk_.cols : walk_.rows);
    if (stripe >= walk_.rows * walk_.cols || hardware().ai_cores == 1) {
        return std::numeric_limits<std::int64_t>::max();
    }
    const GemmTiling& t = tiling_;
    const TileCost tile = tile_cost(hardware(), shape_.dtype, t, t.m, shape_.k, t.n);
    constexpr double kShare = 0.02; // of the time, at most
    return static_cast<std::int64_t>(std::ceil(
        static_cast<double>(hardware().sync.sync_all.count()) / (kShare * tile.slowest())));
}

Gemm::Walk::Place Gemm::Walk::at(std::int64_t number) const {
    const std::int64_t length = by_rows ? cols : rows;
    const std::int64_t stripe = number / (width * length);
    const std::int64_t first = stripe * width;
    const std::int64_t here = std::min(width, (by_rows ? rows : cols) - first);
    const std::int64_t within = number - first * length;
    const std::int64_t across = first + within % here;
    const std::int64_t along = within / here;
    return by_rows ? Place{across, along} : Place{along, across};
}

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

std::int64_t Gemm::rounds() const {
    return rounds_of(walk_.rows * walk_.cols, hardware().ai_cores);
}

isa::Program Gemm::program(isa::CoreId core) const {
    const Worker worker = ai_core_worker(hardware(), core);
    const std::int64_t own =
        cube_worker(hardware(), core)
            ? share_in_turn(walk_.rows * walk_.cols, worker.count, worker.index)
            : 0;
    const GemmTiling& t = tiling_;
    isa::Block pace;
    Stream s(hardware(), core);
    StreamedProduct product(s, hardware(), shape_.dtype, t);
    const bool input_spills = spills(x_.bytes());
    const Range all = limited({0, rounds()});
    for (std::int64_t round = all.begin; round < all.end; ++round) {
        if (round > all.begin && round % pace_ == 0) {
            pace.emplace_back(isa::SyncAll{});
            co_yield pace;
        }
        if (round >= own) {
            continue;
        }
        const Walk::Place tile = walk_.at(round * worker.count + worker.index);
        const std::int64_t row = tile.row * t.m;
        const std::int64_t col = tile.col * t.n;
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
