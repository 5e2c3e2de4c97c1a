// SPDX-License-Identifier: Apache-2.0
#include "sim/model/laps.h"

#include "sim/model/clock.h"

#include <algorithm>
#include <utility>

namespace npusim::model {

namespace {

/// Marks of the longest lap that is looked for.
constexpr std::size_t kMostMarks = 256;
/// Laps of the chip are looked for up to so many of the marker's.
constexpr std::size_t kMostMarkerLaps = 4;
constexpr std::size_t kLeastPatience = 32;
/// Watching for nothing may take this many marks, and of all marks one in so many.
constexpr std::size_t kFreeWaste = 64;
constexpr std::size_t kWasteShare = 4;
/// Transfers and instructions of the longest lap: what is kept of one stays below some 100 MB.
constexpr std::size_t kMostTransfers = 1 << 16;
constexpr std::size_t kMostInstructions = 1 << 18;
/// A marker that is silent while there are so many transfers for each core has ended, or as good
/// as.
constexpr std::size_t kMostSilence = 64;

} // namespace

Laps::Laps(const Cores& cores,
           GlobalMemoryModule& gm,
           const observe::Observers& observers,
           std::function<void()> fail)
    : cores_(cores), gm_(gm), observers_(observers), fail_(std::move(fail)),
      patience_(kLeastPatience) {
    gm_.listen([this](const auto& request, const auto& past) { served(request, past); },
               [this] { quiet(); });
}

void Laps::served(const GmInterface::Request& request, const timing::L2Cache::Traffic& past) {
    const Marker of{request.core_index, request.pipe};
    if (!marker_ || ++since_mark_ > kMostSilence * cores_.size()) {
        if (phase_ != Phase::Looking) {
            give_up();
        }
        marker_ = of;
    }
    if (*marker_ == of) {
        marked_ = true;
        since_mark_ = 0;
    }
    if (phase_ == Phase::Lap) {
        transfers_.push_back({request.core_index, request.pipe, request.traffic, past});
    }
}

void Laps::quiet() {
    if (!std::exchange(marked_, false)) {
        return;
    }
    ++marks_;
    ++lap_marks_;
    try {
        if (phase_ == Phase::Looking) {
            look(now());
        } else if (phase_ == Phase::Lap) {
            look_back(now());
        } else if (lap_marks_ == marker_lap_) {
            begin_lap(now());
        }
    } catch (...) {
        fail_();
    }
}

std::size_t Laps::Finder::see(std::uint64_t number) {
    ++since_;
    if (number == then_) {
        return std::exchange(since_, 0);
    }
    if (since_ >= most_) {
        then_ = number;
        most_ = std::max<std::size_t>(1, 2 * most_);
        since_ = 0;
    }
    return 0;
}

/// Whether the marker has gone round a lap.
void Laps::look(Cycles now) {
    marker_lap_ = finder_.see(marker_times(now));
    most_lap_marks_ = std::max(kMostMarkerLaps * marker_lap_, patience_);
    const std::size_t may_waste = kFreeWaste + marks_ / kWasteShare;
    if (marker_lap_ > 0 && wasted_ + marker_lap_ + most_lap_marks_ <= may_waste) {
        watch();
    } else if (finder_.distance() > kMostMarks) {
        finder_ = {};
    }
}

void Laps::watch() {
    phase_ = Phase::Watching;
    lap_marks_ = 0;
    for (const auto& core : cores_) {
        core->feed().watch();
    }
}

void Laps::begin_lap(Cycles now) {
    watch();
    phase_ = Phase::Lap;
    began_ = now;
    transfers_.clear();
    line_up();
    state_then_ = state(now);
    times_then_ = marker_times(now);
    for (observe::Observer* observer : observers_) {
        observer->on_lap_begin();
    }
}

/// Whether the chip has gone round one.
void Laps::look_back(Cycles now) {
    const bool fits = transfers_.size() <= kMostTransfers && lap_size() <= kMostInstructions;
    const auto state_is_same = [&] {
        line_up();
        return state(now) == state_then_;
    };
    if (fits && marker_times(now) == times_then_ && state_is_same() && pass_laps(now)) {
        wasted_ = 0;
        patience_ = kLeastPatience;
        begin_lap(now);
    } else if (!fits || lap_marks_ >= most_lap_marks_) {
        give_up();
    }
}

void Laps::give_up() {
    wasted_ += marker_lap_ + lap_marks_;
    patience_ = std::min(2 * patience_, kMostMarks);
    phase_ = Phase::Looking;
    finder_ = {};
    transfers_.clear();
    for (const auto& core : cores_) {
        core->feed().unwatch();
    }
}

/// Passes over as many laps as are certain to be like the one that ends now; whether any was.
bool Laps::pass_laps(Cycles now) {
    std::vector<GmSides> sides;
    std::vector<timing::FlagTurns> turns;
    for (const auto& core : cores_) {
        sides.push_back(core->gm_sides());
        turns.push_back(core->feed().turns());
    }
    std::int64_t laps = 0;
    for (; next_is_same(sides); ++laps) {
        for (const auto& core : cores_) {
            core->pass_lap();
        }
    }
    if (laps == 0) {
        return false;
    }
    const Cycles cycles{laps * (now - began_).count()};
    for (std::size_t i = 0; i < cores_.size(); ++i) {
        cores_[i]->catch_up(sides[i], turns[i], cycles);
        gm_.put_gm_sides(i, sides[i]);
    }
    for (observe::Observer* observer : observers_) {
        observer->on_laps(laps, cycles);
    }
    return true;
}

/// Whether the next lap is the same for certain. `sides` are those that come, and at its end then.
bool Laps::next_is_same(std::vector<GmSides>& sides) {
    for (std::size_t i = 0; i < cores_.size(); ++i) {
        const bool same = cores_[i]->feed().draw();
        cores_[i]->add_drawn(sides[i]);
        if (!same) {
            return false;
        }
    }
    return gm_.see_again(transfers_, sides);
}

/// Right after its transfer has been served the marker's core is as far as it can be.
std::uint64_t Laps::marker_times(Cycles now) const {
    StateHash hash;
    cores_[marker_->first]->add_times(hash, now);
    return hash.value();
}

/// Brings all cores as far as this moment lets them, so that they can be compared.
void Laps::line_up() {
    for (const auto& core : cores_) {
        core->look_ahead();
    }
}

std::uint64_t Laps::state(Cycles now) const {
    StateHash hash;
    for (const auto& core : cores_) {
        core->add_to(hash, now);
    }
    gm_.add_to(hash, now);
    return hash.value();
}

std::size_t Laps::lap_size() const {
    std::size_t size = 0;
    for (const auto& core : cores_) {
        size += core->feed().lap_size();
    }
    return size;
}

} // namespace npusim::model
