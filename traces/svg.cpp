// SPDX-License-Identifier: Apache-2.0
#include "traces/svg.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <utility>

namespace npusim::traces::svg {

namespace {

constexpr double kSwatch = 12;     ///< side of a legend's square
constexpr double kLegendLine = 18; ///< height of a legend's row
constexpr double kLegendGap = 16;  ///< between two keys of a row
constexpr double kLabelSize = 11;
constexpr std::string_view kGrid = "#d9d9d9";
constexpr std::string_view kFrame = "#444444";
constexpr std::array<std::string_view, 3> kAnchors{"start", "middle", "end"};

std::string attributes(const Paint& paint) {
    std::string text = fmt::format(R"( fill="{}")", paint.fill);
    if (paint.stroke != "none") {
        text +=
            fmt::format(R"( stroke="{}" stroke-width="{}")", paint.stroke, coordinate(paint.width));
    }
    if (paint.dash != "none") {
        text += fmt::format(R"( stroke-dasharray="{}")", paint.dash);
    }
    if (paint.opacity < 1) {
        text += fmt::format(R"( opacity="{}")", coordinate(paint.opacity));
    }
    return text;
}

std::string list(const std::vector<Point>& points) {
    std::string text;
    for (const Point& point : points) {
        text += fmt::format(
            "{}{},{}", text.empty() ? "" : " ", coordinate(point.x), coordinate(point.y));
    }
    return text;
}

/// The last of 1, 2, 5, 10, 20, ... that does not exceed `value`, which is above 0.
double round_down(double value) {
    const double decade = std::pow(10, std::floor(std::log10(value) + 1e-9));
    const double leading = value / decade * (1 + 1e-9);
    return decade * (leading >= 5 ? 5 : leading >= 2 ? 2 : 1);
}

/// The first of them that is not less.
double round_up(double value) {
    const double down = round_down(value);
    return down >= value * (1 - 1e-9) ? down : round_down(down * 2.51);
}

/// "20000", "0.5", "1e-4"
std::string number(double value) {
    if (value != 0 && (std::abs(value) >= 1e6 || std::abs(value) < 1e-2)) {
        const auto decade = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
        return fmt::format("{:.3g}e{}", value / std::pow(10, decade), decade);
    }
    return fmt::format("{:.10g}", value);
}

/// Every power of ten, also 2 and 5 times where those are few.
std::vector<Tick> logarithmic_ticks(double least, double most) {
    std::vector<Tick> ticks;
    const bool sparse = most / least <= 1.1e3;
    for (double value = least; value <= most * 1.0001; value = round_up(value * 1.01)) {
        const double decade = std::log10(value);
        if (sparse || std::abs(decade - std::round(decade)) < 1e-6) {
            ticks.push_back({value, number(value)});
        }
    }
    return ticks;
}

void draw_mark(Picture& picture, Point at, const Key& key) {
    const Point centre{at.x + kSwatch / 2, at.y + kSwatch / 2};
    switch (key.mark) {
    case Mark::Square:
        picture.rect({at.x, at.y, kSwatch, kSwatch},
                     {.fill = key.colour, .stroke = "#666666", .width = 0.5});
        break;
    case Mark::Dot:
        picture.circle(centre, 4, {.fill = key.colour});
        break;
    case Mark::Ring:
        picture.circle(centre, 4, {.fill = "#ffffff", .stroke = key.colour, .width = 1.5});
        break;
    case Mark::Line:
    case Mark::Dashes:
        picture.line(
            {at.x, centre.y},
            {at.x + kSwatch, centre.y},
            {.stroke = key.colour, .width = 2, .dash = key.mark == Mark::Line ? "none" : "3 2"});
        break;
    }
}

double key_width(const Key& key) {
    return kSwatch + 6 + text_width(key.words);
}

/// Labels of points that cannot be told apart as one: "2, 3".
std::vector<Label> joined(const std::vector<Label>& labels) {
    constexpr double kSame = 4;
    std::vector<Label> all;
    for (const Label& label : labels) {
        const auto same = std::ranges::find_if(all, [&](const Label& other) {
            return std::hypot(other.point.x - label.point.x, other.point.y - label.point.y) < kSame;
        });
        if (same == all.end()) {
            all.push_back(label);
        } else {
            same->words += ", " + label.words;
        }
    }
    return all;
}

/// Eighths of a turn, in the order in which a label tries them: between the directions in which
/// lines mostly go, then along these.
constexpr std::array kTurns{1, 7, 3, 5, 0, 2, 4, 6};

/// A place for `label` in a direction, `ring` steps from its point.
Box label_box(const Label& label, int turn, int ring) {
    constexpr double kStep = 10;
    const double width = text_width(label.words, kLabelSize) + 4; // apart from others
    const double height = kLabelSize;
    const double angle = turn * std::numbers::pi / 4;
    const double far = kStep * ring;
    const double x = label.point.x + std::cos(angle) * (far + width / 2);
    const double y = label.point.y - std::sin(angle) * (far + height / 2);
    return {x - width / 2, y - height / 2, width, height};
}

/// The first of its places that `is_free`; where there is none, the first of all.
template <class IsFree> Box first_place(const Label& label, const IsFree& is_free) {
    constexpr int kRings = 40;
    for (int ring = 1; ring <= kRings; ++ring) {
        for (const int turn : kTurns) {
            if (const Box place = label_box(label, turn, ring); is_free(place)) {
                return place;
            }
        }
    }
    return label_box(label, kTurns.front(), 1);
}

} // namespace

bool Box::meets(const Box& other) const {
    return left < other.right() && other.left < right() && top < other.bottom() &&
           other.top < bottom();
}

bool Box::holds(const Box& other) const {
    return other.left >= left && other.right() <= right() && other.top >= top &&
           other.bottom() <= bottom();
}

std::string escape(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
        case '&':
            safe += "&amp;";
            break;
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
        }
    }
    return safe;
}

