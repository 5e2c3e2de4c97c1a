// SPDX-License-Identifier: Apache-2.0
#include "sim/app/timeline.h"

#include "sim/app/report.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace npusim::app {

namespace {

void check_cores(const Result& result, const traces::Selection& selection) {
    const auto& cores = result.statistics.cores;
    const auto shown = [&](const observe::CoreStatistics& core) {
        return selection.shows_core(core.info.name);
    };
    if (std::ranges::none_of(cores, shown)) {
        throw ConfigError(
            fmt::format("--cores: {} has none of these (allowed: cores from {} to {})",
                        result.hardware,
                        cores.front().info.name,
                        cores.back().info.name));
    }
}

/// The window, as far as the longest run goes.
traces::TimeScale scale_of(const std::vector<Result>& results,
                           const traces::Selection& selection,
                           std::size_t most_columns) {
    Cycles total;
    for (const Result& result : results) {
        total = std::max(total, result.statistics.total);
    }
    if (selection.from() >= total) {
        throw ConfigError(fmt::format("--window: begins at cycle {} (allowed: before the end of "
                                      "the run at {})",
                                      selection.from().count(),
                                      total.count()));
    }
    return {selection.from(), std::min(selection.to(), total), most_columns};
}

} // namespace

JobTimeline measure_timeline(const config::HardwareConfig& hardware,
                             const std::vector<KernelRequest>& requests,
                             const Workload& workload,
                             const traces::Selection& selection,
                             std::size_t most_columns) {
    std::vector<Result> results;
    std::ranges::transform(
        requests, std::back_inserter(results), [&](const KernelRequest& request) {
            return run(hardware, request, workload);
        });
    check_cores(results.front(), selection);
    JobTimeline timeline{scale_of(results, selection, most_columns), std::move(results), {}};
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const Result& result = timeline.results[i];
        const Cycles total = result.statistics.total;
        const traces::TimeScale scale = timeline.scale.until(total);
        traces::PipeColumns columns(scale, selection);
        run(hardware, requests[i], workload, {&columns});
        timeline.runs.push_back({fmt::format("{}, {} cycles", result_spec(result), total.count()),
                                 total,
                                 scale,
                                 columns.rows()});
    }
    return timeline;
}

} // namespace npusim::app
