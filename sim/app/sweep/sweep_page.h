// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/sweep/sweep_report.h"

#include <string>

namespace npusim::app {

/// The report page of a sweep. `command` made it.
std::string sweep_page(const std::string& command, const SweepReport& report);

/// The first two objectives that are to be minimised, against each other, as an SVG picture. Throws
/// ConfigError where there are not two, or no point has both above 0.
std::string sweep_svg(const SweepReport& report);

} // namespace npusim::app
