// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"
#include "tests/support/svg.h"
#include "traces/pareto_plot.h"
#include "traces/roofline.h"
#include "traces/scatter.h"
#include "traces/stacked_bars.h"
#include "traces/svg.h"

#include <cmath>
#include <random>
#include <sstream>

using namespace npusim;
using test::svg_elements;
using test::SvgElement;
namespace svg = traces::svg;

namespace {

bool has_text(const std::string& picture, const std::string& words) {
    return std::ranges::any_of(svg_elements(picture, "text"),
                               [&](const SvgElement& element) { return element.text == words; });
}

/// "1,2 3,4"
std::vector<svg::Point> points_of(const SvgElement& polyline) {
    std::istringstream stream(polyline.attributes.at("points"));
    std::vector<svg::Point> points;
    svg::Point point;
    for (char comma = 0; stream >> point.x >> comma >> point.y;) {
        points.push_back(point);
    }
    return points;
}

std::vector<SvgElement> filled(const std::string& picture, const std::string& name, auto colour) {
    return svg_elements(picture, name, [&](const SvgElement& element) {
        return element.attributes.at("fill") == colour;
    });
}

traces::ParetoPlot pareto_example() {
    return {"chip",
            {{"",
              {{"a", "a:order=1", 1000, 1e-1, true},
               {"a", "a:order=2", 3000, 1e-3, true},
               {"b", "b", 2000, 1e-2, true},
               {"b", "b:slow=yes", 4000, 2e-2, false}},
              5e-2,
              3}}};
}

} // namespace

TEST_CASE("the reader of the tests refuses what is not well-formed") {
    CHECK(svg_elements("<a b=\"1 &lt; 2\"><c/>x &amp; y</a>")[0].attributes.at("b") == "1 < 2");
    for (const std::string bad :
         {"<a>", "<a></b>", "<a b=1/>", "<a/><a/>", "<a b=\"1\" b=\"2\"/>", "<a>&nbsp;</a>", ""}) {
        CAPTURE(bad);
        CHECK_THROWS_WITH(svg_elements(bad), Catch::Contains("not well-formed"));
    }
}

TEST_CASE("a picture takes any words, and says what it is to those who do not see it") {
    svg::Picture picture(10, 10, "<&\">", "a\nb");
    picture.text({1, 2}, "x < \"y\" && z > 0");
    const auto elements = svg_elements(picture.document());
    CHECK(elements[0].name == "svg");
    CHECK(elements[1].text == "<&\">");
    CHECK(elements[2].text == "a b");
    CHECK(elements.back().text == "x < \"y\" && z > 0");
}

