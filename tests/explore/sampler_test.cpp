// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/random.h"
#include "sim/explore/sampler.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

namespace npusim::explore {
namespace {

Space space_of(const std::vector<std::int64_t>& sizes) {
    std::vector<Axis> axes;
    for (const std::int64_t size : sizes) {
        axes.push_back(range_axis(
            "job.x" + std::to_string(axes.size()), std::int64_t{0}, size - 1, std::int64_t{1}));
    }
    return Space(std::move(axes));
}

using Judge = std::function<Told(PointId)>;

Told failed(PointId) {
    return {Told::Kind::Failed};
}

/// What a sampler asks for until it is done, a few points at a time.
std::vector<PointId> asked(Sampler& sampler, const Judge& judge = failed) {
    std::vector<PointId> all;
    while (!sampler.done()) {
        const std::vector<PointId> points = sampler.ask(3);
        if (points.empty()) { // done without a further point, or stuck
            REQUIRE(sampler.done());
        }
        for (const PointId point : points) {
            all.push_back(point);
            sampler.tell(point, judge(point));
        }
    }
    CHECK(sampler.ask(3).empty());
    return all;
}

std::size_t distinct(const std::vector<PointId>& points) {
    return std::set(points.begin(), points.end()).size();
}

} // namespace

TEST_CASE("random numbers: the same on every host, and even") {
    Random random(1);
    CHECK(random.next() == 0x910a2dec89025cc1); // of SplitMix64's reference with seed 1
    std::vector<int> counts(6);
    for (int i = 0; i < 60'000; ++i) {
        ++counts[random.below(6)];
    }
    for (const int count : counts) {
        CHECK(std::abs(count - 10'000) < 500);
    }
}

TEST_CASE("grid: every point once, in order") {
    const Space space = space_of({3, 4, 5});
    const std::vector<PointId> points = asked(*grid_sampler(space));
    std::vector<PointId> expected(60);
    std::iota(expected.begin(), expected.end(), PointId{0});
    CHECK(points == expected);
}

TEST_CASE("random: without replacement, and all of a space if asked for") {
    for (const std::int64_t size : {1, 2, 7, 64, 1000}) {
        const Space space = space_of({size});
        const auto all = asked(*random_sampler(space, 10'000, 5));
        CHECK(all.size() == static_cast<std::size_t>(size));
        CHECK(distinct(all) == all.size());
        CHECK(*std::ranges::max_element(all) == static_cast<PointId>(size - 1));
    }
    const Space large = space_of({1000, 1000, 1000});
    const auto some = asked(*random_sampler(large, 500, 5));
    CHECK(some.size() == 500);
    CHECK(distinct(some) == 500);
}

TEST_CASE("random: points follow from the seed") {
    const Space space = space_of({100, 100});
    const auto draw = [&](std::uint64_t seed) { return asked(*random_sampler(space, 20, seed)); };
    CHECK(draw(1) == draw(1));
    CHECK(draw(1) != draw(2));
}

TEST_CASE("random: draws fall evenly on a space") {
    const Space space = space_of({10, 1000});
    std::vector<int> counts(10);
    for (const PointId point : asked(*random_sampler(space, 2'000, 3))) {
        ++counts[space.levels(point)[0]];
    }
    for (const int count : counts) {
        CHECK(std::abs(count - 200) < 60);
    }
}

TEST_CASE("random: infeasible points are made up for, not for ever") {
    const Space space = space_of({100'000});
    const auto even_only = [](PointId point) {
        return Told{point % 2 == 0 ? Told::Kind::Failed : Told::Kind::Infeasible};
    };
    std::size_t feasible = 0;
    for (const PointId point : asked(*random_sampler(space, 40, 1), even_only)) {
        feasible += point % 2 == 0 ? 1U : 0U;
    }
    CHECK(feasible == 40);
    const auto none = [](PointId) { return Told{Told::Kind::Infeasible}; };
    CHECK(asked(*random_sampler(space, 2, 1), none).size() == 2'000);
}

TEST_CASE("Latin hypercube: each stratum of each axis once") {
    for (const std::uint64_t samples : {1U, 5U, 16U, 40U}) {
        const Space space = space_of({16, 100, 1000, 7});
        const auto points = asked(*lhs_sampler(space, samples, 9));
        REQUIRE(points.size() == samples); // enough room for all to differ, by this seed
        for (std::size_t a = 0; a < space.axes().size(); ++a) {
            const std::size_t size = space.axes()[a].size();
            std::vector<std::size_t> levels;
            for (const PointId point : points) {
                levels.push_back(space.levels(point)[a]);
            }
            std::ranges::sort(levels);
            for (std::uint64_t s = 0; s < samples; ++s) {
                CHECK(levels[s] >= s * size / samples);
                CHECK(levels[s] <= ((s + 1) * size - 1) / samples);
            }
        }
    }
}

TEST_CASE("Latin hypercube: points follow from the seed, and none comes twice") {
    const Space space = space_of({4, 4});
    const auto draw = [&](std::uint64_t seed) { return asked(*lhs_sampler(space, 16, seed)); };
    CHECK(draw(1) == draw(1));
    CHECK(draw(1) != draw(2));
    CHECK(distinct(draw(1)) == draw(1).size());
}

TEST_CASE("ask/tell: points of another program, by their values") {
    const Space space = space_of({3, 2});
    std::istringstream in(R"({"points": [{"job.x0": 2, "job.x1": 1}, {"job.x1": 0, "job.x0": 1}]}
{"points": []}
{"done": true}
)");
    std::ostringstream out;
    const auto sampler = ask_tell_sampler(space, {{"cycles"}}, in, out);
    CHECK(sampler->ask(4) == std::vector<PointId>{5, 2});
    sampler->tell(5, {Told::Kind::Scored, {1.5}});
    sampler->tell(2, {Told::Kind::Infeasible});
    CHECK(sampler->ask(1).empty());
    CHECK_FALSE(sampler->done());
    CHECK(sampler->ask(1).empty());
    CHECK(sampler->done());

    std::vector<nlohmann::json> lines;
    std::istringstream written(out.str());
    for (std::string line; std::getline(written, line);) {
        lines.push_back(nlohmann::json::parse(line));
    }
    REQUIRE(lines.size() == 6);
    CHECK(lines[0]["axes"][0]["keys"] == nlohmann::json{"job.x0"});
    CHECK(lines[0]["axes"][0]["levels"] == nlohmann::json{{0}, {1}, {2}});
    CHECK(lines[0]["objectives"] == nlohmann::json{"cycles"});
    CHECK(lines[1] == nlohmann::json{{"ask", 4}});
    CHECK(lines[2] == nlohmann::json{{"tell", {{"job.x0", 2}, {"job.x1", 1}}},
                                     {"status", "scored"},
                                     {"score", {1.5}}});
    CHECK(lines[3]["status"] == "infeasible");
    CHECK_FALSE(lines[3].contains("score"));
}

TEST_CASE("ask/tell: the end of input ends it; faults name the line") {
    const Space space = space_of({3});
    std::ostringstream out;
    const auto first_answer = [&](const std::string& text) {
        std::istringstream in(text);
        const auto sampler = ask_tell_sampler(space, {}, in, out);
        sampler->ask(1);
        return sampler->done();
    };
    CHECK(first_answer(""));
    CHECK_THROWS_WITH(first_answer(R"({"points": [{"job.x0": 3}]})"),
                      "ask/tell input, line 1: job.x0: got 3 (allowed: 0, 1, 2)");
    CHECK_THROWS_WITH(first_answer("points\n"), Catch::StartsWith("ask/tell input, line 1: "));
    CHECK_THROWS_WITH(first_answer("{}\n"), Catch::StartsWith("ask/tell input, line 1: "));
    CHECK_THROWS_WITH(first_answer("3\n"), Catch::StartsWith("ask/tell input, line 1: "));
}

#ifdef NPUSIM_NSGA2_MODULE
namespace {

SamplerSettings nsga2(std::int64_t seed) {
    return {SamplerKind::Nsga2, 0, seed, 40, 40};
}

} // namespace

TEST_CASE("NSGA-II: comes near a known front with few of the points") {
    // The front is where x1 and x2 are 0: there the objectives are x0 and 99 - x0.
    const Space space = space_of({100, 20, 20});
    const auto judge = [&](PointId point) {
        const std::vector<std::size_t> x = space.levels(point);
        const double off = static_cast<double>(x[1] + x[2]);
        return Told{Told::Kind::Scored,
                    {static_cast<double>(x[0]) + off, 99 - static_cast<double>(x[0]) + off}};
    };
    const auto points = asked(*nsga2_sampler(space, 2, nsga2(1)), judge);
    CHECK(distinct(points) == points.size());
    CHECK(points.size() < 1'640);
    std::set<std::size_t> on_front;
    for (const PointId point : points) {
        const std::vector<std::size_t> x = space.levels(point);
        if (x[1] == 0 && x[2] == 0) {
            on_front.insert(x[0]);
        }
    }
    CHECK(on_front.size() > 20); // of 40,000 points drawn at random, 1,640 would hold 4
}

TEST_CASE("NSGA-II: points follow from the seed; failed points do no harm") {
    const Space space = space_of({30, 1, 30});
    const auto judge = [](PointId point) {
        const auto x = static_cast<double>(point);
        return point % 3 == 0 ? Told{Told::Kind::Failed} : Told{Told::Kind::Scored, {x, 900 - x}};
    };
    const auto draw = [&](std::int64_t seed) {
        return asked(*nsga2_sampler(space, 2, nsga2(seed)), judge);
    };
    const auto points = draw(1);
    CHECK(points == draw(1));
    CHECK(points != draw(2));
    CHECK(*std::ranges::max_element(points) < space.size());
    CHECK_FALSE(asked(*nsga2_sampler(space, 2, nsga2(1)), failed).empty());
}

TEST_CASE("NSGA-II: no thread is left behind that a fork would not take along") {
    const auto threads = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
    };
    const Space space = space_of({100, 20, 20});
    const auto sampler = nsga2_sampler(space, 2, nsga2(1));
    CHECK_FALSE(asked(*sampler, failed).empty());
    CHECK(threads() == 1);
}
#else
TEST_CASE("NSGA-II: says what to do if it is not built in") {
    CHECK_THROWS_WITH(nsga2_sampler(space_of({3}), 2, {}), Catch::Contains("libpagmo-dev"));
}
#endif

} // namespace npusim::explore
