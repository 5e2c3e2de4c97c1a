// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/text_timeline.h"

#include <cstddef>
#include <string>
#include <vector>

namespace npusim::traces {

/// Columns of a Gantt chart: pixels of its time axis.
inline constexpr std::size_t kGanttColumns = 1000;

/// The pipes of some cores against time as an SVG picture, the runs one below the other on
/// `scale`, which holds them all and has at most kGanttColumns columns. Where a column holds
/// several activities, each takes its share of the row's height: the area of a colour is its
/// cycles, and the picture does not grow with the run.
std::string gantt_svg(const std::string& subtitle,
                      const std::vector<TimelineRun>& runs,
                      const TimeScale& scale,
                      double clock_mhz);

} // namespace npusim::traces
