// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace npusim::traces {

/// Something that ran, both figures above 0: cycles and error, or what else the plot says.
struct ParetoPoint {
    std::string series; ///< colour and legend go by this
    std::string name;
    double cycles = 0;
    double error = 0;
    bool front = false;
};

/// Points whose front is drawn as one staircase. Where there are several sets, each is one series.
struct ParetoSet {
    std::string name; ///< of what they were measured on; in the legend where there are several
    std::vector<ParetoPoint> points;
    std::optional<double> limit; ///< of the error
    std::size_t left_out = 0;    ///< candidates without both figures
};

/// What a direction of the plot shows.
struct ParetoAxis {
    std::string name;  ///< in the title and in lists
    std::string label; ///< beside the axis
};

struct ParetoPlot {
    std::string subtitle;
    std::vector<ParetoSet> sets; ///< with at least one point in all
    ParetoAxis x{"cycles", "cycles after launch"};
    ParetoAxis y{"error", "worst relative Frobenius error"};
};

/// One figure against another, both logarithmic, as an SVG picture: the points, the front of each
/// set as a staircase with its points numbered as in the legend, and the limits.
std::string pareto_svg(const ParetoPlot& plot);

} // namespace npusim::traces
