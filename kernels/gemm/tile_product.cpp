// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/tile_product.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kSmallest = 16;
constexpr std::int64_t kLargest = 512;

bool fits_l1(const config::HardwareConfig& hardware, DType dtype, const GemmTiling& t) {
    return 2 * (t.m * bytes_of(dtype, t.slab) + t.slab * bytes_of(dtype, t.n)) <=
           hardware.buffer(Memory::L1).size_bytes;
}

} // namespace

double link_cycles(const config::HardwareConfig& hardware,
                   Memory from,
                   Memory to,
                   double bytes,
                   std::int64_t transfers) {
    const config::LinkConfig* path = hardware.link(from, to);
    return bytes / path->bytes_per_cycle + static_cast<double>(transfers * path->startup.count());
}

TileCost tile_cost(const config::HardwareConfig& hardware,
                   DType dtype,
                   const GemmTiling& t,
                   std::int64_t m,
                   std::int64_t k,
                   std::int64_t n) {
    const config::CubeFormat& format = hardware.cube_format(dtype);
    const auto link = [&](Memory from, Memory to, std::int64_t bytes, std::int64_t transfers) {
        return link_cycles(hardware, from, to, static_cast<double>(bytes), transfers);
    };
    const std::int64_t slices = ceil_div(k, t.slice);
    const std::int64_t slabs = ceil_div(k, t.slab);
    const std::int64_t element = bits_of(dtype);
    const std::int64_t line = hardware.gm.line_bytes;
    const std::int64_t left = m * k * element / 8;
    const std::int64_t right = k * ceil_div(n * element / 8, line) * line;
    TileCost cost;
    cost.cube = static_cast<double>(slices * hardware.cube.startup.count() +
                                    ceil_div(m, format.m) * ceil_div(n, format.n) *
                                        ceil_div(k, format.k) * format.cycles_per_block);
    cost.mte2 = link(Memory::Gm, Memory::L1, left + right, 2 * slabs);
    cost.mte1 = link(Memory::L1, Memory::L0a, left, slices) +
                link(Memory::L1, Memory::L0b, k * n * element / 8, slices);
    cost.out = link(Memory::L0c, Memory::Gm, bytes_of(format.accumulator, m * n), 1);
    cost.weight_bytes = static_cast<double>(right);
    cost.slabs = slabs;
    return cost;
}

bool fits_l0(const config::HardwareConfig& hardware, DType dtype, const GemmTiling& t) {
    const auto room = [&](Memory memory) { return hardware.buffer(memory).size_bytes; };
    return 2 * t.m * bytes_of(dtype, t.slice) <= room(Memory::L0a) &&
           2 * t.slice * bytes_of(dtype, t.n) <= room(Memory::L0b) &&
           t.m * bytes_of(hardware.cube_format(dtype).accumulator, t.n) <= room(Memory::L0c);
}

GemmTiling fastest_tiling(const config::HardwareConfig& hardware,
                          DType dtype,
                          const std::function<double(const GemmTiling&)>& estimate) {
    GemmTiling best;
    double fastest = std::numeric_limits<double>::infinity();
    for (std::int64_t m = kSmallest; m <= kLargest; m *= 2) {
        for (std::int64_t n = kSmallest; n <= kLargest; n *= 2) {
            for (std::int64_t slice = kSmallest; slice <= kLargest; slice *= 2) {
                for (const std::int64_t slices : {1, 2, 4, 8}) {
                    const GemmTiling tiling{m, n, slice * slices, slice};
                    if (!fits_l0(hardware, dtype, tiling) || !fits_l1(hardware, dtype, tiling)) {
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
                                      hardware.at("buffers"),
                                      to_string(dtype)));
    }
    return best;
}

std::vector<OutputTile> output_tiles(const std::vector<std::int64_t>& rows,
                                     std::int64_t n,
                                     std::int64_t tile_m,
                                     std::int64_t tile_n) {
    std::vector<OutputTile> tiles;
    std::int64_t first_row = 0;
    for (std::int64_t expert = 0; expert < std::ssize(rows); ++expert) {
        const std::int64_t count = rows[static_cast<std::size_t>(expert)];
        const std::int64_t parts = ceil_div(count, tile_m);
        for (std::int64_t col = 0; col < n; col += tile_n) {
            for (std::int64_t part = 0; part < parts; ++part) {
                const Range range = share(count, parts, part);
                tiles.push_back({expert,
                                 first_row + range.begin,
                                 range.size(),
                                 col,
                                 std::min(tile_n, n - col),
                                 part == 0});
            }
        }
        first_row += count;
    }
    return tiles;
}

void check_grouped(std::string_view name,
                   const std::vector<std::int64_t>& rows,
                   std::int64_t k,
                   std::int64_t n) {
    constexpr std::int64_t kColumns = 16; // of a fractal
    if (std::ranges::all_of(rows, [](std::int64_t count) { return count == 0; }) ||
        std::ranges::any_of(rows, [](std::int64_t count) { return count < 0; })) {
        throw ConfigError(fmt::format("{}: rows (allowed: 0 or more each, not all 0)", name));
    }
    if (k <= 0 || n <= 0 || n % kColumns != 0) {
        throw ConfigError(fmt::format(
            "{}: k {}, n {} (allowed: k from 1, n multiples of {})", name, k, n, kColumns));
    }
}

TileProduct::TileProduct(Stream& stream,
                         const config::HardwareConfig& hardware,
                         DType dtype,
                         const GemmTiling& t)
    : s_(stream), slice_(t.slice), lefts_(s_.ring(Memory::L0a, dtype, t.m, t.slice, 2)),
      rights_(s_.ring(Memory::L0b, dtype, t.slice, t.n, 2)), sums_([&] {
          const DType accumulator = hardware.cube_format(dtype).accumulator;
          const bool two = 2 * t.m * bytes_of(accumulator, t.n) <= s_.room(Memory::L0c);
          return s_.ring(Memory::L0c, accumulator, t.m, t.n, two ? 2 : 1);
      }()) {}

void TileProduct::add(const Tile& sum, const Tile& left, const Tile& right, bool accumulate) {
    const std::int64_t depth = left.cols;
    for (std::int64_t slice = 0; slice < depth; slice += slice_) {
        const std::int64_t k = std::min(slice_, depth - slice);
        const Tile a = shaped(lefts_.next(), left.rows, k);
        const Tile b = shaped(rights_.next(), k, right.cols);
        s_(isa::Copy{a, left.block(0, slice, left.rows, k)});
        s_(isa::Copy{b, right.block(slice, 0, k, right.cols)});
        s_(isa::Mmad{sum, a, b, accumulate || slice > 0});
    }
}

StreamedProduct::StreamedProduct(Stream& stream,
                                 const config::HardwareConfig& hardware,
                                 DType dtype,
                                 const GemmTiling& t)
    : s_(stream), lefts_(s_.ring(Memory::L1, dtype, t.m, t.slab, 2)),
      rights_(s_.ring(Memory::L1, dtype, t.slab, t.n, 2)), product_(s_, hardware, dtype, t) {}

void StreamedProduct::add(const Tile& sum, const Panel& x, const Panel& w, bool accumulate) {
    const Tile left = shaped(lefts_.next(), x.tile.rows, x.tile.cols);
    const Tile right = shaped(rights_.next(), w.tile.rows, w.tile.cols);
    s_(isa::Copy{left, x.tile, x.cold});
    s_(isa::Copy{right, w.tile, w.cold});
    product_.add(sum, left, right, accumulate);
}

} // namespace npusim::kernels
