// SPDX-License-Identifier: Apache-2.0
#include "sim/observe/statistics.h"

#include "sim/isa/instruction.h"

#include <algorithm>
#include <numeric>

namespace npusim::observe {

std::int64_t PipeStatistics::stalled() const {
    return std::accumulate(cycles.begin() + 1, cycles.end(), std::int64_t{0});
}

const CoreStatistics& RunStatistics::last() const {
    return *std::max_element(cores.begin(), cores.end(), [](const auto& a, const auto& b) {
        return a.finish < b.finish;
    });
}

Cycles Overlap::add(std::size_t series, Cycles start, Cycles end) {
    ahead_[series].push_back({start, end});
    Cycles shared;
    auto& [a, b] = ahead_;
    while (!a.empty() && !b.empty()) {
        const Cycles from = std::max(a.front().start, b.front().start);
        const Cycles to = std::min(a.front().end, b.front().end);
        shared += std::max(Cycles{}, to - from);
        (a.front().end <= b.front().end ? a : b).pop_front();
    }
    return shared;
}

void Overlap::forget(Cycles now) {
    for (std::deque<Stretch>& series : ahead_) {
        while (!series.empty() && series.front().end <= now) {
            series.pop_front();
        }
    }
}

void StatisticsCollector::on_begin(const std::vector<CoreInfo>& cores) {
    run_ = {};
    for (const CoreInfo& info : cores) {
        run_.cores.push_back({info, {}, {}, {}});
    }
    overlaps_.assign(cores.size(), {});
}

void StatisticsCollector::on_span(const Span& span) {
    CoreStatistics& core = run_.cores[span.core];
    PipeStatistics& pipe = core.pipes[static_cast<std::size_t>(span.pipe)];
    pipe.cycles[static_cast<std::size_t>(span.state)] += (span.end - span.start).count();
    core.finish = std::max(core.finish, span.end);
    if (span.state != State::Busy || span.instruction == nullptr) {
        return;
    }
    ++pipe.instructions;
    run_.macs += isa::macs(*span.instruction);
    if (span.pipe == Pipe::Cube || span.pipe == Pipe::Vector) {
        const Cycles shared =
            overlaps_[span.core].add(span.pipe == Pipe::Cube ? 0 : 1, span.start, span.end);
        core.arithmetic += span.end - span.start - shared;
    }
}

void StatisticsCollector::on_gm(const GmAccess& access) {
    (access.write ? run_.gm_bytes_written : run_.gm_bytes_read) += access.bytes;
    run_.hbm_bytes += access.hbm_bytes;
}

} // namespace npusim::observe
