// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/pipe_columns.h"

#include <cstddef>
#include <string>
#include <vector>

namespace npusim::traces {

/// A run as a timeline shows it.
struct TimelineRun {
    std::string title;
    Cycles total;
    TimeScale scale; ///< up to the run's end
    std::vector<PipeRow> rows;
};

/// Those with a cycle in some row, in their order.
std::vector<Activity> activities_of(const std::vector<TimelineRun>& runs);

struct TextStyle {
    std::size_t width = 100; ///< letters of a line
    bool colour = false;     ///< put in a terminal's escape sequences
};

/// The pipes of some cores against time, a letter for what a pipe mostly did in each column:
///
///     cycles 2590 to 20933, 230 a column
///
///     inverse/neumann, 20933 cycles
///                  4000      6000
///                  |         |
///     core0.cube
///       cube     ..MMMffM..MMMff..  43.1 %
///
/// The runs are drawn one below the other on `scale`, which holds them all; the figure at the end
/// of a row is how much of what is shown the pipe is busy.
std::string
text_timeline(const std::vector<TimelineRun>& runs, const TimeScale& scale, const TextStyle& style);

/// Columns that leave room for the names and figures of a text `width` letters wide.
std::size_t text_timeline_columns(std::size_t width);
/// Least and greatest width of a text.
inline constexpr std::size_t kNarrowest = 40;
inline constexpr std::size_t kWidest = 10000;

} // namespace npusim::traces
