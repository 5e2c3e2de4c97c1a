// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/quant_gemm.h"

#include "kernels/common/hand_over.h"
#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kFractal = 16;
constexpr std::int64_t kLargest = 512;
constexpr std::int64_t kLongestRun = 8;
constexpr std::array<std::int64_t, 9> kSlabs{16, 32, 64, 96, 128, 192, 256, 384, 512};

QuantGemmShape checked(QuantGemmShape shape) {
    if (shape.rows.empty()) {
        shape.rows = {shape.m};
    }
    check_grouped("quant-gemm", shape.rows, shape.k, shape.n);
    const auto sum = std::accumulate(shape.rows.begin(), shape.rows.end(), std::int64_t{0});
    if (sum != shape.m) {
        throw ConfigError(
            fmt::format("quant-gemm: m {} (allowed: {}, the sum of the rows)", shape.m, sum));
    }
    if (shape.weight != DType::Int8 && shape.weight != DType::Int4) {
        throw ConfigError(fmt::format("quant-gemm: weights in {} (allowed: int8, int4)",
                                      to_string(shape.weight)));
    }
    if (shape.dtype != DType::Fp16 && shape.dtype != DType::Bf16 && shape.dtype != DType::Fp32) {
        throw ConfigError(fmt::format("quant-gemm: activations in {} (allowed: fp16, bf16, fp32)",
                                      to_string(shape.dtype)));
    }
    const DType scale = shape.scale.value_or(shape.dtype);
    if (scale != DType::Fp32 && scale != shape.dtype) {
        throw ConfigError(fmt::format("quant-gemm: scales in {} (allowed: fp32, {})",
                                      to_string(scale),
                                      to_string(shape.dtype)));
    }
    if (shape.group <= 0 || shape.k % shape.group != 0) {
        throw ConfigError(fmt::format(
            "quant-gemm: group {} (allowed: divisors of k = {})", shape.group, shape.k));
    }
    return shape;
}

bool same_panel(const OutputTile& a, const OutputTile& b) {
    return a.expert == b.expert && a.col == b.col;
}

} // namespace

QuantGemm::QuantGemm(const config::HardwareConfig& hardware, QuantGemmShape shape)
    : Operator(hardware), shape_(checked(std::move(shape))),
      x_(add("x", Tensor::Role::Input, shape_.dtype, shape_.m, shape_.k)),
      w_(add(
          "w", Tensor::Role::Weight, shape_.weight, std::ssize(shape_.rows) * shape_.k, shape_.n)),
      scales_(add("scales",
                  Tensor::Role::Weight,
                  format().scale,
                  std::ssize(shape_.rows) * (shape_.k / shape_.group),
                  shape_.n)),
      y_(add("y", Tensor::Role::Output, shape_.result, shape_.m, shape_.n)), tiling_(choose()),
      scratch_(add("scratch",
                   Tensor::Role::Scratch,
                   shape_.dtype,
                   HandOver::scratch_rows(hardware, tiling_.slab),
                   tiling_.n)),
      tiles_(output_tiles(shape_.rows, shape_.n, tiling_.m, tiling_.n)) {}

QuantPiece QuantGemm::piece(const Tiling& t) const {
    // Groups that `span` slabs touch, wherever they start.
    const std::int64_t groups = ceil_div(t.span * t.slab - 1, shape_.group) + 1;
    return {t.slab, t.n, std::min(groups, shape_.k / shape_.group), t.run};
}

bool QuantGemm::complete(Tiling& t) const {
    const auto room = [&](Memory memory) { return hardware().buffer(memory).size_bytes; };
    if (!fits_l0(hardware(), shape_.dtype, t)) {
        return false;
    }
    const std::int64_t right = slots(t) * t.slab * bytes_of(shape_.dtype, t.n);
    const std::int64_t lefts =
        (room(Memory::L1) - right) / (2 * t.m * bytes_of(shape_.dtype, t.slab));
    if (right > room(Memory::L1) || lefts == 0) {
        return false;
    }
    t.left = std::min(lefts, slabs(t)) * t.slab;
    // Scales are small: as many at a time as an eighth of UB takes, but those of a slab at least.
    constexpr std::int64_t kScaleShare = 8;
    const auto scale_bytes = [&] {
        return piece(t).scale_rows * bytes_of(DType::Fp32, t.n) * kScaleShare;
    };
    std::int64_t runs = ceil_div(slabs(t), t.run);
    t.span = runs * t.run;
    while (runs > 1 && scale_bytes() > room(Memory::Ub)) {
        runs = ceil_div(runs, 2);
        t.span = runs * t.run;
    }
    return Dequantiser::ub_bytes(format(), piece(t)) <= room(Memory::Ub);
}

