// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/l2_cache.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace npusim::timing {

namespace {

constexpr std::int64_t kWhole = 1024; ///< shares are in parts of this
/// Shares cover means up to this; later all is gone.
constexpr std::int64_t kMaxMean = 16;
constexpr std::int64_t kEpochs = 64; ///< in which as much as L2 holds is used

/// Bits `first` to `last`, both included.
std::uint64_t bits(std::int64_t first, std::int64_t last) {
    return (~0ULL >> (63 - (last - first))) << first;
}

/// Bits set. The library's is a call where the host is not known to have an instruction for it.
constexpr std::int64_t count(std::uint64_t lines) {
    lines -= lines >> 1U & 0x5555555555555555U;
    lines = (lines & 0x3333333333333333U) + (lines >> 2U & 0x3333333333333333U);
    lines = (lines + (lines >> 4U)) & 0x0F0F0F0F0F0F0F0FU;
    return static_cast<std::int64_t>(lines * 0x0101010101010101U >> 56U);
}

std::int16_t in_parts(double share) {
    return static_cast<std::int16_t>(std::llround(share * static_cast<double>(kWhole)));
}

} // namespace

std::vector<double> poisson(double mean, std::int64_t count) {
    std::vector<double> chances;
    double chance = std::exp(-mean);
    for (std::int64_t number = 0; number < count; ++number) {
        chances.push_back(chance);
        chance *= mean / static_cast<double>(number + 1);
    }
    return chances;
}

Recency::Recency(std::int64_t lines_per_epoch)
    : per_epoch_(std::max<std::int64_t>(1, lines_per_epoch)), lines_(kSlots), sums_(kSlots + 1) {}

std::int64_t Recency::since(Epoch epoch) const {
    const std::size_t slot = slot_of_[static_cast<std::size_t>(epoch)];
    std::int64_t before = 0;
    for (std::size_t i = slot; i > 0; i &= i - 1) {
        before += sums_[i];
    }
    return all_ - before - lines_[slot] / 2;
}

bool Recency::older(Epoch epoch, std::int64_t lines) const {
    const std::size_t slot = slot_of_[static_cast<std::size_t>(epoch)];
    return since(epoch) - lines_[slot] / 2 >= lines;
}

void Recency::add(std::size_t slot, std::int64_t lines) {
    lines_[slot] += lines;
    all_ += lines;
    for (std::size_t i = slot + 1; i <= kSlots; i += i & (~i + 1)) {
        sums_[i] += lines;
    }
}

void Recency::use(std::int64_t lines, Epoch before) {
    add(slot_of_[static_cast<std::size_t>(before)], -lines);
    add(slot_of_.back(), lines);
}

void Recency::turn() {
    if (lines_[slot_of_.back()] < per_epoch_) {
        return;
    }
    if (slot_of_.back() + std::size_t{1} == kSlots) {
        merge();
    }
    slot_of_.push_back(static_cast<std::uint16_t>(slot_of_.back() + 1));
    ++now_;
}

/// Most epochs are empty after a while, what was used in them having been used again: those next to
/// each other become one as long as no more was used in them than in one.
void Recency::merge() {
    std::vector<std::uint16_t> merged(kSlots);
    std::vector<std::int64_t> lines(kSlots);
    std::size_t slot = 0;
    // All that is gone for certain is the same.
    std::int64_t after = all_;
    for (std::size_t old = 0; old < kSlots; ++old) {
        after -= lines_[old];
        const bool gone = after > per_epoch_ * kEpochs * kMaxMean;
        if (!gone && lines[slot] > 0 && lines[slot] + lines_[old] > per_epoch_ && old > 0) {
            ++slot;
        }
        merged[old] = static_cast<std::uint16_t>(slot);
        lines[slot] += lines_[old];
    }
    for (std::uint16_t& of : slot_of_) {
        of = merged[of];
    }
    lines_.assign(kSlots, 0);
    sums_.assign(kSlots + 1, 0);
    all_ = 0;
    for (std::size_t i = 0; i <= slot; ++i) {
        add(i, lines[i]);
    }
}

L2Cache::Pieces::Pieces(std::int64_t each)
    : size(each), shift(std::has_single_bit(static_cast<std::uint64_t>(each))
                            ? std::countr_zero(static_cast<std::uint64_t>(each))
                            : -1) {}

L2Cache::L2Cache(const config::GmConfig& config, L2Start start)
    : line_(config.line_bytes), in_granule_(config.l2_granule_bytes / config.line_bytes),
      size_(std::max<std::int64_t>(1, config.l2_size_bytes / config.line_bytes)),
      per_step_(std::max<std::int64_t>(1, size_ * kMaxMean / config.l2_ways / kSteps)),
      missing_(std::llround((1 - start.resident) * static_cast<double>(kWhole))),
      dirty_start_(std::llround(start.dirty * static_cast<double>(size_))),
      recency_(size_ / kEpochs) {
    for (std::size_t step = 0; step < gone_.size(); ++step) {
        const double mean = (static_cast<double>(step) + 0.5) * kMaxMean / kSteps;
        double fewer = 0; // than the ways of a set have come to it
        double left = 0;  // of what it held before
        std::int64_t ways = config.l2_ways;
        for (const double chance : poisson(mean, ways)) {
            fewer += chance;
            left += chance * static_cast<double>(ways--) / static_cast<double>(config.l2_ways);
        }
        gone_[step] = in_parts(1 - fewer);
        replaced_[step] = in_parts(1 - left);
    }
}

/// Of `shares`, the one after `lines`.
std::int64_t L2Cache::share(const Shares& shares, std::int64_t lines) const {
    const auto step = static_cast<std::size_t>(lines / per_step_);
    return step < shares.size() ? shares[step] : kWhole;
}

