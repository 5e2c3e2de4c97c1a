// SPDX-License-Identifier: Apache-2.0
#include "traces/pipe_columns.h"

#include "sim/base/units.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>
#include <utility>

namespace npusim::traces {

TimeScale::TimeScale(Cycles from, Cycles to, std::size_t most)
    : from_(from), to_(std::max(from, to)) {
    assert(most > 0);
    const std::int64_t length = (to_ - from_).count();
    step_ = Cycles{std::max<std::int64_t>(1, ceil_div(length, static_cast<std::int64_t>(most)))};
}

std::size_t TimeScale::columns() const {
    return static_cast<std::size_t>(ceil_div((to_ - from_).count(), step_.count()));
}

Cycles TimeScale::start(std::size_t column) const {
    return from_ + Cycles{static_cast<std::int64_t>(column) * step_.count()};
}

Cycles TimeScale::end(std::size_t column) const {
    return std::min(to_, start(column + 1));
}

std::size_t TimeScale::column(Cycles time) const {
    return static_cast<std::size_t>((time - from_).count() / step_.count());
}

TimeScale TimeScale::until(Cycles end) const {
    TimeScale part = *this;
    part.to_ = std::clamp(end, from_, to_);
    return part;
}

ActivityCycles& ActivityCycles::operator+=(const ActivityCycles& other) {
    std::ranges::transform(cycles_, other.cycles_, cycles_.begin(), std::plus<>());
    return *this;
}

std::int64_t ActivityCycles::total() const {
    return std::accumulate(cycles_.begin(), cycles_.end(), std::int64_t{0});
}

std::int64_t ActivityCycles::busy() const {
    constexpr auto kBusy = static_cast<std::ptrdiff_t>(Activity::Scalar) + 1;
    return std::accumulate(cycles_.begin(), cycles_.begin() + kBusy, std::int64_t{0});
}

double ActivityCycles::busy_share() const {
    return static_cast<double>(busy()) / static_cast<double>(total());
}

Activity ActivityCycles::most() const {
    return static_cast<Activity>(std::ranges::max_element(cycles_) - cycles_.begin());
}

ActivityCycles PipeRow::sum() const {
    ActivityCycles sum;
    for (const ActivityCycles& column : columns) {
        sum += column;
    }
    return sum;
}

PipeColumns::PipeColumns(const TimeScale& scale, Selection selection)
    : scale_(scale), selection_(std::move(selection)) {}

void PipeColumns::on_begin(const std::vector<observe::CoreInfo>& cores) {
    std::vector<ActivityCycles> idle(scale_.columns());
    for (std::size_t column = 0; column < idle.size(); ++column) {
        idle[column][Activity::Idle] = (scale_.end(column) - scale_.start(column)).count();
    }
    rows_.clear();
    row_of_.assign(cores.size(), {});
    for (std::size_t core = 0; core < cores.size(); ++core) {
        if (idle.empty() || !selection_.shows_core(cores[core].name)) {
            continue;
        }
        for (const Pipe pipe : cores[core].pipes) {
            row_of_[core][static_cast<std::size_t>(pipe)] = rows_.size();
            rows_.push_back({cores[core].name, pipe, idle});
        }
    }
}

void PipeColumns::on_span(const observe::Span& span) {
    const Place row = row_of_[span.core][static_cast<std::size_t>(span.pipe)];
    const Cycles from = std::max(span.start, scale_.from());
    const Cycles to = std::min(span.end, scale_.to());
    if (!row || from >= to) {
        return;
    }
    const Activity activity = activity_of(span);
    const std::size_t last = scale_.column(to - Cycles{1});
    for (std::size_t column = scale_.column(from); column <= last; ++column) {
        const Cycles part = std::min(to, scale_.end(column)) - std::max(from, scale_.start(column));
        ActivityCycles& cycles = rows_[*row].columns[column];
        cycles[activity] += part.count();
        cycles[Activity::Idle] -= part.count();
        assert(cycles[Activity::Idle] >= 0);
    }
}

} // namespace npusim::traces
