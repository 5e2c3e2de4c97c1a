// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/causal_conv.h"

#include "kernels/rowwise/vector_math.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <utility>

namespace npusim::kernels {

using isa::Tile;
using rowwise::kSlots;

namespace {

/// Sums of all elements before each one, and of all.
std::vector<std::int64_t> sums_before(const std::vector<std::int64_t>& counts) {
    std::vector<std::int64_t> sums(counts.size() + 1, 0);
    std::partial_sum(counts.begin(), counts.end(), sums.begin() + 1);
    return sums;
}

/// first, 2 first, 4 first.. below `last`, and `last`.
std::vector<std::int64_t> doubled(std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> sizes;
    for (; first < last; first *= 2) {
        sizes.push_back(first);
    }
    sizes.push_back(last);
    return sizes;
}

} // namespace

/// In UB. y takes the place of x.
struct CausalConv::Tiles {
    Tiles(Stream& s, const config::HardwareConfig& hardware, const CausalConvShape& shape, Tiling t)
        : xs(s.ring(Memory::Ub, shape.dtype, t.tokens + shape.taps - 1, t.channels, kSlots)),
          sum(s.tile(Memory::Ub, DType::Fp32, t.tokens, t.channels)),
          product(s.tile(
              Memory::Ub, DType::Fp32, 1, std::max(t.tokens * slice_floats(hardware), t.channels))),
          newest(s.tile(Memory::Ub, shape.dtype, shape.taps - 1, t.channels)),
          weights(s.tile(Memory::Ub, DType::Fp32, shape.taps, t.channels)) {
        if (shape.dtype != DType::Fp32) {
            wide = s.tile(Memory::Ub, DType::Fp32, t.tokens + shape.taps - 1, t.channels);
            stored_weights = s.tile(Memory::Ub, shape.dtype, shape.taps, t.channels);
        }
    }
    Ring xs; ///< with the tokens before
    Tile sum;
    Tile product; ///< in the shape of what an op takes of `sum`
    Tile newest;  ///< on the way from x to the state
    Tile weights;
    Tile wide;
    Tile stored_weights;
};

CausalConv::CausalConv(const config::HardwareConfig& hardware, CausalConvShape shape)
    : Operator(hardware), shape_(std::move(shape)), first_token_(sums_before(shape_.lengths)) {
    if (history() < 1) {
        throw ConfigError(
            fmt::format("{} taps of a convolution (allowed: 2 or more)", shape_.taps));
    }
    rowwise::require_multiple("channels of a convolution", shape_.channels);
    const std::int64_t tokens = first_token_.back();
    const std::int64_t rows = std::ssize(shape_.lengths) * history();
    x_ = add("x", Tensor::Role::Input, shape_.dtype, tokens, shape_.channels);
    weight_ = add("weight", Tensor::Role::Weight, shape_.dtype, shape_.taps, shape_.channels);
    state_ = add("state", Tensor::Role::State, shape_.dtype, rows, shape_.channels);
    y_ = add("y", Tensor::Role::Output, shape_.dtype, tokens, shape_.channels);
    tiling_ = choose();
    std::vector<std::int64_t> tiles;
    for (const std::int64_t length : shape_.lengths) {
        tiles.push_back(ceil_div(length, tiling_.tokens));
    }
    first_tile_ = sums_before(tiles);
}

std::int64_t CausalConv::token_tiles(std::int64_t tokens) const {
    return std::accumulate(
        shape_.lengths.begin(),
        shape_.lengths.end(),
        std::int64_t{0},
        [&](std::int64_t sum, std::int64_t length) { return sum + ceil_div(length, tokens); });
}

bool CausalConv::fits(const Tiling& t) const {
    const std::int64_t rows = t.tokens + history();
    const std::int64_t slice = slice_floats(hardware());
    const std::int64_t converted = shape_.dtype == DType::Fp32 ? 0 : 1;
    rowwise::UbPlan ub(hardware());
    ub.add(shape_.dtype, rows, t.channels, kSlots)
        .add(DType::Fp32, t.tokens, t.channels)
        .add(DType::Fp32, 1, std::max(t.tokens * slice, t.channels))
        .add(shape_.dtype, history(), t.channels)
        .add(DType::Fp32, shape_.taps, t.channels)
        .add(DType::Fp32, rows, t.channels, converted)
        .add(shape_.dtype, shape_.taps, t.channels, converted);
    return ub.fits();
}

double CausalConv::estimate(const Tiling& t) const {
    const config::HardwareConfig& chip = hardware();
    const auto op = [&](const char* name, std::int64_t repeats) {
        return chip.vector.ops.at(name).cycles(repeats);
    };
    const std::int64_t slices = ceil_div(t.channels, slice_floats(chip));
    const std::int64_t all = t.tokens * slices;
    const std::int64_t ops = std::min(t.tokens, slices); // for a step of all of the tile
    const double vector = static_cast<double>(ops * shape_.taps) * op("vmul", all / ops) +
                          static_cast<double>(ops * history()) * op("vadd", all / ops) +
                          2 * op("vcast", all) + op("vmuls", all) + op("vexp", all) +
                          op("vadds", all) + op("vdiv", all);

    const std::int64_t tiles = token_tiles(t.tokens) * ceil_div(shape_.channels, t.channels);
    const std::int64_t workers = vector_workers(chip);
    const std::int64_t run = bytes_of(shape_.dtype, t.channels);
    const std::int64_t line = ceil_div(run, chip.gm.line_bytes) * chip.gm.line_bytes;
    const auto transfer = [&](Memory from, Memory to, std::int64_t rows, double shared) {
        const config::LinkConfig* link = chip.link(from, to);
        return static_cast<double>(link->startup.count()) +
               std::max(static_cast<double>(rows * run) / link->bytes_per_cycle,
                        static_cast<double>(rows * line * std::min(tiles, workers)) / shared);
    };
    const double load =
        transfer(Memory::Gm, Memory::Ub, t.tokens + history(), chip.gm.l2_read_bytes_per_cycle);
    const double store =
        transfer(Memory::Ub, Memory::Gm, t.tokens, chip.gm.l2_write_bytes_per_cycle);
    return static_cast<double>(ceil_div(tiles, workers)) * std::max({vector, load, store}) + load +
           store;
}

CausalConv::Tiling CausalConv::choose() const {
    const std::int64_t longest =
        shape_.lengths.empty() ? 0 : *std::ranges::max_element(shape_.lengths);
    const std::int64_t most_tokens = std::max(longest, history());
    Tiling best;
    double fastest = std::numeric_limits<double>::infinity();
    // A tile of y starts with none or at least `history` tokens of its sequence before it.
    for (const std::int64_t tokens : doubled(history(), most_tokens)) {
        for (const std::int64_t channels : doubled(slice_floats(hardware()), shape_.channels)) {
            const Tiling tiling{tokens, channels};
            if (!fits(tiling)) {
                continue;
            }
            if (const double cycles = estimate(tiling); cycles < fastest) {
                fastest = cycles;
                best = tiling;
            }
        }
    }
    if (best.tokens == 0) {
        rowwise::refuse_ub(hardware(), "a tile of a convolution");
    }
    return best;
}

CausalConv::Item CausalConv::item(std::int64_t index) const {
    const std::int64_t tile = index % first_tile_.back();
    const auto next = std::ranges::upper_bound(first_tile_, tile);
    const std::int64_t sequence = next - first_tile_.begin() - 1;
    const auto at = static_cast<std::size_t>(sequence);
    const std::int64_t begin = (tile - first_tile_[at]) * tiling_.tokens;
    const std::int64_t channel = index / first_tile_.back() * tiling_.channels;
    return {sequence,
            begin,
            std::min(tiling_.tokens, shape_.lengths[at] - begin),
            channel,
            std::min(tiling_.channels, shape_.channels - channel)};
}

void CausalConv::load_weights(Stream& s, Tiles& tiles, const Item& item) const {
    const Tile from = weight_.block(0, item.channel, shape_.taps, item.channels);
    const bool first = item.sequence == 0 && item.begin == 0;
    tiles.weights = shaped(tiles.weights, shape_.taps, item.channels);
    if (shape_.dtype == DType::Fp32) {
        s(isa::Copy{tiles.weights, from, first});
        return;
    }
    const Tile in = shaped(tiles.stored_weights, shape_.taps, item.channels);
    s(isa::Copy{in, from, first});
    s(isa::Vcast{tiles.weights, in});
}

/// x of an item with the tokens before it. Who reads a sequence's old state also writes the new
/// one, so that no other core can do so first; MTE3 waits for what MTE2 fetches after it. The state
/// is in HBM: all of the model has passed L2 since it was last used.
Tile CausalConv::load(Stream& s, Tiles& tiles, const Item& item) const {
    const std::int64_t history = this->history();
    const auto at = static_cast<std::size_t>(item.sequence);
    const bool cold = spills(x_.bytes());
    const auto x = [&](std::int64_t token, std::int64_t n) {
        return x_.block(first_token_[at] + token, item.channel, n, item.channels);
    };
    const Tile in = shaped(tiles.xs.next(), item.tokens + history, item.channels);
    if (item.begin > 0) {
        s(isa::Copy{in, x(item.begin - history, in.rows), cold});
        return in;
    }
    const Tile state = state_.block(item.sequence * history, item.channel, history, item.channels);
    s(isa::Copy{in.block(0, 0, history, item.channels), state, true});
    s(isa::Copy{in.block(history, 0, item.tokens, item.channels), x(0, item.tokens), cold});
    Tile newest = in.block(item.tokens, 0, history, item.channels);
    if (const std::int64_t length = shape_.lengths[at]; length > item.tokens) {
        newest = shaped(tiles.newest, history, item.channels);
        s(isa::Copy{newest, x(length - history, history), cold});
    }
    s(isa::Copy{state, newest, true});
    return in;
}

void CausalConv::convolve(Stream& s, const Tiles& tiles, const Tile& sum, const Tile& x) const {
    const std::int64_t slice = slice_floats(hardware());
    const bool by_rows = sum.rows < ceil_div(sum.cols, slice);
    const std::int64_t rows = by_rows ? 1 : sum.rows;
    const std::int64_t cols = by_rows ? sum.cols : slice;
    for (std::int64_t row = 0; row < sum.rows; row += rows) {
        for (std::int64_t col = 0; col < sum.cols; col += cols) {
            const std::int64_t width = std::min(cols, sum.cols - col);
            const Tile part = sum.block(row, col, rows, width);
            const Tile product = shaped(tiles.product, rows, width);
            for (std::int64_t tap = 0; tap < shape_.taps; ++tap) {
                const Tile weight = repeated(tiles.weights.block(tap, col, 1, width), rows);
                s(isa::Vmul{
                    {tap == 0 ? part : product, x.block(row + tap, col, rows, width), weight}});
                if (tap > 0) {
                    s(isa::Vadd{{part, part, product}});
                }
            }
        }
    }
}

void CausalConv::tile(Stream& s, Tiles& tiles, const Item& item) const {
    const Tile in = load(s, tiles, item);
    const auto dense = [&](const Tile& whole) { return shaped(whole, item.tokens, item.channels); };
    const Tile x = rowwise::widen(s, in, shaped(tiles.wide, in.rows, in.cols));
    const Tile sum = dense(tiles.sum);
    convolve(s, tiles, sum, x);
    const Tile y = dense(x); // x is no longer needed
    rowwise::sigmoid_divisor(s, y, sum);
    s(isa::Vdiv{{y, sum, y}});
    rowwise::narrow(s, dense(in), y);
    const std::int64_t token = first_token_[static_cast<std::size_t>(item.sequence)] + item.begin;
    s(isa::Copy{
        y_.block(token, item.channel, item.tokens, item.channels), dense(in), spills(y_.bytes())});
}

isa::Program CausalConv::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Tiles tiles(s, hardware(), shape_, tiling_);
    const Range mine = limited(worker->of(items()));
    std::int64_t loaded = -1;
    for (std::int64_t index = mine.begin; index < mine.end; ++index) {
        const Item next = item(index);
        if (next.channel != loaded) {
            load_weights(s, tiles, next);
            loaded = next.channel;
        }
        tile(s, tiles, next);
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
