// SPDX-License-Identifier: Apache-2.0
#include "traces/columns.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace npusim::traces {

namespace {

std::int32_t narrow(Cycles time) {
    if (time.count() > std::numeric_limits<std::int32_t>::max()) {
        throw ConfigError(fmt::format("--report: the run is too long at cycle {} (allowed: up to "
                                      "2^31 cycles; --trace has no limit)",
                                      time.count()));
    }
    return static_cast<std::int32_t>(time.count());
}

/// `column` with entry i from place `order[i]`.
template <class T> void reorder(std::vector<T>& column, const std::vector<std::size_t>& order) {
    std::vector<T> sorted(column.size());
    std::ranges::transform(order, sorted.begin(), [&](std::size_t i) { return column[i]; });
    column = std::move(sorted);
}

} // namespace

void ColumnWriter::lane(LaneId /*id*/, const Lane& lane) {
    lanes_.push_back(lane.in_flight ? -1 : static_cast<std::int32_t>(columns_.lanes.size()));
    if (!lane.in_flight) {
        columns_.lanes.push_back(lane);
    }
}

std::int32_t ColumnWriter::name(const Slice& slice) {
    const std::size_t id = name_id(slice);
    if (names_.size() <= id) {
        names_.resize(id + 1, -1);
    }
    if (names_[id] < 0) {
        names_[id] = static_cast<std::int32_t>(columns_.names.size());
        columns_.names.emplace_back(name_of(slice));
    }
    return names_[id];
}

/// 0 is no text.
std::int32_t ColumnWriter::detail(const Slice& slice) {
    return slice.instruction == nullptr
               ? 0
               : static_cast<std::int32_t>(texts_.number(*slice.instruction)) + 1;
}

void ColumnWriter::slice(const Slice& slice) {
    const std::int32_t lane = lanes_[slice.lane];
    if (lane < 0) {
        return;
    }
    Columns::Slices& slices = columns_.slices;
    if (slices.lane.size() == most_) {
        ++columns_.left_out;
        return;
    }
    const std::int32_t start = narrow(slice.start);
    const std::int32_t end = narrow(slice.end);
    slices.lane.push_back(lane);
    slices.start.push_back(start);
    slices.cycles.push_back(end - start);
    slices.name.push_back(name(slice));
    slices.state.push_back(static_cast<std::uint8_t>(slice.state));
    slices.detail.push_back(detail(slice));
    for (const std::uint64_t number : slice.sends) {
        if (const auto to = received_.find(number); to != received_.end()) {
            arrow({lane, end}, to->second);
            received_.erase(to);
        } else {
            sent_.emplace(number, End{lane, end});
        }
    }
    for (const std::uint64_t number : slice.receives) {
        if (const auto from = sent_.find(number); from != sent_.end()) {
            arrow(from->second, {lane, start});
            sent_.erase(from);
        } else {
            received_.emplace(number, End{lane, start});
        }
    }
}

void ColumnWriter::arrow(const End& from, const End& to) {
    const auto core = [&](const End& end) {
        return columns_.lanes[static_cast<std::size_t>(end.lane)].core;
    };
    columns_.flows.from_lane.push_back(from.lane);
    columns_.flows.from.push_back(from.at);
    columns_.flows.to_lane.push_back(to.lane);
    columns_.flows.to.push_back(to.at);
    columns_.flows.kind.push_back(core(from) == core(to) ? 0 : 1);
}

void ColumnWriter::counter(const Counter& counter, const Series& series) {
    Columns::Measured& measured = columns_.counters.emplace_back();
    measured.counter = counter;
    measured.step = series.step();
    for (std::size_t i = 0; i < series.size(); ++i) {
        measured.values.push_back(static_cast<float>(series.mean(i)));
    }
}

void ColumnWriter::end(Cycles /*total*/) {
    columns_.details.emplace_back();
    for (std::uint32_t number = 0; number < texts_.size(); ++number) {
        columns_.details.push_back(texts_.text(number));
    }
    Columns::Slices& slices = columns_.slices;
    std::vector<std::size_t> order(slices.lane.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return slices.lane[i]; });
    reorder(slices.lane, order);
    reorder(slices.start, order);
    reorder(slices.cycles, order);
    reorder(slices.name, order);
    reorder(slices.state, order);
    reorder(slices.detail, order);
}

} // namespace npusim::traces
