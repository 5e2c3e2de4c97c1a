// SPDX-License-Identifier: Apache-2.0
#include "traces/scatter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace npusim::traces {

namespace {

constexpr double kSide = 520; ///< of the square the points are in
constexpr double kLeft = 70;
constexpr double kTop = 40;
constexpr double kLegend = 210;
/// Colours that people who see red and green alike can tell apart (Okabe and Ito), and two more.
constexpr std::array kColours{std::string_view("#0072b2"),
                              std::string_view("#d55e00"),
                              std::string_view("#009e73"),
                              std::string_view("#cc79a7"),
                              std::string_view("#e69f00"),
                              std::string_view("#56b4e9"),
                              std::string_view("#b0a400"),
                              std::string_view("#777777"),
                              std::string_view("#000000"),
                              std::string_view("#7a3fa0")};

/// Decades that hold all points.
struct Decades {
    int first = 0;
    int last = 1;

    explicit Decades(const std::vector<ScatterPoint>& points) {
        double least = 1e300;
        double most = 0;
        for (const ScatterPoint& point : points) {
            least = std::min({least, point.measured, point.predicted});
            most = std::max({most, point.measured, point.predicted});
        }
        if (most > 0) {
            first = static_cast<int>(std::floor(std::log10(least)));
            last = std::max(first + 1, static_cast<int>(std::ceil(std::log10(most))));
        }
    }
    [[nodiscard]] double x(double value) const { return kLeft + kSide * share(value); }
    [[nodiscard]] double y(double value) const { return kTop + kSide * (1 - share(value)); }

  private:
    [[nodiscard]] double share(double value) const {
        return (std::log10(value) - first) / (last - first);
    }
};

std::string text(double x, double y, std::string_view anchor, std::string_view words) {
    return fmt::format(
        "<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, words);
}

/// The strip between predicted = measured / (1 + off) and measured * (1 + off).
std::string band(const Decades& axes, double off, std::string_view fill) {
    const double low = std::pow(10, axes.first);
    const double high = std::pow(10, axes.last);
    const double up = 1 + off;
    return fmt::format("<polygon fill=\"{}\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} "
                       "{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\"/>\n",
                       fill,
                       axes.x(low),
                       axes.y(low),
                       axes.x(low),
                       axes.y(low * up),
                       axes.x(high / up),
                       axes.y(high),
                       axes.x(high),
                       axes.y(high),
                       axes.x(high),
                       axes.y(high / up),
                       axes.x(low * up),
                       axes.y(low));
}

std::string frame(const Decades& axes, const std::string& title, const std::string& unit) {
    std::string svg = band(axes, 0.3, "#e8e8e8") + band(axes, 0.1, "#c8c8c8");
    for (int decade = axes.first; decade <= axes.last; ++decade) {
        const double value = std::pow(10, decade);
        svg += fmt::format("<path d=\"M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}H{:.1f}\" "
                           "stroke=\"#999\" stroke-width=\"0.5\"/>\n",
                           axes.x(value),
                           kTop,
                           kTop + kSide,
                           kLeft,
                           axes.y(value),
                           kLeft + kSide);
        svg += text(axes.x(value), kTop + kSide + 16, "middle", fmt::format("{:g}", value));
        svg += text(kLeft - 6, axes.y(value) + 4, "end", fmt::format("{:g}", value));
    }
    svg += text(kLeft + kSide / 2, kTop + kSide + 36, "middle", "measured, " + unit);
    svg += fmt::format("<text transform=\"translate(16 {:.0f}) rotate(-90)\" "
                       "text-anchor=\"middle\">predicted, {}</text>\n",
                       kTop + kSide / 2,
                       unit);
    svg += text(kLeft, kTop - 14, "start", title + "; bands: 10 and 30 %");
    return svg;
}

} // namespace

std::string scatter_svg(const std::string& title,
                        const std::string& unit,
                        const std::vector<ScatterPoint>& points) {
    const Decades axes(points);
    std::map<std::string, std::set<std::pair<int, int>>> series;
    for (const ScatterPoint& point : points) {
        series[point.series].emplace(static_cast<int>(std::lround(axes.x(point.measured))),
                                     static_cast<int>(std::lround(axes.y(point.predicted))));
    }
    const double width = kLeft + kSide + kLegend;
    const double height = kTop + kSide + 50;
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"white\"/>\n",
        width,
        height);
    svg += frame(axes, title, unit);
    std::size_t number = 0;
    for (const auto& [name, places] : series) {
        const std::string_view colour = kColours[std::min(number, kColours.size() - 1)];
        const bool open = number >= kColours.size();
        svg += fmt::format(
            "<g fill=\"{}\" stroke=\"{}\" stroke-opacity=\"0.8\" fill-opacity=\"0.6\">\n",
            open ? "none" : colour,
            colour);
        for (const auto& [x, y] : places) {
            svg += fmt::format(R"(<circle cx="{}" cy="{}" r="3"/>)", x, y);
        }
        const double at = kTop + 18 * static_cast<double>(number) + 8;
        svg += fmt::format(
            "<circle cx=\"{:.0f}\" cy=\"{:.0f}\" r=\"4\"/>\n</g>\n", kLeft + kSide + 20, at);
        svg += text(kLeft + kSide + 32, at + 4, "start", name);
        ++number;
    }
    return svg + "</svg>\n";
}

} // namespace npusim::traces
