// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/softmax_tiling.h"

#include "kernels/attention/tiles.h"
#include "kernels/common/vector_tiles.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <vector>

namespace npusim::kernels {

using attention::grains;
using attention::kGrain;

namespace {

constexpr std::int64_t kAccumulator = 4;     ///< bytes of fp32
constexpr std::int64_t kMostChunks = 8;      ///< of a block: more hide nothing more
constexpr std::int64_t kFoldElements = 2048; ///< of a folded tile: 32 repeats, so that the
                                             ///< fixed cost of an op is a third of it
constexpr std::int64_t kResultParts = 4; ///< of an output tile, so that one is loaded while another
                                         ///< is added

/// Checks and rates tilings of one shape on one chip.
class Chooser {
  public:
    Chooser(const config::HardwareConfig& hardware,
            const AttentionHead& head,
            std::int64_t mask_rows)
        : hardware_(hardware), head_(head), mask_rows_(mask_rows),
          lanes_(attention_lanes(hardware)), slots_(attention_slots(hardware)) {}

    /// Pieces in L0, from what L0 holds; false where it holds none.
    [[nodiscard]] bool slices(SoftmaxTiling& t) const {
        const auto fit = [&](Memory memory, std::int64_t slots, std::int64_t other) {
            return room(memory) / slots / elements(other) / kGrain * kGrain;
        };
        t.slice = std::min(
            {head_.key_size, fit(Memory::L0a, slots_, t.keys), fit(Memory::L0b, 2, t.queries)});
        t.piece = std::min(t.values, fit(Memory::L0b, 2, t.keys));
        return t.slice > 0 && t.piece > 0 && t.queries <= fit(Memory::L0a, slots_, t.keys);
    }

    [[nodiscard]] bool fits(const SoftmaxTiling& t) const {
        const std::int64_t values = head_.value_in_key ? 0 : 2 * t.keys * t.values;
        const std::int64_t l1 =
            elements(lanes_ * t.queries * (2 * head_.key_size + t.weight_slots(head_) * t.keys) +
                     key_slots(head_, t.chunks) * t.keys * head_.key_size + values);
        const std::int64_t l0c = kAccumulator * t.queries * (slots_ * t.keys + lanes_ * t.values);
        return l1 <= room(Memory::L1) && l0c <= room(Memory::L0c) && ub(t) <= room(Memory::Ub);
    }

    /// Cycles of the slowest unit for a block, per query and key.
    [[nodiscard]] double estimate(const SoftmaxTiling& t) const {
        const auto lanes = static_cast<double>(lanes_);
        return std::max({vector(t), lanes * results(t), lanes * cube(t), loads(t)}) /
               static_cast<double>(t.block() * t.queries);
    }

  private:
    [[nodiscard]] std::int64_t room(Memory memory) const {
        return hardware_.buffer(memory).size_bytes;
    }
    [[nodiscard]] std::int64_t elements(std::int64_t count) const {
        return bytes_of(head_.dtype, count);
    }

    [[nodiscard]] std::int64_t pieces(const SoftmaxTiling& t) const {
        return ceil_div(head_.value_size, t.values);
    }

    [[nodiscard]] std::int64_t ub(const SoftmaxTiling& t) const {
        constexpr std::int64_t kRows = 5;    // maxima and sums, two each, and a spare one
        constexpr std::int64_t kColumns = 3; // the same repeated over a block, to scale rows
        const std::int64_t mask = mask_rows_ == 0 ? t.queries : mask_rows_;
        const std::int64_t width =
            t.block() + head_.value_size + 2 * t.fold + mask + kRows + kColumns * kBlockFloats;
        return kAccumulator * (t.queries * width + 2 * t.result * t.values);
    }

    /// Cycles of a vector op.
    [[nodiscard]] double op(const char* name, std::int64_t fp32s) const {
        return hardware_.vector.ops.at(name).cycles(
            ceil_div(fp32s * kAccumulator, hardware_.vector.repeat_bytes));
    }

    [[nodiscard]] double vector(const SoftmaxTiling& t) const {
        const std::int64_t row = hardware_.vector.repeat_bytes / kAccumulator;
        const std::int64_t tile = t.keys * t.queries;
        const std::int64_t folds = t.keys / t.fold;
        const auto groups = static_cast<double>(folds);
        const double chunk =
            op("vmuls", tile) + op("vexp", tile) + op("vcast", tile) + op("vsub", t.keys * row) +
            groups * (op("vmax", t.fold * t.queries) + op("vadd", t.fold * t.queries));
        double tree = 0;
        for (std::int64_t rows = t.fold / 2; rows > 0; rows /= 2) {
            tree += op("vmax", rows * t.queries);
        }
        const double small = 2 * op("vmax", t.queries) + op("vsub", t.queries) +
                             op("vexp", t.queries) + op("vbrcb", t.queries * kBlockFloats);
        const auto columns = static_cast<double>(ceil_div(head_.value_size, row));
        const double add =
            columns * op("vmul", t.queries * row) + op("vadd", t.queries * head_.value_size);
        return static_cast<double>(t.chunks) * chunk + tree + small + op("vmul", t.fold * row) +
               add;
    }

