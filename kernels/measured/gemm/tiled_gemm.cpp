// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gemm/tiled_gemm.h"

#include <algorithm>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

/// The local memory of a core.
struct TiledGemm::Slabs {
    Slabs(Stream& s, const config::HardwareConfig& hardware, const TiledGemmPlan& p)
        : x(s.ring(Memory::L1, p.dtype, p.tile_m, p.x_slab, p.l1_buffers)),
          w(p.w_transposed ? s.ring(Memory::L1, p.dtype, p.tile_n, p.w_slab, p.l1_buffers)
                           : s.ring(Memory::L1, p.dtype, p.w_slab, p.tile_n, p.l1_buffers)),
          left(s.ring(Memory::L0a, p.dtype, p.tile_m, p.slice, 2)),
          right(s.ring(Memory::L0b, p.dtype, p.slice, p.tile_n, 2)),
          sum(s.ring(
              Memory::L0c, hardware.cube_format(p.dtype).accumulator, p.tile_m, p.tile_n, p.sums)) {
    }
    Ring x;
    Ring w;
    Ring left;
    Ring right;
    Ring sum;
};

namespace {

/// Rows of all W that lie as [k,n].
std::int64_t w_rows(const TiledGemmPlan& plan) {
    return plan.w_per_row ? plan.k * ceil_div(plan.m, plan.tile_m) : plan.k;
}

} // namespace

TiledGemm::TiledGemm(const config::HardwareConfig& hardware, TiledGemmPlan plan)
    : SteadyKernel(hardware), plan_(std::move(plan)),
      x_(add("x", Tensor::Role::Input, plan_.dtype, plan_.m, plan_.k)),
      w_(plan_.w_transposed ? add("w", Tensor::Role::Weight, plan_.dtype, plan_.n, plan_.k)
                            : add("w", Tensor::Role::Weight, plan_.dtype, w_rows(plan_), plan_.n)),
      y_(add("y", Tensor::Role::Output, plan_.result, plan_.m, plan_.n)) {}

std::int64_t TiledGemm::rounds() const {
    std::int64_t most = 0;
    for (const auto& tiles : plan_.tiles) {
        most = std::max(most, std::ssize(tiles));
    }
    return most;
}

TiledGemm::Area TiledGemm::area(const GridTile& at) const {
    Area area{at.row * plan_.tile_m, at.col * plan_.tile_n, 0, 0};
    area.m = std::min(plan_.tile_m, plan_.m - area.row);
    area.n = std::min(plan_.tile_n, plan_.n - area.col);
    if (at.part >= 0) { // parts begin at whole fractals
        constexpr std::int64_t kFractal = 16;
        const Range part = share((area.n + kFractal - 1) / kFractal, plan_.tail_parts, at.part);
        const std::int64_t end = std::min(area.n, part.end * kFractal);
        area.col += part.begin * kFractal;
        area.n = end - part.begin * kFractal;
    }
    return area;
}

Tile TiledGemm::x_block(const Area& area, std::int64_t k) const {
    return x_.block(area.row, k, area.m, std::min(plan_.x_slab, plan_.k - k));
}

Tile TiledGemm::w_block(const Area& area, std::int64_t k) const {
    const std::int64_t depth = std::min(plan_.w_slab, plan_.k - k);
    if (plan_.w_blocked) { // columns of the tile from top to bottom, one behind the other
        return isa::dense(Memory::Gm,
                          plan_.dtype,
                          w_.address + bytes_of(plan_.dtype, plan_.k * area.col + k * area.n),
                          depth,
                          area.n);
    }
    const std::int64_t first = plan_.w_per_row ? area.row / plan_.tile_m * plan_.k : 0;
    return plan_.w_transposed ? w_.block(area.col, k, area.n, depth)
                              : w_.block(first + k, area.col, depth, area.n);
}

isa::Program TiledGemm::program(isa::CoreId core) const {
    if (core.unit != 0 || core.ai_core >= std::ssize(plan_.tiles)) {
        co_return;
    }
    const TiledGemmPlan& p = plan_;
    const std::vector<GridTile>& mine = p.tiles[static_cast<std::size_t>(core.ai_core)];
    const bool cold = !p.in_l2;
    Stream s(hardware(), core);
    Slabs slabs(s, hardware(), p);
    isa::Block barrier;
    for (std::int64_t i = 0; i < limited(std::ssize(mine)); ++i) {
        const GridTile& at = mine[static_cast<std::size_t>(i)];
        const Area to = area(at);
        const Tile y = y_.block(to.row, to.col, to.m, to.n);
        const Tile sum = shaped(slabs.sum.next(), y.rows, y.cols);
        Tile x;
        Tile w;
        for (std::int64_t k = 0; k < p.k; k += p.slice) {
            if (k % p.x_slab == 0) {
                const Tile from = x_block(to, k);
                x = shaped(slabs.x.next(), from.rows, from.cols);
                s(isa::Copy{x, from, cold});
            }
            if (k % p.w_slab == 0) {
                const Tile from = w_block(to, k);
                w = shaped(slabs.w.next(), from.rows, from.cols);
                s(isa::Copy{w, from, cold});
            }
            const std::int64_t depth = std::min(p.slice, p.k - k);
            const Tile left = shaped(slabs.left.next(), y.rows, depth);
            const Tile right = shaped(slabs.right.next(), depth, y.cols);
            s(isa::Copy{left, x.block(0, k % p.x_slab, y.rows, depth)});
            s(isa::Copy{right,
                        p.w_transposed ? w.block(0, k % p.w_slab, y.cols, depth)
                                       : w.block(k % p.w_slab, 0, depth, y.cols),
                        false,
                        p.w_transposed});
            s(isa::Mmad{sum, left, right, k > 0});
            co_yield s.take();
        }
        s(isa::Fixpipe{y, sum});
        if (p.barrier_after_tile) {
            co_yield s.finish();
            barrier.emplace_back(isa::BarrierAll{});
            co_yield barrier;
        }
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
