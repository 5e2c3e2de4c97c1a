// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"
#include "traces/pareto_plot.h"
#include "traces/roofline.h"
#include "traces/stacked_bars.h"

#include <string>
#include <vector>

/// What `npusim plot` draws, from runs and from files that npusim wrote. Files that are something
/// else are refused with a ConfigError that names the file.
namespace npusim::app {

/// Kernels under the roofs of their chip. L2's roof is what it can be read at.
traces::Roofline roofline_of(const config::HardwareConfig& hardware,
                             const std::vector<Result>& results);

/// Decoder layers by part, from files of `npusim layer --format json`: a bar per file and kind of
/// layer, and one more with the other inverse where the file has one.
traces::StackedBars layer_bars(const std::vector<std::string>& files);

/// Candidates and fronts, from files of `npusim select --format json`: a set per file.
traces::ParetoPlot pareto_of(const std::vector<std::string>& files);

} // namespace npusim::app
