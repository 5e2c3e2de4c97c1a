// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"
#include "traces/selection.h"
#include "traces/text_timeline.h"

#include <cstddef>
#include <string>
#include <vector>

namespace npusim::app {

/// Kernels of one job and what the pipes of some cores did meanwhile, on one time scale.
struct JobTimeline {
    traces::TimeScale scale; ///< up to the end of the longest run, or of the window
    std::vector<Result> results;
    std::vector<traces::TimelineRun> runs; ///< of the results
};

/// Runs each kernel twice: how long it takes says how long a column is. Columns are as many as fit
/// into `most_columns`. Throws ConfigError if the chip has none of the cores selected, or no run
/// lasts until the window.
JobTimeline measure_timeline(const config::HardwareConfig& hardware,
                             const std::vector<KernelRequest>& requests,
                             const Workload& workload,
                             const traces::Selection& selection,
                             std::size_t most_columns);

/// Cycles of each column by activity, pipe by pipe; activities a pipe has no cycle of are left out.
std::string timeline_json(const JobTimeline& timeline);
/// A line per kernel, core, pipe and column.
std::string timeline_csv(const JobTimeline& timeline);

} // namespace npusim::app