std::string coordinate(double value) {
    std::string text = fmt::format("{:.2f}", value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
        text.pop_back();
    }
    return text == "-0" ? "0" : text;
}

std::string figure(double value) {
    return std::abs(value) < 1000 ? fmt::format("{:.4g}", value) : fmt::format("{:.0f}", value);
}

double text_width(std::string_view text, double size) {
    constexpr double kMean = 0.58; // of the size, in DejaVu Sans, the widest of the usual ones
    return kMean * size * static_cast<double>(text.size());
}

Picture::Picture(double width, double height, std::string_view title, std::string_view description)
    : body_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{0}\" "
                        "height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"Helvetica, Arial, "
                        "sans-serif\" font-size=\"12\">\n<title>{2}</title>\n<desc>{3}</desc>\n",
                        coordinate(width),
                        coordinate(height),
                        escape(title),
                        escape(description))) {
    rect({0, 0, width, height}, {.fill = "#ffffff"});
}

void Picture::rect(const Box& box, const Paint& paint) {
    body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>\n",
                         coordinate(box.left),
                         coordinate(box.top),
                         coordinate(box.width),
                         coordinate(box.height),
                         attributes(paint));
}

void Picture::line(Point from, Point to, const Paint& paint) {
    polyline({from, to}, paint);
}

void Picture::polyline(const std::vector<Point>& points, const Paint& paint) {
    body_ += fmt::format("<polyline points=\"{}\"{}/>\n", list(points), attributes(paint));
}

void Picture::polygon(const std::vector<Point>& points, const Paint& paint) {
    body_ += fmt::format("<polygon points=\"{}\"{}/>\n", list(points), attributes(paint));
}

void Picture::circle(Point centre, double radius, const Paint& paint) {
    body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n",
                         coordinate(centre.x),
                         coordinate(centre.y),
                         coordinate(radius),
                         attributes(paint));
}

void Picture::path(std::string_view data, const Paint& paint) {
    body_ += fmt::format("<path d=\"{}\"{}/>\n", data, attributes(paint));
}

void Picture::text(Point at, std::string_view words, const Lettering& lettering) {
    const std::string place =
        lettering.upright ? fmt::format("transform=\"translate({} {}) rotate(-90)\"",
                                        coordinate(at.x),
                                        coordinate(at.y))
                          : fmt::format(R"(x="{}" y="{}")", coordinate(at.x), coordinate(at.y));
    body_ += fmt::format("<text {} text-anchor=\"{}\" font-size=\"{}\" fill=\"{}\"{}>{}</text>\n",
                         place,
                         kAnchors[static_cast<std::size_t>(lettering.anchor)],
                         coordinate(lettering.size),
                         lettering.colour,
                         lettering.bold ? " font-weight=\"bold\"" : "",
                         escape(words));
}

Axis::Axis(bool logarithmic, double least, double most, double begin, double end)
    : logarithmic_(logarithmic), least_(least), most_(most), begin_(begin), end_(end) {}

Axis Axis::linear(double most, double begin, double end) {
    constexpr double kTicks = 6;
    const double step = round_up(std::max(most, 1e-9) / kTicks);
    Axis axis(false, 0, step * std::max(1.0, std::ceil(most / step)), begin, end);
    axis.ticks_ = round_ticks(0, axis.most_, kTicks);
    return axis;
}

