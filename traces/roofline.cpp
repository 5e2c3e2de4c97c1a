// SPDX-License-Identifier: Apache-2.0
#include "traces/roofline.h"

#include "traces/svg.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace npusim::traces {

namespace {

using svg::Point;

constexpr svg::Box kPlot{74, 62, 560, 420};
constexpr std::string_view kHbmColour = "#444444";
constexpr std::string_view kL2Colour = "#888888";
constexpr std::string_view kPeakColour = "#000000";

/// What has to be in sight: the kernels and the places where the roofs meet the peak.
struct Extent {
    double least = std::numeric_limits<double>::infinity();
    double most = 0;

    void hold(double value) {
        if (value > 0) {
            least = std::min(least, value);
            most = std::max(most, value);
        }
    }
    /// Room on both sides.
    [[nodiscard]] svg::Axis axis(double begin, double end) const {
        return svg::Axis::logarithmic(least / 1.5, most * 1.5, begin, end);
    }
};

struct Axes {
    svg::Axis x;
    svg::Axis y;

    [[nodiscard]] Point at(double intensity, double gflops) const {
        return {x.place(intensity), y.place(gflops)};
    }
};

Axes axes_of(const Roofline& roofline) {
    Extent intensity;
    Extent gflops;
    for (const RooflineKernel& kernel : roofline.kernels) {
        intensity.hold(kernel.hbm_intensity);
        intensity.hold(kernel.l2_intensity);
        gflops.hold(kernel.gflops);
    }
    if (roofline.peak_gflops) {
        gflops.hold(*roofline.peak_gflops);
        intensity.hold(*roofline.peak_gflops / roofline.hbm.gbps);
        intensity.hold(*roofline.peak_gflops / roofline.l2.gbps);
    } else {
        gflops.hold(intensity.most * std::max(roofline.hbm.gbps, roofline.l2.gbps));
    }
    return {intensity.axis(kPlot.left, kPlot.right()), gflops.axis(kPlot.bottom(), kPlot.top)};
}

/// A slope from where it enters the plot to the peak or the edge.
void draw_roof(svg::Picture& picture,
               const Axes& axes,
               const Roof& roof,
               double peak,
               const svg::Paint& paint) {
    const double from = std::max(axes.x.least(), axes.y.least() / roof.gbps);
    const double to = std::min({axes.x.most(), axes.y.most() / roof.gbps, peak / roof.gbps});
    if (from < to) {
        picture.line(axes.at(from, from * roof.gbps), axes.at(to, to * roof.gbps), paint);
    }
}

void draw_roofs(svg::Picture& picture, const Roofline& roofline, const Axes& axes) {
    const double peak = roofline.peak_gflops.value_or(std::numeric_limits<double>::infinity());
    draw_roof(picture, axes, roofline.hbm, peak, {.stroke = kHbmColour, .width = 2});
    draw_roof(picture, axes, roofline.l2, peak, {.stroke = kL2Colour, .width = 2, .dash = "6 4"});
    if (roofline.peak_gflops) {
        const double from = peak / std::max(roofline.hbm.gbps, roofline.l2.gbps);
        picture.line(axes.at(std::max(from, axes.x.least()), peak),
                     axes.at(axes.x.most(), peak),
                     {.stroke = kPeakColour, .width = 2});
    }
}

/// The kernel's places, dot first; those it has.
void draw_kernel(svg::Picture& picture,
                 const Axes& axes,
                 const RooflineKernel& kernel,
                 std::string_view colour) {
    if (kernel.l2_intensity > 0) {
        picture.circle(axes.at(kernel.l2_intensity, kernel.gflops),
                       4,
                       {.fill = "#ffffff", .stroke = colour, .width = 1.5});
    }
    if (kernel.hbm_intensity > 0) {
        picture.circle(axes.at(kernel.hbm_intensity, kernel.gflops), 4.5, {.fill = colour});
    }
}

std::vector<svg::Label> labels_of(const Roofline& roofline, const Axes& axes) {
    std::vector<svg::Label> labels;
    for (std::size_t i = 0; i < roofline.kernels.size(); ++i) {
        const RooflineKernel& kernel = roofline.kernels[i];
        for (const double intensity : {kernel.hbm_intensity, kernel.l2_intensity}) {
            if (intensity > 0) {
                labels.push_back({axes.at(intensity, kernel.gflops), fmt::format("{}", i + 1)});
            }
        }
    }
    return labels;
}

svg::Legend legend_of(const Roofline& roofline) {
    std::vector<svg::Key> keys;
    const auto roof = [](const Roof& each) {
        return fmt::format("{}, {} GB/s", each.name, svg::figure(each.gbps));
    };
    if (roofline.peak_gflops) {
        keys.push_back({svg::Mark::Line,
                        kPeakColour,
                        fmt::format("{}, {} GFLOP/s",
                                    roofline.peak_name,
                                    svg::figure(*roofline.peak_gflops))});
    }
    keys.push_back({svg::Mark::Line, kHbmColour, roof(roofline.hbm)});
    keys.push_back({svg::Mark::Dashes, kL2Colour, roof(roofline.l2)});
    keys.push_back({svg::Mark::Dot, kHbmColour, "flops per byte of HBM"});
    keys.push_back({svg::Mark::Ring, kHbmColour, "flops per byte read from L2"});
    for (std::size_t i = 0; i < roofline.kernels.size(); ++i) {
        const RooflineKernel& kernel = roofline.kernels[i];
        keys.push_back(
            {svg::Mark::Dot,
             svg::colour(i),
             fmt::format("{}. {}, {} GFLOP/s", i + 1, kernel.name, svg::figure(kernel.gflops))});
    }
    return svg::Legend(keys);
}

} // namespace

std::string roofline_svg(const Roofline& roofline) {
    const svg::Legend legend = legend_of(roofline);
    const std::string title = "Roofline";
    svg::Picture picture(kPlot.right() + 24 + legend.width() + 14,
                         std::max(kPlot.bottom() + 52, kPlot.top + legend.height() + 14),
                         title,
                         roofline.subtitle + ". Dots are kernels at their flops per byte of HBM, "
                                             "rings the same at their flops per byte read from "
                                             "L2; lines are what the chip can do.");
    svg::draw_heading(picture, title, roofline.subtitle);
    const Axes axes = axes_of(roofline);
    svg::draw_axes(picture,
                   kPlot,
                   &axes.x,
                   "useful flops per byte",
                   axes.y,
                   "useful GFLOP/s, launch included");
    draw_roofs(picture, roofline, axes);
    for (std::size_t i = 0; i < roofline.kernels.size(); ++i) {
        draw_kernel(picture, axes, roofline.kernels[i], svg::colour(i));
    }
    svg::draw_labels(picture, kPlot, labels_of(roofline, axes));
    legend.draw(picture, {kPlot.right() + 24, kPlot.top});
    return picture.document();
}

} // namespace npusim::traces