QuantGemm::Count QuantGemm::count(const Tiling& t) const {
    Count count;
    const std::int64_t cols = ceil_div(shape_.n, t.n);
    for (const std::int64_t rows : shape_.rows) {
        const std::int64_t parts = ceil_div(rows, t.m);
        count.tiles += parts * cols;
        count.panels += rows > 0 ? cols : 0;
        count.m = std::max(count.m, parts > 0 ? ceil_div(rows, parts) : 0);
    }
    return count;
}

double QuantGemm::estimate(const Tiling& t) const {
    const config::HardwareConfig& chip = hardware();
    const auto number = [](std::int64_t count) { return static_cast<double>(count); };
    const auto link = [&](Memory from, Memory to, double bytes, std::int64_t transfers) {
        return link_cycles(chip, from, to, bytes, transfers);
    };
    const auto [tiles, panels, m] = count(t);
    const std::int64_t rounds = ceil_div(tiles, chip.ai_cores);
    const std::int64_t visits = t.kept ? ceil_div(panels, chip.ai_cores) : rounds;
    const TileCost tile = tile_cost(chip, shape_.dtype, t, m, shape_.k, t.n);

    // Of one panel, on all lanes together.
    const double stored = number(shape_.k) * number(t.n) * number(bits_of(shape_.weight)) / 8;
    const double dequantised = number(shape_.k) * number(bytes_of(shape_.dtype, t.n));
    const double miss = number(chip.gm.miss_latency.count());
    const double lanes = split() ? number(chip.vector_cores) : 1;
    const std::int64_t loads = ceil_div(slabs(t), t.run);
    const double load =
        (link(Memory::Gm, Memory::Ub, stored, loads) + miss * number(loads)) / lanes +
        link(Memory::Gm,
             Memory::Ub,
             number(shape_.k / shape_.group * bytes_of(format().scale, t.n)),
             ceil_div(slabs(t), t.span));
    const double vector =
        Dequantiser::cycles(chip, format(), piece(t)) * number(shape_.k) / number(t.slab) / lanes;
    const double x = link(Memory::Gm,
                          Memory::L1,
                          number(m * bytes_of(shape_.dtype, shape_.k)),
                          ceil_div(shape_.k, t.left));
    double mte2 = number(rounds) * x + number(visits) * load;
    double mte3 = 0;
    double l2 = 0;
    double chain = load + vector;
    if (split()) {
        const double take = link(Memory::Gm, Memory::L1, dequantised, slabs(t));
        mte3 = link(Memory::Ub, Memory::Gm, dequantised, slabs(t)) / lanes;
        mte2 = std::max(number(rounds) * x + number(visits) * take, number(visits) * load);
        const double all = number(t.kept ? panels : tiles) * dequantised;
        l2 = std::max(all / chip.gm.l2_write_bytes_per_cycle,
                      (all + number(panels) * stored) / chip.gm.l2_read_bytes_per_cycle);
        chain += take;
    } else {
        mte3 = link(Memory::Ub, Memory::L1, dequantised, slabs(t));
    }
    chain += mte3;
    const double hbm = number(panels) * stored / chip.gm.hbm_bytes_per_cycle;
    const double cube = number(rounds) * std::max({tile.cube, tile.mte1, tile.out});
    const double units = number(visits) * std::max(vector, mte3);
    // The first slab and the last tile's result have nothing to hide behind. Pipes wait for each
    // other now and then, so the less the others have to do the better (the share is a choice).
    constexpr double kHindrance = 0.05;
    return std::max({cube, mte2, units, l2, hbm}) + kHindrance * (cube + mte2 + units) + tile.out +
           chain / number(slabs(t));
}

