// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace npusim::traces {

/// A point of a scatter plot: something measured and something predicted, both above 0.
struct ScatterPoint {
    std::string series; ///< colour and legend go by this
    double measured = 0;
    double predicted = 0;
};

/// Predicted against measured on logarithmic axes as an SVG picture, with the diagonal and the
/// bands of 10 and 30 %. Points that fall on one another are drawn once.
std::string scatter_svg(const std::string& title,
                        const std::string& unit,
                        const std::vector<ScatterPoint>& points);

} // namespace npusim::traces
