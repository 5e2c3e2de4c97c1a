// SPDX-License-Identifier: Apache-2.0
#include "traces/scatter.h"

#include "traces/svg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace npusim::traces {

namespace {

using svg::Point;

constexpr svg::Box kPlot{74, 62, 520, 520};

/// The same values along both sides.
struct Axes {
    svg::Axis x;
    svg::Axis y;

    [[nodiscard]] Point at(double measured, double predicted) const {
        return {x.place(measured), y.place(predicted)};
    }
};

Axes axes_of(const std::vector<ScatterPoint>& points) {
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (const ScatterPoint& point : points) {
        least = std::min({least, point.measured, point.predicted});
        most = std::max({most, point.measured, point.predicted});
    }
    if (points.empty()) {
        least = most = 1;
    }
    return {svg::Axis::logarithmic(least, most, kPlot.left, kPlot.right()),
            svg::Axis::logarithmic(least, most, kPlot.bottom(), kPlot.top)};
}

/// The strip between predicted = measured / (1 + off) and measured * (1 + off).
void draw_band(svg::Picture& picture, const Axes& axes, double off, std::string_view fill) {
    const double low = axes.x.least();
    const double high = axes.x.most();
    const double up = 1 + off;
    picture.polygon({axes.at(low, low),
                     axes.at(low, low * up),
                     axes.at(high / up, high),
                     axes.at(high, high),
                     axes.at(high, high / up),
                     axes.at(low * up, low)},
                    {.fill = fill});
}

/// Places by series, in whole pixels.
std::map<std::string, std::set<std::pair<double, double>>>
places_of(const std::vector<ScatterPoint>& points, const Axes& axes) {
    std::map<std::string, std::set<std::pair<double, double>>> series;
    for (const ScatterPoint& point : points) {
        const Point place = axes.at(point.measured, point.predicted);
        series[point.series].emplace(std::round(place.x), std::round(place.y));
    }
    return series;
}

} // namespace

std::string scatter_svg(const std::string& title,
                        const std::string& unit,
                        const std::vector<ScatterPoint>& points) {
    const Axes axes = axes_of(points);
    const auto series = places_of(points, axes);
    std::vector<svg::Key> keys;
    for (const auto& [name, places] : series) {
        const bool again = keys.size() >= svg::kColours.size();
        keys.push_back({again ? svg::Mark::Ring : svg::Mark::Dot, svg::colour(keys.size()), name});
    }
    const svg::Legend legend(keys);
    svg::Picture picture(kPlot.right() + 24 + legend.width() + 14,
                         std::max(kPlot.bottom() + 52, kPlot.top + legend.height() + 14),
                         title,
                         "Predicted against measured " + unit +
                             "; bands of 10 and 30 % lie round the diagonal.");
    svg::draw_heading(picture, title, "bands: 10 and 30 %");
    draw_band(picture, axes, 0.3, "#e8e8e8");
    draw_band(picture, axes, 0.1, "#c8c8c8");
    svg::draw_axes(picture, kPlot, &axes.x, "measured, " + unit, axes.y, "predicted, " + unit);
    auto key = keys.begin();
    for (const auto& [name, places] : series) {
        const svg::Paint paint{.fill = key->mark == svg::Mark::Ring ? "none" : key->colour,
                               .stroke = key->colour,
                               .opacity = 0.7};
        for (const auto& [x, y] : places) {
            picture.circle({x, y}, 3, paint);
        }
        ++key;
    }
    legend.draw(picture, {kPlot.right() + 24, kPlot.top});
    return picture.document();
}

} // namespace npusim::traces
