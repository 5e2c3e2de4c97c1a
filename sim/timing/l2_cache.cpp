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
    return (~0ULL >> (63 - (last - first))) << first;
}

} // namespace

L2Cache::Pieces::Pieces(std::int64_t each)
    : size(each), shift(std::has_single_bit(static_cast<std::uint64_t>(each))
                            ? std::countr_zero(static_cast<std::uint64_t>(each))
                            : -1) {}

L2Cache::L2Cache(const config::GmConfig& config, L2Start start)
    : lines_(config.line_bytes), granules_(config.l2_granule_bytes),
      in_granule_(config.l2_granule_bytes / config.line_bytes),
      ways_(static_cast<std::size_t>(config.l2_ways)),
      sets_(static_cast<std::size_t>(std::max<std::int64_t>(
          1, config.l2_size_bytes / config.l2_granule_bytes / config.l2_ways))),
      resident_(start.resident), entries_(ways_ * sets_) {
    const Lines all = bits(0, in_granule_.size - 1);
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
    if (const auto granules = static_cast<std::size_t>(granules_.of(tile.end() - 1)) + 1;
        granules > known_.size()) {
        known_.resize(granules);
    }
    const bool whole = tile.contiguous();
    const std::int64_t runs = whole ? 1 : tile.rows;
    const std::int64_t run_bytes = whole ? tile.bytes() : tile.row_bytes();
    pieces_.clear();
    for (std::int64_t run = 0; run < runs; ++run) {
        const std::int64_t begin = tile.address + run * tile.stride_bytes;
        const std::int64_t last = lines_.of(begin + run_bytes - 1);
        for (std::int64_t at = lines_.of(begin); at <= last;) {
            const std::int64_t granule = in_granule_.of(at);
            const std::int64_t start = granule * in_granule_.size;
            add_piece(granule, bits(at - start, std::min(last - start, in_granule_.size - 1)));
            at = start + in_granule_.size;
        }
    }
    for (const Piece& piece : pieces_) {
        touch(piece, write, cold, traffic);
    }
    return traffic;
}

/// Sets lie anywhere: the host fetches those of a transfer together.
void L2Cache::add_piece(std::int64_t number, Lines lines) {
    if (!pieces_.empty() && pieces_.back().granule == number) {
        pieces_.back().lines |= lines;
        return;
    }
    Granule& granule = known_[static_cast<std::size_t>(number)];
    if (granule.set == kUnknown) {
        granule.set = static_cast<std::uint32_t>(mix(static_cast<std::uint64_t>(number)) % sets_);
    }
    __builtin_prefetch(&entries_[granule.set * ways_]);
    pieces_.push_back({number, lines});
}

void L2Cache::touch(const Piece& piece, bool write, bool cold, Traffic& traffic) {
    const auto [number, lines] = piece;
    Granule& granule = known_[static_cast<std::size_t>(number)];
    Way& way = find_or_replace(number, granule.set, traffic);
    if (write) {
        way.dirty |= lines;
    } else if (const Lines missing = lines & ~way.valid; missing != 0) {
        const Lines found = cold && !was_left(number) ? 0 : ~granule.touched;
        traffic.fetched += bytes(missing & ~found);
    }
    way.valid |= lines;
    granule.touched |= lines;
}

L2Cache::Way& L2Cache::find_or_replace(std::int64_t number, std::uint32_t set, Traffic& traffic) {
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(set * ways_);
    if (first->granule == number) { // the last one used of its set, as a rule
        return *first;
    }
    const auto end = first + static_cast<std::ptrdiff_t>(ways_);
    auto at = std::find_if(first + 1, end, [&](const Way& way) { return way.granule == number; });
    if (at == end) {
        --at;
        traffic.written_back += bytes(at->dirty);
        *at = Way{number, 0, 0};
    }
    std::rotate(first, at, at + 1);
    return *first;
}

} // namespace npusim::timing
