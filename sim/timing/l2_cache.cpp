// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/l2_cache.h"

#include <algorithm>
#include <bit>

namespace npusim::timing {

namespace {

/// Every bit of the result depends on every bit of `x` (splitmix64's finisher): the sets of
/// neighbours are as good as drawn at random.
constexpr std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

/// Bits `first` to `last`, both included.
std::uint64_t bits(std::int64_t first, std::int64_t last) {
    const std::uint64_t up_to_last = last == 63 ? ~0ULL : (1ULL << (last + 1)) - 1;
    return up_to_last & ~((1ULL << first) - 1);
}

} // namespace

L2Cache::Pieces::Pieces(std::int64_t bytes)
    : size(bytes), shift(std::has_single_bit(static_cast<std::uint64_t>(bytes))
                             ? std::countr_zero(static_cast<std::uint64_t>(bytes))
                             : -1) {}

L2Cache::L2Cache(const config::GmConfig& config, L2Start start)
    : lines_(config.line_bytes), granules_(config.l2_granule_bytes),
      ways_(static_cast<std::size_t>(config.l2_ways)),
      sets_(static_cast<std::size_t>(std::max<std::int64_t>(
          1, config.l2_size_bytes / config.l2_granule_bytes / config.l2_ways))),
      resident_(start.resident), entries_(ways_ * sets_) {
    const Lines all = bits(0, lines_.of(granules_.size) - 1);
    double due = 0; // spread evenly
    for (Way& way : entries_) {
        due += start.dirty;
        if (due >= 1) {
            way = Way{-1, all, all};
            due -= 1;
        }
    }
}

std::int64_t L2Cache::bytes(Lines lines) const {
    return std::popcount(lines) * lines_.size;
}

/// Which granules a run before has left is drawn by their number.
bool L2Cache::was_left(std::int64_t granule) const {
    constexpr double kTwoTo32 = 4294967296.0;
    const std::uint64_t draw = mix(~static_cast<std::uint64_t>(granule)) >> 32U;
    return static_cast<double>(draw) < resident_ * kTwoTo32;
}

L2Cache::Traffic L2Cache::access(const isa::Tile& tile, bool write, bool cold) {
    Traffic traffic;
    const bool whole = tile.contiguous();
    const std::int64_t runs = whole ? 1 : tile.rows;
    const std::int64_t run_bytes = whole ? tile.bytes() : tile.row_bytes();
    // Runs of one granule are touched together.
    std::int64_t granule = -1;
    Lines lines = 0;
    for (std::int64_t run = 0; run < runs; ++run) {
        const std::int64_t begin = tile.address + run * tile.stride_bytes;
        const std::int64_t last = begin + run_bytes - 1;
        for (std::int64_t at = begin; at <= last; at = (granule + 1) * granules_.size) {
            if (const std::int64_t here = granules_.of(at); here != granule) {
                touch(granule, lines, write, cold, traffic);
                granule = here;
                lines = 0;
            }
            const std::int64_t start = granule * granules_.size;
            const std::int64_t end = std::min(last, start + granules_.size - 1);
            lines |= bits(lines_.of(at - start), lines_.of(end - start));
        }
    }
    touch(granule, lines, write, cold, traffic);
    return traffic;
}

void L2Cache::touch(std::int64_t granule, Lines lines, bool write, bool cold, Traffic& traffic) {
    if (lines == 0) {
        return;
    }
    if (static_cast<std::size_t>(granule) >= touched_.size()) {
        touched_.resize(static_cast<std::size_t>(granule) + 1);
    }
    Lines& touched = touched_[static_cast<std::size_t>(granule)];
    Way& way = find_or_replace(granule, traffic);
    if (!write) {
        const Lines found = way.valid | (cold && !was_left(granule) ? 0 : ~touched);
        traffic.fetched += bytes(lines & ~found);
    }
    way.valid |= lines;
    way.dirty |= write ? lines : 0;
    touched |= lines;
}

L2Cache::Way& L2Cache::find_or_replace(std::int64_t granule, Traffic& traffic) {
    const std::size_t set = mix(static_cast<std::uint64_t>(granule)) % sets_;
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(set * ways_);
    const auto end = first + static_cast<std::ptrdiff_t>(ways_);
    if (first->granule == granule) { // the last one used of its set, as a rule
        return *first;
    }
    auto at = std::find_if(first, end, [&](const Way& way) { return way.granule == granule; });
    if (at == end) {
        --at;
        traffic.written_back += bytes(at->dirty);
        *at = Way{granule, 0, 0};
    }
    std::rotate(first, at, at + 1);
    return *first;
}

} // namespace npusim::timing