L2Cache::Traffic L2Cache::access(const isa::Tile& tile, bool write, bool cold) {
    Touch touch{write, cold};
    if (write || !read_now(tile)) {
        touch_lines(tile, touch);
        settle(touch);
        recency_.turn();
    }
    return {touch.fetched * line_.size / kWhole, write_back(touch.taken_in) * line_.size};
}

/// Whether the same tile has been read in this epoch, so that reading it changes nothing: all of
/// it is there, and as young as can be. Several cores often read one tile at about the same time.
bool L2Cache::read_now(const isa::Tile& tile) {
    Read& last = last_reads_[static_cast<std::size_t>(line_.of(tile.address)) % kReads];
    return std::exchange(last, {recency_.now(), tile}) == last;
}

/// Touches the lines of `tile`, those of one granule together.
void L2Cache::touch_lines(const isa::Tile& tile, Touch& touch) {
    const bool whole = tile.contiguous();
    const std::int64_t runs = whole ? 1 : tile.rows;
    const std::int64_t run_bytes = whole ? tile.bytes() : tile.row_bytes();
    std::int64_t granule = -1;
    Lines lines = 0;
    for (std::int64_t run = 0; run < runs; ++run) {
        const std::int64_t begin = tile.address + run * tile.stride_bytes;
        const std::int64_t last = line_.of(begin + run_bytes - 1);
        for (std::int64_t at = line_.of(begin); at <= last;) {
            const std::int64_t here = in_granule_.of(at);
            const std::int64_t start = here * in_granule_.size;
            if (here != granule) {
                if (lines != 0) {
                    this->touch(granule, lines, touch);
                }
                granule = here;
                lines = 0;
            }
            lines |= bits(at - start, std::min(last - start, in_granule_.size - 1));
            at = start + in_granule_.size;
        }
    }
    this->touch(granule, lines, touch);
}

void L2Cache::Granules::open(std::size_t page) {
    pages_.resize(std::max(pages_.size(), page + 1));
    pages_[page].resize(kPage);
    page_ = page;
    here_ = pages_[page].data();
}

void L2Cache::touch(std::int64_t number, Lines lines, Touch& touch) {
    Granule& granule = granules_[number];
    const Lines known = granule.touched;
    const bool used_now = granule.used == recency_.now() && known != 0;
    if (used_now && (lines & (~known | granule.stale)) == 0 && !touch.write) {
        return; // as most are: nothing changes
    }
    if (const Lines fresh = lines & ~known; fresh != 0) {
        const std::int64_t more = count(fresh);
        const std::int64_t missing = touch.cold ? missing_ * more : 0;
        touch.fetched += touch.write ? 0 : missing;
        touch.taken_in += touch.write ? kWhole * more : missing;
        recency_.use_fresh(more);
    }
    if (known != 0) {
        if (!used_now && granule.used != touch.epoch) {
            settle(touch);
            touch.epoch = granule.used;
            touch.gone = share(gone_, recency_.since(granule.used));
        }
        const std::int64_t gone = used_now ? 0 : touch.gone;
        if ((gone | static_cast<std::int64_t>(granule.stale)) != 0) {
            const std::int64_t lost = lose(granule, lines, gone);
            touch.fetched += touch.write ? 0 : lost;
            touch.taken_in += lost;
        }
        touch.used += used_now ? 0 : count(known);
    }
    granule.touched = known | lines;
    granule.used = recency_.now();
    if (touch.write) {
        if (granule.dirty == 0) {
            written_.push_back({granule.used, number});
        }
        granule.dirty |= lines;
    }
}

/// How much of `lines` is not there, in 1024ths of lines, if since its last use `gone` of the
/// granule may have gone. What else the granule had is lost with it, and shows when it is touched.
/// A granule in a crowded set is lost again and again, others never: shares do not add up.
std::int64_t L2Cache::lose(Granule& granule, Lines lines, std::int64_t gone) {
    std::int64_t lost = 0;
    if (gone > 0 && (granule.stale == 0 || 2 * gone > granule.lost)) {
        granule.lost = static_cast<std::int16_t>(
            granule.stale == 0 ? gone : std::max<std::int64_t>(gone, granule.lost));
        granule.stale = granule.touched;
    } else { // hardly anything more
        lost = gone * count(lines & granule.touched & ~granule.stale);
    }
    if (const Lines stale = lines & granule.stale; stale != 0) {
        lost += granule.lost * count(stale);
        granule.stale &= ~stale;
    }
    return lost;
}

/// Tells of the lines of touch.epoch that were used.
void L2Cache::settle(Touch& touch) {
    if (touch.used > 0) {
        recency_.use(std::exchange(touch.used, 0), touch.epoch);
    }
}

/// Lines that leave now that `taken_in` have come. What is due leaves with what comes.
std::int64_t L2Cache::write_back(std::int64_t taken_in) {
    taken_in_ += taken_in;
    const std::int64_t left = dirty_start_ * share(replaced_, taken_in_ / kWhole) / kWhole;
    due_ += left - left_given_;
    left_given_ = left;
    const bool look = std::exchange(looked_at_, recency_.now()) != recency_.now();
    while (look && !written_.empty() && recency_.older(written_.front().used, size_)) {
        const std::int64_t number = written_.front().granule;
        written_.pop_front();
        Granule& granule = granules_[number];
        if (recency_.older(granule.used, size_)) {
            due_ += count(granule.dirty);
            granule.dirty = 0;
        } else { // used again since
            written_.push_back({granule.used, number});
        }
    }
    const std::int64_t leaves = std::min(due_, 2 * (taken_in + kWhole - 1) / kWhole);
    due_ -= leaves;
    return leaves;
}

} // namespace npusim::timing