Axis Axis::logarithmic(double least, double most, double begin, double end) {
    assert(least > 0 && most >= least);
    const double low = round_down(least);
    Axis axis(true, low, std::max(round_up(most), round_up(low * 1.01)), begin, end);
    axis.ticks_ = logarithmic_ticks(axis.least_, axis.most_);
    return axis;
}

double Axis::place(double value) const {
    const double share = logarithmic_ ? std::log(value / least_) / std::log(most_ / least_)
                                      : (value - least_) / (most_ - least_);
    return begin_ + share * (end_ - begin_);
}

std::vector<Tick> round_ticks(double least, double most, double count) {
    const double step = round_up((most - least) / count);
    std::vector<Tick> ticks;
    for (double n = std::ceil(least / step); n * step <= most * (1 + 1e-9); ++n) {
        ticks.push_back({n * step, number(n * step)});
    }
    return ticks;
}

void draw_axes(Picture& picture,
               const Box& plot,
               const Axis* x,
               std::string_view x_title,
               const Axis& y,
               std::string_view y_title) {
    const Paint grid{.stroke = kGrid, .width = 0.5};
    for (const Tick& tick : y.ticks()) {
        const double at = y.place(tick.value);
        picture.line({plot.left, at}, {plot.right(), at}, grid);
        picture.text({plot.left - 6, at + 4}, tick.label, {.anchor = Anchor::End});
    }
    if (x != nullptr) {
        for (const Tick& tick : x->ticks()) {
            const double at = x->place(tick.value);
            picture.line({at, plot.top}, {at, plot.bottom()}, grid);
            picture.text({at, plot.bottom() + 16}, tick.label, {.anchor = Anchor::Middle});
        }
    }
    picture.rect(plot, {.stroke = kFrame, .width = 0.8});
    picture.text(
        {plot.left + plot.width / 2, plot.bottom() + 36}, x_title, {.anchor = Anchor::Middle});
    picture.text(
        {18, plot.top + plot.height / 2}, y_title, {.anchor = Anchor::Middle, .upright = true});
}

void draw_heading(Picture& picture, std::string_view title, std::string_view subtitle) {
    picture.text({14, 22}, title, {.size = 14, .bold = true});
    picture.text({14, 40}, subtitle, {.size = 11, .colour = kFrame});
}

Legend::Legend(std::vector<Key> keys, double width) : keys_(std::move(keys)) {
    Point at;
    for (const Key& key : keys_) {
        if (!places_.empty() && at.x + key_width(key) > width) {
            at = {0, at.y + kLegendLine};
        }
        places_.push_back(at);
        at.x += key_width(key) + kLegendGap;
    }
}

double Legend::width() const {
    double most = 0;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        most = std::max(most, places_[i].x + key_width(keys_[i]));
    }
    return most;
}

double Legend::height() const {
    return places_.empty() ? 0 : places_.back().y + kLegendLine;
}

void Legend::draw(Picture& picture, Point at) const {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const Point place{at.x + places_[i].x, at.y + places_[i].y};
        draw_mark(picture, place, keys_[i]);
        picture.text({place.x + kSwatch + 6, place.y + kSwatch - 2}, keys_[i].words);
    }
}

std::vector<Box>
place_labels(const Box& plot, const std::vector<Label>& labels, std::vector<Point> points) {
    constexpr double kClear = 5; // round a point
    for (const Label& label : labels) {
        points.push_back(label.point);
    }
    std::vector<Box> boxes;
    const auto is_free = [&](const Box& box) {
        return plot.holds(box) &&
               std::ranges::none_of(
                   points,
                   [&](const Point& point) {
                       return box.meets(
                           {point.x - kClear, point.y - kClear, 2 * kClear, 2 * kClear});
                   }) &&
               std::ranges::none_of(boxes, [&](const Box& other) { return box.meets(other); });
    };
    for (const Label& label : labels) {
        boxes.push_back(first_place(label, is_free));
    }
    return boxes;
}

void draw_labels(Picture& picture,
                 const Box& plot,
                 const std::vector<Label>& separate,
                 std::vector<Point> points) {
    const std::vector<Label> labels = joined(separate);
    const std::vector<Box> boxes = place_labels(plot, labels, std::move(points));
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const Box& box = boxes[i];
        const Point centre{box.left + box.width / 2, box.top + box.height / 2};
        const Point point = labels[i].point;
        const double x = std::clamp(point.x, box.left, box.right());
        const double y = std::clamp(point.y, box.top, box.bottom());
        if (std::hypot(x - point.x, y - point.y) > 12) {
            picture.line({x, y}, point, {.stroke = "#999999", .width = 0.5});
        }
        picture.text({centre.x, box.bottom() - 2},
                     labels[i].words,
                     {.anchor = Anchor::Middle, .size = kLabelSize});
    }
}

} // namespace npusim::traces::svg
