// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"

#include "kernels/common/stream.h"
#include "sim/base/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace npusim::kernels {

using isa::Tile;

Gemm::Gemm(const config::HardwareConfig& hardware, const GemmShape& shape)
    : Operator(hardware), shape_(shape),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.m, shape.k)),
      w_(add("w", Tensor::Role::Weight, shape.dtype, shape.k, shape.n)),
      y_(add("y", Tensor::Role::Output, shape.result, shape.m, shape.n)), tiling_(choose()) {}

bool Gemm::fits(const Tiling& t) const {
    const auto bytes = [&](std::int64_t rows, std::int64_t cols) {
        return rows * bytes_of(shape_.dtype, cols);
    };
    const auto room = [&](Memory memory) { return hardware().buffer(memory).size_bytes; };
    constexpr std::int64_t kAccumulator = 4;
    return 2 * (bytes(t.m, t.slab) + bytes(t.slab, t.n)) <= room(Memory::L1) &&
           2 * bytes(t.m, t.slice) <= room(Memory::L0a) &&
           2 * bytes(t.slice, t.n) <= room(Memory::L0b) &&
           t.m * t.n * kAccumulator <= room(Memory::L0c);
}

double Gemm::estimate(const Tiling& t) const {
    const config::HardwareConfig& chip = hardware();
    const config::CubeFormat& format = chip.cube_format(shape_.dtype);
    const auto link = [&](Memory from, Memory to, std::int64_t bytes, std::int64_t transfers) {
        const config::LinkConfig* path = chip.link(from, to);
        return static_cast<double>(bytes) / path->bytes_per_cycle +
               static_cast<double>(transfers * path->startup.count());
    };
    const std::int64_t tiles = ceil_div(shape_.m, t.m) * ceil_div(shape_.n, t.n);
    const auto rounds = static_cast<double>(ceil_div(tiles, chip.ai_cores));
    const std::int64_t m = std::min(t.m, shape_.m);
    const std::int64_t n = std::min(t.n, shape_.n);
    const std::int64_t slices = ceil_div(shape_.k, t.slice);
    const std::int64_t slabs = ceil_div(shape_.k, t.slab);
    const std::int64_t element = bits_of(shape_.dtype);
    const std::int64_t left = m * shape_.k * element / 8;
    const std::int64_t right =
        shape_.k * ceil_div(n * element / 8, chip.gm.line_bytes) * chip.gm.line_bytes;
    const double cube =
        static_cast<double>(slices * chip.cube.startup.count() +
                            ceil_div(m, format.m) * ceil_div(n, format.n) *
                                ceil_div(shape_.k, format.k) * format.cycles_per_block);
    const double mte2 = link(Memory::Gm, Memory::L1, left + right, 2 * slabs);
    const double hbm =
        static_cast<double>(right) * static_cast<double>(std::min(chip.ai_cores, tiles)) /
        (shape_.m > t.m ? chip.gm.l2_read_bytes_per_cycle : chip.gm.hbm_bytes_per_cycle);
    const double mte1 = link(Memory::L1, Memory::L0a, left, slices) +
                        link(Memory::L1, Memory::L0b, shape_.k * n * element / 8, slices);
    const double out = link(Memory::L0c, Memory::Gm, 4 * m * n, 1);
    // The last tile's result has nothing to hide behind, and nor has the first slab.
    return rounds * std::max({cube, mte2, mte1, out, hbm}) + out +
           mte2 / static_cast<double>(slabs);
}

Gemm::Tiling Gemm::choose() const {
    constexpr std::int64_t kSmallest = 16;
    constexpr std::int64_t kLargest = 512;
    Tiling best;
    double fastest = std::numeric_limits<double>::infinity();
    for (std::int64_t m = kSmallest; m <= kLargest; m *= 2) {
        for (std::int64_t n = kSmallest; n <= kLargest; n *= 2) {
            for (std::int64_t slice = kSmallest; slice <= kLargest; slice *= 2) {
                for (const std::int64_t slices : {1, 2, 4, 8}) {
                    const Tiling tiling{m, n, slice * slices, slice};
                    if (!fits(tiling)) {
                        continue;
                    }
                    if (const double cycles = estimate(tiling); cycles < fastest) {
                        fastest = cycles;
                        best = tiling;
                    }
                }
            }
        }
    }
    if (best.m == 0) {
        throw ConfigError(fmt::format("{}: buffers too small for a tile of 16x16 {}",
                                      hardware().at("buffers"),
                                      to_string(shape_.dtype)));
    }
    return best;
}

isa::Program Gemm::program(isa::CoreId core) const {
    const auto worker = cube_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    const Tiling& t = tiling_;
    Stream s(hardware(), core);
    Ring left_slabs = s.ring(Memory::L1, shape_.dtype, t.m, t.slab, 2);
    Ring right_slabs = s.ring(Memory::L1, shape_.dtype, t.slab, t.n, 2);
    Ring lefts = s.ring(Memory::L0a, shape_.dtype, t.m, t.slice, 2);
    Ring rights = s.ring(Memory::L0b, shape_.dtype, t.slice, t.n, 2);
    const DType accumulator = hardware().cube_format(shape_.dtype).accumulator;
    const bool two = 2 * t.m * bytes_of(accumulator, t.n) <= s.room(Memory::L0c);
    Ring sums = s.ring(Memory::L0c, accumulator, t.m, t.n, two ? 2 : 1);

    const std::int64_t rows = ceil_div(shape_.m, t.m);
    const std::int64_t cols = ceil_div(shape_.n, t.n);
    const bool weights_spill = spills(w_.bytes());
    const bool input_spills = spills(x_.bytes());
    const Range mine = worker->of(rows * cols);
    for (std::int64_t tile = mine.begin; tile < mine.end; ++tile) {
        const std::int64_t row = tile % rows * t.m;
        const std::int64_t col = tile / rows * t.n;
        const std::int64_t m = std::min(t.m, shape_.m - row);
        const std::int64_t n = std::min(t.n, shape_.n - col);
        const Tile sum = shaped(sums.next(), m, n);
        for (std::int64_t slab = 0; slab < shape_.k; slab += t.slab) {
            const std::int64_t depth = std::min(t.slab, shape_.k - slab);
            const Tile left_slab = shaped(left_slabs.next(), m, depth);
            const Tile right_slab = shaped(right_slabs.next(), depth, n);
            s(isa::Copy{left_slab, x_.block(row, slab, m, depth), input_spills});
            s(isa::Copy{right_slab, w_.block(slab, col, depth, n), row == 0 || weights_spill});
            for (std::int64_t slice = 0; slice < depth; slice += t.slice) {
                const std::int64_t k = std::min(t.slice, depth - slice);
                const Tile left = shaped(lefts.next(), m, k);
                const Tile right = shaped(rights.next(), k, n);
                s(isa::Copy{left, left_slab.block(0, slice, m, k)});
                s(isa::Copy{right, right_slab.block(slice, 0, k, n)});
                s(isa::Mmad{sum, left, right, slab + slice > 0});
            }
            co_yield s.take();
        }
        s(isa::Fixpipe{y_.block(row, col, m, n), sum, spills(y_.bytes())});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
