// SPDX-License-Identifier: Apache-2.0
#include "traces/pareto_plot.h"

#include "traces/svg.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <set>

namespace npusim::traces {

namespace {

using svg::Point;

constexpr svg::Box kPlot{78, 62, 560, 420};

struct Axes {
    svg::Axis x;
    svg::Axis y;

    [[nodiscard]] Point at(const ParetoPoint& point) const {
        return {x.place(point.cycles), y.place(point.error)};
    }
};

template <class Visit> void each_point(const ParetoPlot& plot, const Visit& visit) {
    for (const ParetoSet& set : plot.sets) {
        for (const ParetoPoint& point : set.points) {
            visit(point);
        }
    }
}

Axes axes_of(const ParetoPlot& plot) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Point least{kInfinity, kInfinity};
    Point most{0, 0};
    const auto hold = [&](double cycles, double error) {
        least = {std::min(least.x, cycles), std::min(least.y, error)};
        most = {std::max(most.x, cycles), std::max(most.y, error)};
    };
    each_point(plot, [&](const ParetoPoint& point) { hold(point.cycles, point.error); });
    for (const ParetoSet& set : plot.sets) {
        if (set.limit) {
            hold(most.x, *set.limit);
        }
    }
    constexpr double kAside = 1.05; // room for the points
    constexpr double kBelow = 1.4;
    return {svg::Axis::logarithmic(least.x / kAside, most.x * kAside, kPlot.left, kPlot.right()),
            svg::Axis::logarithmic(least.y / kBelow, most.y * kBelow, kPlot.bottom(), kPlot.top)};
}

/// By cycles.
std::vector<ParetoPoint> front_of(const ParetoSet& set) {
    std::vector<ParetoPoint> front;
    std::ranges::copy_if(set.points, std::back_inserter(front), &ParetoPoint::front);
    std::ranges::sort(front, {}, &ParetoPoint::cycles);
    return front;
}

/// Down to the first point from above, then right and down from one to the next, and on to the
/// right: below and to the left of it nothing has been found.
std::vector<Point> staircase(const std::vector<ParetoPoint>& front, const Axes& axes) {
    std::vector<Point> corners{{axes.at(front.front()).x, kPlot.top}};
    for (const ParetoPoint& point : front) {
        const Point at = axes.at(point);
        if (corners.size() > 1) {
            corners.push_back({at.x, corners.back().y});
        }
        corners.push_back(at);
    }
    corners.push_back({kPlot.right(), corners.back().y});
    return corners;
}

/// Colours of the series, in the order of their names.
std::map<std::string, std::string_view> colours_of(const ParetoPlot& plot) {
    std::map<std::string, std::string_view> colours;
    each_point(plot, [&](const ParetoPoint& point) { colours[point.series]; });
    std::size_t number = 0;
    for (auto& [series, colour] : colours) {
        colour = svg::colour(number++);
    }
    return colours;
}

std::vector<svg::Key> keys_of(const ParetoPlot& plot) {
    std::vector<svg::Key> keys;
    for (const auto& [series, colour] : colours_of(plot)) {
        keys.push_back({svg::Mark::Dot, colour, series});
    }
    keys.push_back({svg::Mark::Line, "#444444", "Pareto front"});
    std::set<double> limits;
    std::size_t left_out = 0;
    for (const ParetoSet& set : plot.sets) {
        left_out += set.left_out;
        if (set.limit && limits.insert(*set.limit).second) {
            keys.push_back({svg::Mark::Dashes, "#777777", fmt::format("limit, {:g}", *set.limit)});
        }
    }
    if (left_out > 0) {
        keys.push_back({svg::Mark::Square,
                        "#ffffff",
                        fmt::format("{} not drawn: no finite {} above 0", left_out, plot.y.name)});
    }
    return keys;
}

/// The list of the fronts: "1. inverse/mixed, 20000 cycles, 1.5e-3".
std::vector<std::string> front_lines(const ParetoPlot& plot) {
    std::vector<std::string> lines;
    std::size_t number = 0;
    for (const ParetoSet& set : plot.sets) {
        if (plot.sets.size() > 1) {
            lines.push_back(set.name);
        }
        for (const ParetoPoint& point : front_of(set)) {
            lines.push_back(fmt::format("{}. {}, {:.6g} {}, {:.5g}",
                                        ++number,
                                        point.name,
                                        point.cycles,
                                        plot.x.name,
                                        point.error));
        }
    }
    return lines;
}

void draw_limits(svg::Picture& picture, const ParetoPlot& plot, const Axes& axes) {
    for (const ParetoSet& set : plot.sets) {
        if (set.limit) {
            const double y = axes.y.place(*set.limit);
            picture.line({kPlot.left, y},
                         {kPlot.right(), y},
                         {.stroke = "#777777", .width = 1.2, .dash = "4 3"});
        }
    }
}

void draw_points(svg::Picture& picture, const ParetoPlot& plot, const Axes& axes) {
    const auto colours = colours_of(plot);
    each_point(plot, [&](const ParetoPoint& point) {
        picture.circle(axes.at(point),
                       point.front ? 5 : 3.5,
                       {.fill = colours.at(point.series),
                        .stroke = point.front ? "#000000" : "none",
                        .opacity = 0.9});
    });
}

/// In the colour of their set where there are several.
void draw_fronts(svg::Picture& picture, const ParetoPlot& plot, const Axes& axes) {
    const auto colours = colours_of(plot);
    for (const ParetoSet& set : plot.sets) {
        if (const auto front = front_of(set); !front.empty()) {
            picture.polyline(
                staircase(front, axes),
                {.stroke = plot.sets.size() > 1 ? colours.at(front.front().series) : "#444444",
                 .width = 1.5});
        }
    }
}

void draw_numbers(svg::Picture& picture, const ParetoPlot& plot, const Axes& axes) {
    std::vector<svg::Label> labels;
    for (const ParetoSet& set : plot.sets) {
        for (const ParetoPoint& point : front_of(set)) {
            labels.push_back({axes.at(point), fmt::format("{}", labels.size() + 1)});
        }
    }
    std::vector<Point> points;
    each_point(plot, [&](const ParetoPoint& point) { points.push_back(axes.at(point)); });
    svg::draw_labels(picture, kPlot, labels, points);
}

} // namespace