void QuantGemm::try_tiling(Tiling tiling, Tiling& best, double& fastest) const {
    // Two vector cores that take turns in single slabs are the better use of UB than long loads.
    const std::int64_t longest = split() ? 1 : kLongestRun;
    for (tiling.slice = kFractal; tiling.slice <= tiling.slab; tiling.slice *= 2) {
        for (tiling.run = 1; tiling.run <= longest; tiling.run *= 2) {
            for (const bool kept : {false, true}) {
                tiling.kept = kept;
                if (!complete(tiling)) {
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

QuantGemm::Tiling QuantGemm::choose() const {
    std::set<std::int64_t> widths; // powers of two, and those that give every core as much
    for (std::int64_t n = kFractal; n <= kLargest; n *= 2) {
        widths.insert(n);
        const std::int64_t even = ceil_div(shape_.n, hardware().ai_cores * n / kFractal);
        widths.insert(std::min(ceil_div(even, kFractal) * kFractal, kLargest));
    }
    Tiling best;
    double fastest = std::numeric_limits<double>::infinity();
    for (const std::int64_t n : widths) {
        for (std::int64_t m = kFractal; m <= kLargest; m *= 2) {
            for (const std::int64_t slab : kSlabs) {
                try_tiling({{m, n, slab, 0}}, best, fastest);
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

std::vector<double> QuantGemm::packed(const std::vector<double>& w) const {
    std::vector<double> out;
    out.reserve(w.size());
    for (std::int64_t first = 0; first < w_.rows; first += shape_.k) {
        for (std::int64_t col = 0; col < shape_.n; col += tiling_.n) {
            const std::int64_t n = std::min(tiling_.n, shape_.n - col);
            for (std::int64_t row = first; row < first + shape_.k; ++row) {
                const auto begin = w.begin() + row * shape_.n + col;
                out.insert(out.end(), begin, begin + n);
            }
        }
    }
    return out;
}

Tile QuantGemm::weights(const OutputTile& tile, std::int64_t row, std::int64_t rows) const {
    const std::int64_t before = (tile.expert * shape_.n + tile.col) * shape_.k + row * tile.n;
    return isa::dense(
        Memory::Gm, shape_.weight, w_.address + bytes_of(shape_.weight, before), rows, tile.n);
}

/// The slabs of W that the tiles of a core need, in that order: dequantised ahead of their use, in
/// L1 until then.
class QuantGemm::Panels {
  public:
    /// `tiles`: those of the core.
    Panels(const QuantGemm& op,
           Stream& s,
           const isa::CoreId core,
           const OutputTile* tiles,
           std::int64_t count)
        : op_(op), t_(op.tiling_), s_(s), hand_over_(s, op.hardware(), core, op.scratch_),
          dequantiser_(s, hand_over_, op.hardware(), op.format(), op.piece(t_)),
          slabs_(op.slabs(t_)), runs_(ceil_div(slabs_, t_.run)),
          loaded_(static_cast<std::size_t>(s.lanes()), -1) {
        for (std::int64_t i = 0; i < op.slots(t_); ++i) {
            slots_.push_back(s.tile(Memory::L1, op.shape_.dtype, t_.slab, t_.n));
        }
        for (std::int64_t i = 0; i < count; ++i) {
            if (i == 0 || !t_.kept || !same_panel(tiles[i - 1], tiles[i])) {
                first_.push_back(tiles + i);
            }
            panel_of_.push_back(std::ssize(first_) - 1);
        }
    }

    /// Slab `slab` of what tile `tile` of the core needs, in L1.
    Tile get(std::int64_t tile, std::int64_t slab) {
        const std::int64_t panel = panel_of_[static_cast<std::size_t>(tile)];
        const bool again = tile + 1 < std::ssize(panel_of_) &&
                           panel_of_[static_cast<std::size_t>(tile + 1)] == panel;
        const std::int64_t wanted = panel * slabs_ + slab;
        const std::int64_t oldest = again ? panel * slabs_ : wanted;
        const std::int64_t end = std::min(
            {std::ssize(first_) * slabs_, oldest + std::ssize(slots_), wanted + 1 + kAhead});
        while (made_ < end) {
            make(made_++);
        }
        return slot(wanted);
    }

  private:
    [[nodiscard]] const OutputTile& tile_of(std::int64_t number) const {
        return *first_[static_cast<std::size_t>(number / slabs_)];
    }
    [[nodiscard]] std::int64_t depth(std::int64_t number) const {
        return std::min(t_.slab, op_.shape_.k - number % slabs_ * t_.slab);
    }
    [[nodiscard]] Tile slot(std::int64_t number) const {
        return shaped(slots_[static_cast<std::size_t>(number % std::ssize(slots_))],
                      depth(number),
                      tile_of(number).n);
    }

    /// Slabs are loaded in runs; runs are dealt to the lanes in turn.
    [[nodiscard]] std::int64_t lane_of(std::int64_t run) const { return run % s_.lanes(); }

    void make(std::int64_t number) {
        const std::int64_t panel = number / slabs_;
        const std::int64_t slab = number % slabs_;
        const std::int64_t run = panel * runs_ + slab / t_.run;
        // The next run of every lane is under way while this one is worked on.
        while (fetched_ < std::min(std::ssize(first_) * runs_, run + 1 + s_.lanes())) {
            fetch(fetched_++);
        }
        dequantiser_.lane(lane_of(run));
        dequantiser_(slot(number), run, slab * t_.slab);
    }

    void fetch(std::int64_t run) {
        const std::int64_t panel = run / runs_;
        const std::int64_t slab = run % runs_ * t_.run;
        const OutputTile& tile = *first_[static_cast<std::size_t>(panel)];
        dequantiser_.lane(lane_of(run));
        const std::int64_t chunk = panel * slabs_ + slab / t_.span;
        std::int64_t& loaded = loaded_[static_cast<std::size_t>(lane_of(run))];
        if (std::exchange(loaded, chunk) != chunk) {
            load_scales(tile, slab / t_.span * t_.span);
        }
        const std::int64_t row = slab * t_.slab;
        const std::int64_t rows = std::min(t_.run * t_.slab, op_.shape_.k - row);
        dequantiser_.load(run, op_.weights(tile, row, rows), row, op_.shared_cold(tile.first));
    }

    void load_scales(const OutputTile& tile, std::int64_t slab) {
        const QuantGemmShape& shape = op_.shape_;
        const std::int64_t first = slab * t_.slab / shape.group;
        const std::int64_t end =
            ceil_div(std::min((slab + t_.span) * t_.slab, shape.k), shape.group);
        const std::int64_t row = tile.expert * (shape.k / shape.group) + first;
        dequantiser_.load_scales(
            op_.scales_.block(row, tile.col, end - first, tile.n), first, tile.first);
    }

    const QuantGemm& op_;
    const Tiling& t_;
    Stream& s_;
    HandOver hand_over_;
    Dequantiser dequantiser_;
    std::int64_t slabs_; ///< of a panel
    std::int64_t runs_;  ///< of a panel
    std::vector<Tile> slots_;
    std::vector<const OutputTile*> first_; ///< by panel: the first tile that needs it
    std::vector<std::int64_t> panel_of_;   ///< by tile
    std::vector<std::int64_t> loaded_;     ///< by lane: the scales it has
    std::int64_t made_ = 0;
    std::int64_t fetched_ = 0; ///< runs
};

/// The blocks of X that the tiles of a core need, in that order, in L1: two in turn, each loaded
/// when the one before it is taken up.
class QuantGemm::Lefts {
  public:
    Lefts(const QuantGemm& op, Stream& s, const OutputTile* tiles, std::int64_t count)
        : op_(op), s_(s), tiles_(tiles), blocks_(ceil_div(op.shape_.k, op.tiling_.left)),
          count_(count * blocks_),
          ring_(s.ring(Memory::L1, op.shape_.dtype, op.tiling_.m, op.tiling_.left, 2)) {}

    /// The block that starts at k = `from` for tile `tile` of the core.
    Tile get(std::int64_t tile, std::int64_t from) {
        const std::int64_t wanted = tile * blocks_ + from / op_.tiling_.left;
        while (made_ < std::min(count_, wanted + 2)) {
            load(made_++);
        }
        return loaded_[static_cast<std::size_t>(wanted % 2)];
    }

  private:
    void load(std::int64_t number) {
        const OutputTile& tile = tiles_[number / blocks_];
        const std::int64_t from = number % blocks_ * op_.tiling_.left;
        const std::int64_t depth = std::min(op_.tiling_.left, op_.shape_.k - from);
        Tile& to = loaded_[static_cast<std::size_t>(number % 2)];
        to = shaped(ring_.next(), tile.m, depth);
        s_(isa::Copy{to, op_.x_.block(tile.row, from, tile.m, depth), op_.spills(op_.x_.bytes())});
    }

    const QuantGemm& op_;
    Stream& s_;
    const OutputTile* tiles_;
    std::int64_t blocks_; ///< of a tile
    std::int64_t count_;
    Ring ring_;
    std::array<Tile, 2> loaded_;
    std::int64_t made_ = 0;
};

isa::Program QuantGemm::program(isa::CoreId core) const {
    const Tiling& t = tiling_;
    const Range mine = limited(ai_core_worker(hardware(), core).of(std::ssize(tiles_)));
    const OutputTile* tiles = tiles_.data() + mine.begin;
    Stream s(hardware(), core);
    Panels panels(*this, s, core, tiles, mine.size());
    Lefts lefts(*this, s, tiles, mine.size());
    TileProduct product(s, hardware(), shape_.dtype, t);
    for (std::int64_t i = 0; i < mine.size(); ++i) {
        const OutputTile& tile = tiles[i];
        const Tile sum = product.next_sum(tile.m, tile.n);
        for (std::int64_t k = 0; k < shape_.k; k += t.slab) {
            const Tile left = lefts.get(i, k);
            const Tile right = panels.get(i, k / t.slab);
            product.add(sum, left.block(0, k % t.left, tile.m, right.rows), right, k > 0);
            co_yield s.take();
        }
        s(isa::Fixpipe{y_.block(tile.row, tile.col, tile.m, tile.n), sum, spills(y_.bytes())});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
