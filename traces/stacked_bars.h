// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace npusim::traces {

/// One bar, from below upwards.
struct Bar {
    std::vector<std::string> words; ///< lines below it
    std::vector<double> pieces;     ///< by part, none below 0
};

struct StackedBars {
    std::string title;
    std::string subtitle;
    std::string unit; ///< title of the axis
    std::vector<std::string> parts;
    std::vector<Bar> bars; ///< at least one
};

/// Bars beside each other on a linear axis from 0 as an SVG picture; the share of a piece stands
/// in it where there is room, the sum above the bar. Parts no bar has are left out.
std::string stacked_bars_svg(const StackedBars& chart);

} // namespace npusim::traces