std::string pareto_svg(const ParetoPlot& plot) {
    const svg::Legend legend(keys_of(plot));
    const std::vector<std::string> lines = front_lines(plot);
    double side = legend.width();
    for (const std::string& line : lines) {
        side = std::max(side, svg::text_width(line, 11));
    }
    const double list_top = kPlot.top + legend.height() + 14;
    std::string title = fmt::format("{} against {}", plot.x.name, plot.y.name);
    title.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(title.front())));
    svg::Picture picture(
        kPlot.right() + 24 + side + 14,
        std::max(kPlot.bottom() + 52, list_top + 15 * static_cast<double>(lines.size()) + 14),
        title,
        plot.subtitle + ". Nothing that was tried lies below and to the left of the staircase.");
    svg::draw_heading(picture, title, plot.subtitle);
    const Axes axes = axes_of(plot);
    svg::draw_axes(picture, kPlot, &axes.x, plot.x.label, axes.y, plot.y.label);
    draw_limits(picture, plot, axes);
    draw_fronts(picture, plot, axes);
    draw_points(picture, plot, axes);
    draw_numbers(picture, plot, axes);
    legend.draw(picture, {kPlot.right() + 24, kPlot.top});
    for (std::size_t i = 0; i < lines.size(); ++i) {
        picture.text({kPlot.right() + 24, list_top + 15 * static_cast<double>(i) + 10},
                     lines[i],
                     {.size = 11});
    }
    return picture.document();
}

} // namespace npusim::traces
