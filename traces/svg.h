// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What the pictures have in common: a document of shapes and words, axes, a legend, labels beside
/// points. Places are in pixels from the upper left corner.
namespace npusim::traces::svg {

/// Colours that people who see red and green alike can tell apart (Okabe and Ito), and two more.
inline constexpr std::array<std::string_view, 10> kColours{"#0072b2",
                                                           "#d55e00",
                                                           "#009e73",
                                                           "#cc79a7",
                                                           "#e69f00",
                                                           "#56b4e9",
                                                           "#b0a400",
                                                           "#777777",
                                                           "#000000",
                                                           "#7a3fa0"};
/// The same again after the last.
constexpr std::string_view colour(std::size_t number) {
    return kColours[number % kColours.size()];
}

struct Point {
    double x = 0;
    double y = 0;
};

struct Box {
    double left = 0;
    double top = 0;
    double width = 0;
    double height = 0;

    [[nodiscard]] double right() const { return left + width; }
    [[nodiscard]] double bottom() const { return top + height; }
    [[nodiscard]] bool meets(const Box& other) const;
    [[nodiscard]] bool holds(const Box& other) const;
};

struct Paint {
    std::string_view fill = "none";
    std::string_view stroke = "none";
    double width = 1; ///< of the stroke
    double opacity = 1;
    std::string_view dash = "none"; ///< lengths of strokes and gaps, "4 3"
};

enum class Anchor : std::uint8_t { Start, Middle, End };

struct Lettering {
    Anchor anchor = Anchor::Start;
    double size = 12;
    std::string_view colour = "#000000";
    bool bold = false;
    bool upright = false; ///< read from below to above
};

/// Text in which no character means anything to XML.
std::string escape(std::string_view text);
/// "12.5", "12", at most two places: what a coordinate needs.
std::string coordinate(double value);
/// At least four digits, no exponent: "0.01235", "1.235", "123456".
std::string figure(double value);
/// Wide enough for `text` in any usual sans-serif face.
double text_width(std::string_view text, double size = 12);

/// One picture, white where nothing is drawn.
class Picture {
  public:
    /// `title` and `description` are for readers who do not see it.
    Picture(double width, double height, std::string_view title, std::string_view description);

    void rect(const Box& box, const Paint& paint);
    void line(Point from, Point to, const Paint& paint);
    void polyline(const std::vector<Point>& points, const Paint& paint);
    void polygon(const std::vector<Point>& points, const Paint& paint);
    void circle(Point centre, double radius, const Paint& paint);
    /// `data` in the language of the attribute "d".
    void path(std::string_view data, const Paint& paint);
    void text(Point at, std::string_view words, const Lettering& lettering = {});
    /// The whole document.
    [[nodiscard]] std::string document() const { return body_ + "</svg>\n"; }

  private:
    std::string body_;
};

/// A mark of an axis.
struct Tick {
    double value = 0;
    std::string label;
};

/// Values as places along a line of the picture.
class Axis {
  public:
    /// From 0 to a round number that `most` does not exceed; `begin` and `end` are places.
    static Axis linear(double most, double begin, double end);
    /// Between two of 1, 2 or 5 times a power of ten; both values are above 0.
    static Axis logarithmic(double least, double most, double begin, double end);

    [[nodiscard]] double place(double value) const;
    [[nodiscard]] double least() const { return least_; }
    [[nodiscard]] double most() const { return most_; }
    [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }

  private:
    Axis(bool logarithmic, double least, double most, double begin, double end);

    bool logarithmic_;
    double least_;
    double most_;
    double begin_;
    double end_;
    std::vector<Tick> ticks_;
};

/// Multiples of 1, 2 or 5 times a power of ten from `least` to `most`, about `count` of them.
std::vector<Tick> round_ticks(double least, double most, double count);

/// Grid, frame, numbers and titles of a plot. No grid across where the axis of x is null.
void draw_axes(Picture& picture,
               const Box& plot,
               const Axis* x,
               std::string_view x_title,
               const Axis& y,
               std::string_view y_title);

/// The title in bold and a line below it, at the upper left corner of the picture.
void draw_heading(Picture& picture, std::string_view title, std::string_view subtitle);
inline constexpr double kHeading = 54; ///< its height

enum class Mark : std::uint8_t { Square, Dot, Ring, Line, Dashes };

/// What a colour stands for.
struct Key {
    Mark mark = Mark::Square;
    std::string_view colour = kColours[0];
    std::string words;
};

/// Keys beside each other, as many a row as fit into `width`; 0: one below the other.
class Legend {
  public:
    explicit Legend(std::vector<Key> keys, double width = 0);

    [[nodiscard]] double width() const;
    [[nodiscard]] double height() const;
    void draw(Picture& picture, Point at) const;

  private:
    std::vector<Key> keys_;
    std::vector<Point> places_; ///< of the keys, from the upper left corner
};

/// Words beside a point.
struct Label {
    Point point;
    std::string words;
};
/// Where the labels go so that none meets another, a point of `labels` or `points`, or the edge of
/// `plot`: boxes in the order of the labels. Those that find no room near their point go further.
std::vector<Box>
place_labels(const Box& plot, const std::vector<Label>& labels, std::vector<Point> points = {});
/// Draws them, with a thin line to the point of a label that went further; those of points that
/// cannot be told apart as one.
void draw_labels(Picture& picture,
                 const Box& plot,
                 const std::vector<Label>& separate,
                 std::vector<Point> points = {});

} // namespace npusim::traces::svg
