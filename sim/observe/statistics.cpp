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

void StatisticsCollector::on_begin(const std::vector<CoreInfo>& cores) {
    run_ = {};
    for (const CoreInfo& info : cores) {
        run_.cores.push_back({info, {}, {}, {}, {}});
    }
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
}

void StatisticsCollector::on_start(const Start& start) {
    if (start.pipe != Pipe::Cube && start.pipe != Pipe::Vector) {
        return;
    }
    // Starts ascend, so what this stretch adds to the union is what lies past the latest end.
    CoreStatistics& core = run_.cores[start.core];
    const Cycles from = std::max(start.start, core.arithmetic_until);
    if (start.alone > from) {
        core.arithmetic += start.alone - from;
        core.arithmetic_until = start.alone;
    }
}

void StatisticsCollector::on_gm(const GmAccess& access) {
    (access.write ? run_.gm_bytes_written : run_.gm_bytes_read) += access.bytes;
    run_.hbm_bytes += access.hbm_bytes;
}

} // namespace npusim::observe
