// SPDX-License-Identifier: Apache-2.0
#include "traces/series.h"

#include <algorithm>

namespace npusim::traces {

Series::Series(Cycles from, Cycles to, std::size_t steps)
    : from_(from.count()), to_(to.count()), most_(steps) {}

/// Makes room for the step of cycle `last`.
void Series::make_room(std::int64_t last) {
    while (static_cast<std::size_t>(last >> shift_) >= most_) {
        for (std::size_t i = 0; i < sums_.size(); i += 2) {
            sums_[i / 2] = sums_[i] + (i + 1 < sums_.size() ? sums_[i + 1] : 0);
        }
        sums_.resize((sums_.size() + 1) / 2);
        ++shift_;
    }
    if (const auto needed = static_cast<std::size_t>(last >> shift_) + 1; sums_.size() < needed) {
        sums_.resize(needed);
    }
}

void Series::reach(Cycles end) {
    const std::int64_t until = std::min(end.count(), to_) - from_;
    if (until > 0) {
        make_room(until - 1);
    }
}

void Series::add(Cycles start, Cycles end, double amount) {
    std::int64_t at = std::max(start.count(), from_) - from_;
    const std::int64_t until = std::min(end.count(), to_) - from_;
    if (at >= until) {
        return;
    }
    make_room(until - 1);
    if (const std::int64_t step = at >> shift_; step == (until - 1) >> shift_) { // as a rule
        sums_[static_cast<std::size_t>(step)] += amount * static_cast<double>(until - at);
        return;
    }
    while (at < until) {
        const std::int64_t step = at >> shift_;
        const std::int64_t next = std::min(until, (step + 1) << shift_);
        sums_[static_cast<std::size_t>(step)] += amount * static_cast<double>(next - at);
        at = next;
    }
}

void Series::spread(Cycles start, Cycles end, double total) {
    const Cycles last = std::max(end, start + Cycles{1});
    add(start, last, total / static_cast<double>((last - start).count()));
}

std::vector<Sample> changes(const Series& series) {
    std::vector<Sample> samples;
    for (std::size_t i = 0; i <= series.size(); ++i) {
        const double value = i < series.size() ? series.mean(i) : 0;
        if (samples.empty() || value != samples.back().value) {
            samples.push_back(
                {series.from() + Cycles{series.step().count() * static_cast<std::int64_t>(i)},
                 value});
        }
    }
    return samples;
}

} // namespace npusim::traces
