// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/grouped_gemm.h"

#include "kernels/common/stream.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

namespace {

std::int64_t total(const std::vector<std::int64_t>& rows) {
    return std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
}

GroupedGemmShape checked(GroupedGemmShape shape) {
    check_grouped("grouped-gemm", shape.rows, shape.k, shape.n);
    return shape;
}

} // namespace

GroupedGemm::GroupedGemm(const config::HardwareConfig& hardware, GroupedGemmShape shape)
    : Operator(hardware), shape_(checked(std::move(shape))),
      x_(add("x", Tensor::Role::Input, shape_.dtype, total(shape_.rows), shape_.k)),
      w_(add(
          "w", Tensor::Role::Weight, shape_.dtype, std::ssize(shape_.rows) * shape_.k, shape_.n)),
      y_(add("y", Tensor::Role::Output, shape_.result, x_.rows, shape_.n)),
      tiling_(fastest_tiling(
          hardware, shape_.dtype, [this](const GemmTiling& tiling) { return estimate(tiling); })) {
    deal();
}

double GroupedGemm::estimate(const GemmTiling& t) const {
    std::map<std::int64_t, std::int64_t> experts; // by rows
    for (const std::int64_t rows : shape_.rows) {
        ++experts[rows];
    }
    experts.erase(0);
    const std::int64_t cols = ceil_div(shape_.n, t.n);
    const auto cores = static_cast<double>(hardware().ai_cores);
    std::int64_t tiles = 0;
    double cycles = 0;
    double bytes = 0;
    TileCost last;
    for (const auto& [rows, count] : experts) {
        const std::int64_t parts = ceil_div(rows, t.m);
        last = cost(t, ceil_div(rows, parts), std::min(t.n, shape_.n));
        tiles += parts * cols * count;
        cycles += last.slowest() * static_cast<double>(parts * cols * count);
        bytes += last.weight_bytes * static_cast<double>(cols * count);
    }
    const double rounds = static_cast<double>(ceil_div(tiles, hardware().ai_cores)) * cores /
                          static_cast<double>(tiles);
    return std::max(rounds * cycles / cores, bytes / hardware().gm.hbm_bytes_per_cycle) + last.out +
           last.mte2 / static_cast<double>(last.slabs);
}

void GroupedGemm::deal() {
    const std::vector<OutputTile> all = output_tiles(shape_.rows, shape_.n, tiling_.m, tiling_.n);
    std::map<std::pair<std::int64_t, std::int64_t>, double> known;
    std::vector<std::pair<double, std::size_t>> queue; // longest first, else in order
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto [found, fresh] = known.try_emplace({all[i].m, all[i].n});
        if (fresh) {
            found->second = cost(tiling_, all[i].m, all[i].n).slowest();
        }
        queue.emplace_back(-found->second, i);
    }
    std::ranges::sort(queue);
    using Load = std::pair<double, std::size_t>;
    std::priority_queue<Load, std::vector<Load>, std::greater<>> cores; // least to do first
    std::vector<std::vector<std::size_t>> dealt(static_cast<std::size_t>(hardware().ai_cores));
    for (std::size_t core = 0; core < dealt.size(); ++core) {
        cores.emplace(0, core);
    }
    for (const auto& [cycles, item] : queue) {
        const auto [load, core] = cores.top();
        cores.pop();
        dealt[core].push_back(item);
        cores.emplace(load - cycles, core);
    }
    for (std::vector<std::size_t>& numbers : dealt) {
        std::ranges::sort(numbers);
        std::vector<OutputTile>& mine = tiles_of_.emplace_back();
        for (const std::size_t number : numbers) {
            mine.push_back(all[number]);
        }
    }
}

isa::Program GroupedGemm::program(isa::CoreId core) const {
    if (!cube_worker(hardware(), core)) {
        co_return;
    }
    Stream s(hardware(), core);
    StreamedProduct product(s, hardware(), shape_.dtype, tiling_);
    const bool input_spills = spills(x_.bytes());
    for (const OutputTile& item : tiles_of_[static_cast<std::size_t>(core.ai_core)]) {
        const Tile sum = product.next_sum(item.m, item.n);
        for (std::int64_t slab = 0; slab < shape_.k; slab += tiling_.slab) {
            const std::int64_t depth = std::min(tiling_.slab, shape_.k - slab);
            const std::int64_t weight_row = item.expert * shape_.k + slab;
            product.add(sum,
                        {x_.block(item.row, slab, item.m, depth), input_spills},
                        {w_.block(weight_row, item.col, depth, item.n), shared_cold(item.first)},
                        slab > 0);
            co_yield s.take();
        }
        s(isa::Fixpipe{y_.block(item.row, item.col, item.m, item.n), sum, spills(y_.bytes())});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
