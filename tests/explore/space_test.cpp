// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/space.h"
#include "tests/support/catch.hpp"

#include <set>

namespace npusim::explore {
namespace {

Axis counted(const std::string& key, std::int64_t count) {
    return range_axis(key, std::int64_t{0}, count - 1, std::int64_t{1});
}

std::vector<Value> values_of(const Axis& axis) {
    std::vector<Value> values;
    for (const std::vector<Value>& level : axis.levels) {
        values.push_back(level.at(0));
    }
    return values;
}

std::vector<Value> counts(const std::vector<std::int64_t>& numbers) {
    return {numbers.begin(), numbers.end()};
}

} // namespace

TEST_CASE("values: read as hardware files are") {
    CHECK(to_value(std::string("64")) == Value(std::int64_t{64}));
    CHECK(to_value(std::string("-3")) == Value(std::int64_t{-3}));
    CHECK(to_value(std::string("128KiB")) == Value(std::int64_t{131072}));
    CHECK(to_value(std::string("2GiB")) == Value(std::int64_t{1} << 31));
    CHECK(to_value(std::string("0.5")) == Value(0.5));
    CHECK(to_value(std::string("1e3")) == Value(1000.0));
    CHECK(to_value(std::string("100000000000000000000")) == Value(1e20));
    for (const std::string text : {"fp16", "yes", "010", "1_000", "12KB", "12 KiB"}) {
        CHECK(to_value(text) == Value(text));
    }
    const config::YamlNode quoted{
        .kind = config::YamlNode::Kind::Scalar, .quoted = true, .text = "64"};
    CHECK(to_value(quoted) == Value("64"));
}

TEST_CASE("values: their text reads back as the same value") {
    for (const Value& value :
         {Value(std::int64_t{131072}), Value(0.1), Value(1e-9), Value("inverse/neumann")}) {
        CHECK(to_value(to_text(value)) == value);
    }
}

TEST_CASE("axes: a range stops at its end or before") {
    const auto range = [](std::int64_t from, std::int64_t to, std::int64_t step) {
        return values_of(range_axis("job.x", from, to, step));
    };
    CHECK(range(8, 24, 8) == counts({8, 16, 24}));
    CHECK(range(8, 23, 8) == counts({8, 16}));
    CHECK(range(5, 5, 3) == counts({5}));
    CHECK(range_axis("job.x", 0.0, 0.3, 0.1).size() == 4);
    CHECK(values_of(range_axis("job.x", std::int64_t{1}, std::int64_t{2}, 0.5)) ==
          std::vector<Value>{1.0, 1.5, 2.0});
    CHECK_THROWS_AS(range(8, 7, 1), ConfigError);
    CHECK_THROWS_AS(range(1, 8, 0), ConfigError);
    CHECK_THROWS_AS(range(1, 1'000'001'000, 1), ConfigError);
    CHECK_THROWS_AS(range_axis("job.x", "a", std::int64_t{8}, std::int64_t{1}), ConfigError);
}

TEST_CASE("axes: a range of doublings") {
    const auto doublings = [](std::int64_t from, std::int64_t to) {
        return values_of(log2_axis("job.x", from, to));
    };
    CHECK(doublings(131072, 1048576) == counts({131072, 262144, 524288, 1048576}));
    CHECK(doublings(3, 13) == counts({3, 6, 12}));
    CHECK(values_of(log2_axis("job.x", 0.25, 1.0)) == std::vector<Value>{0.25, 0.5, 1.0});
    CHECK_THROWS_AS(doublings(0, 8), ConfigError);
    CHECK_THROWS_AS(doublings(8, 4), ConfigError);
}

TEST_CASE("space: counts, ids and settings belong together") {
    const Axis linked{{"job.a", "job.b"}, {{Value("x"), Value(1.5)}, {Value("y"), Value(2.5)}}};
    const Space space({counted("job.n", 3), linked, counted("job.m", 4)});
    REQUIRE(space.size() == 24);
    std::set<Settings> seen;
    for (PointId point = 0; point < space.size(); ++point) {
        const Settings settings = space.settings(point);
        CHECK(settings.size() == 4);
        CHECK(space.find(settings) == point);
        CHECK(space.at(space.levels(point)) == point);
        CHECK((settings.at("job.a") == Value("x")) == (settings.at("job.b") == Value(1.5)));
        seen.insert(settings);
    }
    CHECK(seen.size() == 24);
    CHECK(space.settings(1).at("job.m") == Value(std::int64_t{1}));
}

TEST_CASE("space: a point is found by number whatever its type; faults name what is allowed") {
    const Space space({counted("job.n", 3), counted("job.m", 2)});
    CHECK(space.find({{"job.n", 2.0}, {"job.m", std::int64_t{1}}}) == 5);
    CHECK_THROWS_WITH(space.find({{"job.n", std::int64_t{1}}}), "job.m: missing");
    CHECK_THROWS_WITH(space.find({{"job.n", std::int64_t{7}}, {"job.m", std::int64_t{1}}}),
                      "job.n: got 7 (allowed: 0, 1, 2)");
    CHECK_THROWS_WITH(
        space.find({{"job.n", std::int64_t{1}}, {"job.m", std::int64_t{1}}, {"job.mm", "x"}}),
        Catch::Contains("job.mm: no axis has this key (did you mean 'job.m'?)"));
}

TEST_CASE("space: a grid of more than a thousand million points costs nothing") {
    std::vector<Axis> axes;
    for (int i = 0; i < 6; ++i) {
        axes.push_back(counted("job.x" + std::to_string(i), 50));
    }
    const Space space(axes);
    CHECK(space.size() == 15'625'000'000);
    CHECK(space.find(space.settings(15'624'999'998)) == 15'624'999'998);
    CHECK_THROWS_AS(Space(std::vector(12, counted("job.x", 100'000))), ConfigError);
}

} // namespace npusim::explore
