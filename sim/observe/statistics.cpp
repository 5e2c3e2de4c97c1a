// SPDX-License-Identifier: Apache-2.0
#include "sim/observe/statistics.h"

#include <algorithm>
#include <functional>
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

std::int64_t RunStatistics::macs() const {
    const isa::CountByDType& macs = work[static_cast<std::size_t>(Pipe::Cube)].macs;
    return std::accumulate(macs.begin(), macs.end(), std::int64_t{0});
}

std::int64_t RunStatistics::scalar_busy() const {
    return std::transform_reduce(
        cores.begin(), cores.end(), std::int64_t{0}, std::plus<>(), [](const CoreStatistics& core) {
            return core.pipes[static_cast<std::size_t>(Pipe::Scalar)].busy();
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
    passed_ = {};
    overlaps_.clear();
    for (const CoreInfo& info : cores) {
        run_.cores.push_back({info, {}, {}, {}});
        const auto has = [&](Pipe pipe) { return std::ranges::count(info.pipes, pipe) > 0; };
        overlaps_.push_back(has(Pipe::Cube) && has(Pipe::Vector) ? std::optional<Overlap>(Overlap{})
                                                                 : std::nullopt);
    }
}

void StatisticsCollector::on_span(const Span& span) {
    CoreStatistics& core = run_.cores[span.core];
    PipeStatistics& pipe = core.pipes[static_cast<std::size_t>(span.pipe)];
    pipe.cycles[static_cast<std::size_t>(span.state)] += (span.end - span.start).count();
    core.finish = std::max(core.finish, span.end + passed_);
    if (span.state != State::Busy || span.instruction == nullptr) {
        return;
    }
    ++pipe.instructions;
    isa::add_work(*span.instruction, run_.work[static_cast<std::size_t>(span.pipe)]);
    if (span.pipe == Pipe::Cube || span.pipe == Pipe::Vector) {
        std::optional<Overlap>& overlap = overlaps_[span.core];
        const std::size_t series = span.pipe == Pipe::Cube ? 0 : 1;
        core.arithmetic += span.end - span.start -
                           (overlap ? overlap->add(series, span.start, span.end) : Cycles{});
    }
}

void StatisticsCollector::on_gm(const GmAccess& access) {
    (access.write ? run_.gm_bytes_written : run_.gm_bytes_read) += access.bytes;
    run_.hbm_bytes += access.hbm_bytes;
    run_.work[static_cast<std::size_t>(access.pipe)].hbm_bytes += access.hbm_bytes;
}

namespace {

/// Adds `times` what a count has grown by since it was `before`.
void grow(std::int64_t& count, std::int64_t before, std::int64_t times) {
    count += times * (count - before);
}
void grow(Cycles& cycles, Cycles before, std::int64_t times) {
    cycles += Cycles{times * (cycles - before).count()};
}
template <class Count, std::size_t size>
void grow(std::array<Count, size>& counts,
          const std::array<Count, size>& before,
          std::int64_t times) {
    for (std::size_t i = 0; i < size; ++i) {
        grow(counts[i], before[i], times);
    }
}
void grow(PipeStatistics& pipe, const PipeStatistics& before, std::int64_t times) {
    grow(pipe.cycles, before.cycles, times);
    grow(pipe.instructions, before.instructions, times);
}
void grow(PipeWork& work, const PipeWork& before, std::int64_t times) {
    grow(work.macs, before.macs, times);
    grow(work.elements, before.elements, times);
    grow(work.read, before.read, times);
    grow(work.written, before.written, times);
    grow(work.hbm_bytes, before.hbm_bytes, times);
}

} // namespace

void StatisticsCollector::on_laps(std::int64_t laps, Cycles cycles) {
    passed_ += cycles;
    for (std::size_t i = 0; i < run_.cores.size(); ++i) {
        if (run_.cores[i].pipes != at_lap_.cores[i].pipes) { // it is under way
            run_.cores[i].finish += cycles;
        }
        grow(run_.cores[i].arithmetic, at_lap_.cores[i].arithmetic, laps);
        for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
            grow(run_.cores[i].pipes[pipe], at_lap_.cores[i].pipes[pipe], laps);
        }
    }
    grow(run_.gm_bytes_read, at_lap_.gm_bytes_read, laps);
    grow(run_.gm_bytes_written, at_lap_.gm_bytes_written, laps);
    grow(run_.hbm_bytes, at_lap_.hbm_bytes, laps);
    for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
        grow(run_.work[pipe], at_lap_.work[pipe], laps);
    }
}

} // namespace npusim::observe