    /// Scores and outputs on their way out of L0C.
    [[nodiscard]] double results(const SoftmaxTiling& t) const {
        const config::LinkConfig* link = hardware_.link(Memory::L0c, Memory::Ub);
        if (link == nullptr) {
            link = hardware_.link(Memory::L0c, Memory::Gm);
        }
        const auto transfers = static_cast<double>(t.chunks + pieces(t));
        return transfers * static_cast<double>(link->startup.count()) +
               static_cast<double>(kAccumulator * t.queries * (t.block() + head_.value_size)) /
                   link->bytes_per_cycle;
    }

    /// Keys and values on their way into L1, and weights where they come over GM.
    [[nodiscard]] double loads(const SoftmaxTiling& t) const {
        const config::LinkConfig* link = hardware_.link(Memory::Gm, Memory::L1);
        const bool over_gm = hardware_.link(Memory::Ub, Memory::L1) == nullptr;
        const std::int64_t weights = over_gm ? lanes_ : 0;
        const std::int64_t values = head_.value_in_key ? 0 : 1;
        const auto transfers = static_cast<double>(t.chunks * (1 + values * pieces(t) + weights));
        const std::int64_t columns =
            head_.key_size + values * head_.value_size + weights * t.queries;
        return transfers * static_cast<double>(link->startup.count()) +
               static_cast<double>(elements(t.block() * columns)) / link->bytes_per_cycle;
    }

    [[nodiscard]] double cube(const SoftmaxTiling& t) const {
        const config::CubeFormat& f = hardware_.cube_format(head_.dtype);
        const std::int64_t blocks =
            ceil_div(t.keys, f.m) * ceil_div(head_.key_size, f.k) * ceil_div(t.queries, f.n) +
            ceil_div(t.queries, f.m) * ceil_div(t.keys, f.k) * ceil_div(head_.value_size, f.n);
        const std::int64_t products =
            ceil_div(head_.key_size, t.slice) + ceil_div(head_.value_size, t.piece);
        return static_cast<double>(
            t.chunks * (blocks * f.cycles_per_block + products * hardware_.cube.startup.count()));
    }

    const config::HardwareConfig& hardware_;
    const AttentionHead& head_;
    std::int64_t mask_rows_;
    std::int64_t lanes_;
    std::int64_t slots_;
};

} // namespace

std::int64_t attention_lanes(const config::HardwareConfig& hardware) {
    return hardware.composition == config::Composition::Split ? hardware.vector_cores : 1;
}

std::int64_t attention_slots(const config::HardwareConfig& hardware) {
    return std::max<std::int64_t>(2, attention_lanes(hardware));
}

std::int64_t key_slots(const AttentionHead& head, std::int64_t chunks) {
    return head.value_in_key ? 2 * chunks + 1 : 2;
}

SoftmaxTiling choose_softmax_tiling(const config::HardwareConfig& hardware,
                                    const AttentionHead& head,
                                    std::int64_t queries,
                                    std::int64_t keys,
                                    std::int64_t mask_rows) {
    const Chooser chooser(hardware, head, mask_rows);
    SoftmaxTiling best;
    double fastest = std::numeric_limits<double>::infinity();
    const auto rate = [&](SoftmaxTiling t) {
        t.result = std::max(t.queries / kResultParts, kBlockFloats);
        t.fold = std::min(t.keys, kFoldElements / t.queries);
        if (t.chunks > ceil_div(keys, t.keys) || !chooser.slices(t) || !chooser.fits(t)) {
            return;
        }
        if (const double cycles = chooser.estimate(t); cycles <= fastest) {
            fastest = cycles;
            best = t;
        }
    };
    const std::int64_t most = grains(ceil_div(queries, attention_lanes(hardware)));
    // Where outputs go straight from L0C to their accumulator, a second piece would wait for it.
    const bool split = hardware.link(Memory::L0c, Memory::Ub) == nullptr;
    for (const std::int64_t pieces :
         split ? std::vector<std::int64_t>{2, 1} : std::vector<std::int64_t>{1}) {
        for (const std::int64_t side : {16, 32, 64}) { // a row of 64 fp32 is a repeat
            for (const std::int64_t chunk : {16, 32, 64, 128}) {
                for (std::int64_t chunks = 1; chunks <= kMostChunks; ++chunks) {
                    SoftmaxTiling t;
                    t.queries = std::min(side, most);
                    t.keys = std::min(chunk, grains(keys));
                    t.chunks = chunks;
                    t.values = grains(ceil_div(head.value_size, pieces));
                    rate(t);
                }
            }
        }
    }
    if (best.keys == 0) {
        throw ConfigError(fmt::format("{}: buffers too small for attention with keys of {} and "
                                      "values of {} {}",
                                      hardware.at("buffers"),
                                      head.key_size,
                                      head.value_size,
                                      to_string(head.dtype)));
    }
    return best;
}

} // namespace npusim::kernels
