// SPDX-License-Identifier: Apache-2.0
#include "traces/stacked_bars.h"

#include "traces/svg.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace npusim::traces {

namespace {

constexpr double kLeft = 84;
constexpr double kTop = 66;
constexpr double kHeight = 380;
constexpr double kLine = 15;        ///< of the words below a bar
constexpr double kNarrowSlot = 140; ///< width of a bar and its gaps, at least
constexpr double kInside = 14;      ///< height of a piece that has room for its share

double sum_of(const Bar& bar) {
    return std::accumulate(bar.pieces.begin(), bar.pieces.end(), 0.0);
}

/// Wide enough that the words of neighbours do not meet.
double slot_width(const StackedBars& chart) {
    double width = kNarrowSlot;
    for (const Bar& bar : chart.bars) {
        for (const std::string& line : bar.words) {
            width = std::max(width, svg::text_width(line, 11) + 12);
        }
    }
    return width;
}

double words_height(const StackedBars& chart) {
    std::size_t lines = 0;
    for (const Bar& bar : chart.bars) {
        lines = std::max(lines, bar.words.size());
    }
    return kLine * static_cast<double>(lines) + 14;
}

/// From above to below, as the pieces lie.
svg::Legend legend_of(const StackedBars& chart) {
    std::vector<svg::Key> keys;
    for (std::size_t part = chart.parts.size(); part-- > 0;) {
        if (std::ranges::any_of(chart.bars,
                                [part](const Bar& bar) { return bar.pieces[part] > 0; })) {
            keys.push_back({svg::Mark::Square, svg::colour(part), chart.parts[part]});
        }
    }
    return svg::Legend(keys);
}

/// White words on dark colours, black ones on light.
std::string_view ink_on(std::string_view colour) {
    constexpr auto kBright = 130.0;
    const auto channel = [&](std::size_t at) {
        return static_cast<double>(std::stoi(std::string(colour.substr(at, 2)), nullptr, 16));
    };
    const double brightness = 0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5);
    return brightness < kBright ? "#ffffff" : "#000000";
}

/// The share of a piece: in it, or to its right if it is too low, as long as the shares there keep
/// apart; `free_below` is where the last of them begins.
void draw_share(svg::Picture& picture,
                const svg::Box& piece,
                double share,
                std::string_view colour,
                double& free_below) {
    constexpr double kSize = 11;
    constexpr double kLeastShown = 1e-3;
    const std::string words = fmt::format("{:.1f} %", 100 * share);
    const double line = piece.top + piece.height / 2 + 4;
    if (piece.height >= kInside) {
        picture.text({piece.left + piece.width / 2, line},
                     words,
                     {.anchor = svg::Anchor::Middle, .size = kSize, .colour = ink_on(colour)});
    } else if (share >= kLeastShown && line <= free_below) {
        picture.text({piece.right() + 4, line}, words, {.size = kSize});
        free_below = line - kSize;
    }
}

void draw_bar(
    svg::Picture& picture, const Bar& bar, const svg::Axis& y, double left, double width) {
    const double all = sum_of(bar);
    double below = 0;
    double free_below = y.place(0);
    for (std::size_t part = 0; part < bar.pieces.size(); ++part) {
        if (bar.pieces[part] <= 0) {
            continue;
        }
        const double bottom = y.place(below);
        below += bar.pieces[part];
        const double top = y.place(below);
        const svg::Box piece{left, top, width, bottom - top};
        picture.rect(piece, {.fill = svg::colour(part), .stroke = "#ffffff", .width = 0.5});
        draw_share(picture, piece, bar.pieces[part] / all, svg::colour(part), free_below);
    }
    picture.text({left + width / 2, y.place(all) - 5},
                 svg::figure(all),
                 {.anchor = svg::Anchor::Middle, .size = 11, .bold = true});
}

void draw_words(svg::Picture& picture, const Bar& bar, double centre, double top) {
    for (std::size_t line = 0; line < bar.words.size(); ++line) {
        picture.text({centre, top + kLine * static_cast<double>(line + 1) + 2},
                     bar.words[line],
                     {.anchor = svg::Anchor::Middle, .size = 11});
    }
}

} // namespace

std::string stacked_bars_svg(const StackedBars& chart) {
    const double slot = slot_width(chart);
    const svg::Box plot{kLeft, kTop, slot * static_cast<double>(chart.bars.size()), kHeight};
    const svg::Legend legend = legend_of(chart);
    const double heading = svg::text_width(chart.subtitle, 11) + 28;
    svg::Picture picture(std::max(heading, plot.right() + 24 + legend.width() + 14),
                         plot.bottom() + words_height(chart),
                         chart.title,
                         chart.subtitle + ". Stacked bars, " + chart.unit +
                             "; the share of a piece of its bar stands in it.");
    svg::draw_heading(picture, chart.title, chart.subtitle);
    double most = 0;
    for (const Bar& bar : chart.bars) {
        most = std::max(most, sum_of(bar));
    }
    const svg::Axis y = svg::Axis::linear(most * 1.04, plot.bottom(), plot.top);
    svg::draw_axes(picture, plot, nullptr, "", y, chart.unit);
    const double width = std::min(slot - 80, 96.0);
    for (std::size_t i = 0; i < chart.bars.size(); ++i) {
        const double centre = plot.left + slot * (static_cast<double>(i) + 0.5);
        draw_bar(picture, chart.bars[i], y, centre - width / 2, width);
        draw_words(picture, chart.bars[i], centre, plot.bottom());
    }
    legend.draw(picture, {plot.right() + 24, plot.top});
    return picture.document();
}

} // namespace npusim::traces