TEST_CASE("coordinates and figures are short and exact to what is seen") {
    CHECK(svg::coordinate(12) == "12");
    CHECK(svg::coordinate(-0.001) == "0");
    CHECK(svg::coordinate(3.14159) == "3.14");
    CHECK(svg::coordinate(100.5) == "100.5");
    CHECK(svg::figure(363'724.8) == "363725");
    CHECK(svg::figure(0.012345) == "0.01235");
}

TEST_CASE("an axis holds its values and has a few round ticks, in order and apart") {
    for (const double least : {1e-6, 0.013, 1.0, 49.0, 2000.0}) {
        for (const double ratio : {1.0, 1.3, 7.0, 999.0, 1e9}) {
            const svg::Axis axis = svg::Axis::logarithmic(least, least * ratio, 100, 600);
            CAPTURE(least, ratio);
            CHECK(axis.place(least) >= 100 - 1e-6);
            CHECK(axis.place(least * ratio) <= 600 + 1e-6);
            CHECK(axis.place(std::sqrt(axis.least() * axis.most())) == Approx(350));
            REQUIRE(axis.ticks().size() >= 2);
            CHECK(axis.ticks().size() <= 17);
            for (std::size_t i = 1; i < axis.ticks().size(); ++i) {
                CHECK(axis.place(axis.ticks()[i].value) >
                      axis.place(axis.ticks()[i - 1].value) + 20);
            }
        }
    }
    const svg::Axis linear = svg::Axis::linear(7513, 446, 66);
    CHECK(linear.place(0) == Approx(446));
    CHECK(linear.most() == Approx(8000));
    CHECK(linear.place(4000) == Approx(256));
    for (const svg::Tick& tick : linear.ticks()) {
        CHECK(std::stod(tick.label) == Approx(tick.value));
    }
}

TEST_CASE("labels meet neither each other nor a point nor the edge") {
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> place(0, 1);
    const svg::Box plot{50, 20, 500, 400};
    for (int draw = 0; draw < 20; ++draw) {
        std::vector<svg::Label> labels;
        for (int i = 0; i < 25; ++i) { // crowded into a corner
            labels.push_back({{60 + 100 * place(generator), 30 + 60 * place(generator)}, "label"});
        }
        const auto boxes = svg::place_labels(plot, labels);
        REQUIRE(boxes.size() == labels.size());
        for (std::size_t i = 0; i < boxes.size(); ++i) {
            CHECK(plot.holds(boxes[i]));
            for (std::size_t j = 0; j < boxes.size(); ++j) {
                CHECK((i == j || !boxes[i].meets(boxes[j])));
                CHECK_FALSE(boxes[i].meets({labels[j].point.x, labels[j].point.y, 0.1, 0.1}));
            }
        }
    }
}

TEST_CASE("points that cannot be told apart have one label") {
    svg::Picture picture(300, 300, "", "");
    svg::draw_labels(
        picture, {0, 0, 300, 300}, {{{100, 100}, "1"}, {{101, 102}, "2"}, {{110, 100}, "3"}});
    CHECK(svg_elements(picture.document(), "text").size() == 2);
    CHECK(has_text(picture.document(), "1, 2"));
}

TEST_CASE("a legend wraps at its width") {
    const std::vector<svg::Key> keys(5, {svg::Mark::Square, "#000000", "0123456789"});
    const svg::Legend column(keys);
    const svg::Legend row(keys, 1e4);
    const svg::Legend two(keys, row.width() / 2);
    CHECK(column.height() == Approx(5 * row.height()));
    CHECK(two.width() <= row.width() / 2);
    CHECK(two.height() == Approx(3 * row.height())); // 2 + 2 + 1
}

TEST_CASE("the pieces of a bar add up to its sum on the axis, with their shares") {
    const std::string picture =
        traces::stacked_bars_svg({"Layer",
                                  "chip",
                                  "us",
                                  {"one", "two", "none", "three"},
                                  {{{"first"}, {10, 30, 0, 60}}, {{"second"}, {50, 0, 0, 0.4}}}});
    const auto one = filled(picture, "rect", svg::colour(0));
    const auto two = filled(picture, "rect", svg::colour(1));
    const auto three = filled(picture, "rect", svg::colour(3));
    REQUIRE(one.size() == 3); // two bars and the legend
    REQUIRE(two.size() == 2);
    CHECK(filled(picture, "rect", svg::colour(2)).empty());
    const double unit = one[0].number("height") / 10;
    CHECK(two[0].number("height") == Approx(30 * unit).epsilon(1e-3));
    CHECK(three[0].number("height") == Approx(60 * unit).epsilon(1e-3));
    CHECK(one[1].number("height") == Approx(50 * unit).epsilon(1e-3));
    CHECK(two[0].number("y") + two[0].number("height") == Approx(one[0].number("y")));
    CHECK(three[0].number("y") + three[0].number("height") == Approx(two[0].number("y")));
    for (const std::string words : {"10.0 %", "30.0 %", "60.0 %", "99.2 %", "0.8 %", "100"}) {
        CAPTURE(words);
        CHECK(has_text(picture, words));
    }
}

TEST_CASE("the front of Pareto is a staircase down through its points") {
    const std::string picture = traces::pareto_svg(pareto_example());
    const auto stairs = svg_elements(picture, "polyline", [](const SvgElement& line) {
        return line.attributes.at("points").size() > 50;
    });
    REQUIRE(stairs.size() == 1);
    const auto corners = points_of(stairs[0]);
    REQUIRE(corners.size() == 2 + 3 + 2);
    for (std::size_t i = 1; i < corners.size(); ++i) {
        CHECK(corners[i].x >= corners[i - 1].x);
        CHECK(corners[i].y >= corners[i - 1].y);
        CHECK((corners[i].x == corners[i - 1].x || corners[i].y == corners[i - 1].y));
    }
    std::size_t on_it = 0;
    for (const SvgElement& point : svg_elements(picture, "circle")) {
        on_it += static_cast<std::size_t>(std::ranges::count_if(corners, [&](svg::Point corner) {
            return corner.x == point.number("cx") && corner.y == point.number("cy");
        }));
    }
    CHECK(on_it == 3);
    CHECK(svg_elements(picture, "circle").size() == 4 + 2); // points and the legend of a and b
    CHECK(has_text(picture, "1. a:order=1, 1000 cycles, 0.1"));
    CHECK(has_text(picture, "3. a:order=2, 3000 cycles, 0.001"));
    CHECK(has_text(picture, "limit, 0.05"));
    CHECK(has_text(picture, "3 not drawn: no finite error above 0"));
}

TEST_CASE("several sets have a front each, in their colours") {
    traces::ParetoPlot plot = pareto_example();
    plot.sets.push_back(plot.sets.front());
    for (std::size_t i = 0; i < 2; ++i) {
        plot.sets[i].name = i == 0 ? "fp16" : "int8";
        for (traces::ParetoPoint& point : plot.sets[i].points) {
            point.series = plot.sets[i].name;
            point.cycles *= i == 0 ? 1 : 3;
        }
    }
    const std::string picture = traces::pareto_svg(plot);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(svg_elements(picture, "polyline", [&](const SvgElement& line) {
                  return line.attributes.at("stroke") == svg::colour(i);
              }).size() == 1);
        CHECK(filled(picture, "circle", svg::colour(i)).size() == 4 + 1);
    }
    CHECK(has_text(picture, "6. a:order=2, 9000 cycles, 0.001"));
}

TEST_CASE("kernels stand at their place under the roofs") {
    traces::Roofline roofline{"chip", {"HBM", 1000}, {"L2", 5000}, 1e5, "cube, fp16", {}};
    roofline.kernels = {{"one", 100, 1, 2}, {"ten", 1000, 10, 0}, {"hundred", 10000, 100, 0}};
    const std::string picture = traces::roofline_svg(roofline);
    std::vector<SvgElement> dots;
    for (std::size_t i = 0; i < 3; ++i) {
        const auto own = filled(picture, "circle", svg::colour(i));
        REQUIRE(own.size() == 2); // and the legend
        dots.push_back(own.front());
    }
    // A decade is a decade.
    const double decade = dots[1].number("cx") - dots[0].number("cx");
    CHECK(dots[2].number("cx") - dots[1].number("cx") == Approx(decade).epsilon(1e-3));
    CHECK(dots[0].number("cy") - dots[1].number("cy") ==
          Approx(dots[1].number("cy") - dots[2].number("cy")).epsilon(1e-3));
    const auto rings = svg_elements(picture, "circle", [](const SvgElement& circle) {
        return circle.attributes.at("fill") == "#ffffff" &&
               circle.attributes.at("stroke") == svg::colour(0);
    });
    REQUIRE(rings.size() == 1); // the others read nothing from L2
    CHECK(rings[0].number("cx") - dots[0].number("cx") ==
          Approx(decade * std::log10(2)).epsilon(1e-2));
    // The roof of HBM meets the peak at 1e5 / 1000 = 100 flops per byte.
    const auto roofs = svg_elements(picture, "polyline", [](const SvgElement& line) {
        return line.attributes.at("stroke") == "#444444";
    });
    CHECK(std::ranges::any_of(roofs, [&](const SvgElement& roof) {
        return points_of(roof).back().x == Approx(dots[2].number("cx")).margin(0.1);
    }));
    CHECK(has_text(picture, "cube, fp16, 100000 GFLOP/s"));
    CHECK(has_text(picture, "2. ten, 1000 GFLOP/s"));
    roofline.peak_gflops.reset();
    CHECK_FALSE(has_text(traces::roofline_svg(roofline), "cube, fp16, 100000 GFLOP/s"));
}

TEST_CASE("a scatter plot draws each place once, on the diagonal what was predicted as measured") {
    const std::string picture = traces::scatter_svg(
        "3 measurements", "us", {{"a", 10, 10}, {"a", 10, 10}, {"b & c", 500, 250}});
    const auto circles = svg_elements(picture, "circle");
    REQUIRE(circles.size() == 2 + 2); // and the legend
    const auto& diagonal = circles[0];
    CHECK(diagonal.number("cx") - 74 == Approx(62 + 520 - diagonal.number("cy")).margin(1));
    CHECK(has_text(picture, "b & c"));
    CHECK_FALSE(svg_elements(traces::scatter_svg("none", "us", {})).empty());
}
