// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/analysis.h"
#include "sim/explore/random.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <limits>

namespace npusim::explore {
namespace {

using test::Folder;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Indices = std::vector<std::size_t>;

/// Scores of few different values, so that ties abound; some are not finite.
std::vector<Score> random_scores(Random& random, std::size_t objectives) {
    std::vector<Score> scores(random.below(40), Score(objectives));
    for (Score& score : scores) {
        for (double& value : score) {
            value = static_cast<double>(random.below(8));
            value = value == 7 ? (random.below(2) == 0 ? kNan : -1.0) : value;
        }
    }
    return scores;
}

bool is_rival(const std::vector<Score>& scores, std::size_t i) {
    for (const double value : scores[i]) {
        if (std::isnan(value)) {
            return false;
        }
    }
    for (std::size_t j = 0; j < scores.size(); ++j) {
        bool as_good = true;
        for (std::size_t k = 0; k < scores[i].size(); ++k) {
            as_good = as_good && scores[j][k] <= scores[i][k];
        }
        if (as_good && (scores[j] != scores[i] || j < i)) {
            bool finite = true;
            for (const double value : scores[j]) {
                finite = finite && std::isfinite(value);
            }
            if (finite) {
                return false;
            }
        }
    }
    return true;
}

double monte_carlo(const std::vector<Score>& scores, const Score& reference, Random& random) {
    constexpr int kDraws = 200'000;
    int inside = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
        Score place;
        for (const double limit : reference) {
            place.push_back(limit * static_cast<double>(random.below(1 << 20)) / (1 << 20));
        }
        for (const Score& score : scores) {
            if (std::ranges::equal(score, place, std::less_equal<>{})) {
                ++inside;
                break;
            }
        }
    }
    double volume = 1;
    for (const double limit : reference) {
        volume *= limit;
    }
    return volume * inside / kDraws;
}

Sweep two_axes(const Folder& folder, const std::string& constraints = "") {
    return test::sweep_of(folder,
                          fmt::format("job: {{}}\n"
                                      "axes:\n"
                                      "  - {{key: job.a, values: [0, 1, 2, 3]}}\n"
                                      "  - {{key: job.b, values: [0, 1, 2]}}\n"
                                      "  - {{key: job.c, values: [0, 1]}}\n"
                                      "constraints: [{}]\n"
                                      "objectives: [{{name: cycles, direction: min}}, {{name: "
                                      "error, direction: max}}]\n",
                                      constraints));
}

using Formula = std::function<double(double a, double b, double c)>;

std::vector<Record> records_by(const Sweep& sweep, const Formula& cycles) {
    std::vector<Record> records;
    for (PointId id = 0; id < sweep.space.size(); ++id) {
        const auto x = sweep.space.levels(id);
        Record& record = records.emplace_back();
        record.id = id;
        record.hash = sweep.hash(id);
        record.axes = sweep.space.settings(id);
        record.objectives = {{"cycles",
                              cycles(static_cast<double>(x[0]),
                                     static_cast<double>(x[1]),
                                     static_cast<double>(x[2]))},
                             {"error", static_cast<double>(x[0])}};
        record.metrics = {{"area", 1}};
    }
    return records;
}

/// What part of its box the front of points with these values covers.
std::optional<double> covered_by(const std::vector<std::array<double, 2>>& points,
                                 Direction first = Direction::Min) {
    Sweep sweep;
    sweep.objectives = {{"cycles", first}, {"error", Direction::Min}};
    std::vector<Record> records;
    for (const auto& [cycles, error] : points) {
        records.emplace_back().objectives = {{"cycles", cycles}, {"error", error}};
    }
    return covered(sweep, records);
}

double share_of(const std::vector<Effect>& effects,
                const std::string& first,
                const std::string& second = "") {
    for (const Effect& effect : effects) {
        if (effect.first == first && effect.second == second) {
            return effect.share;
        }
    }
    return kNan;
}

} // namespace

TEST_CASE("front: as by brute force, for 1 to 5 objectives") {
    Random random(1);
    for (int round = 0; round < 300; ++round) {
        const std::vector<Score> scores = random_scores(random, 1 + random.below(5));
        const std::vector<std::size_t> front = pareto_front(scores);
        Indices expected;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (is_rival(scores, i)) {
                expected.push_back(i);
            }
        }
        Indices sorted = front;
        std::ranges::sort(sorted);
        CHECK(sorted == expected);
        CHECK(std::ranges::is_sorted(front, {}, [&](std::size_t i) { return scores[i]; }));
    }
}

TEST_CASE("front: dominance needs one coordinate that is better") {
    CHECK(dominates({1, 2}, {1, 3}));
    CHECK_FALSE(dominates({1, 2}, {1, 2}));
    CHECK_FALSE(dominates({1, 3}, {2, 2}));
    CHECK(pareto_front({{2, 2}, {1, 3}, {1, 3}, {3, 1}, {kNan, 0}, {4, 4}}) == Indices{1, 0, 3});
}

TEST_CASE("hypervolume: known figures") {
    CHECK(hypervolume({}, {1, 1}) == 0);
    CHECK(hypervolume({{2}, {1}}, {5}) == 4);
    CHECK(hypervolume({{1, 3}, {2, 2}, {3, 1}}, {4, 4}) == 6);
    CHECK(hypervolume({{1, 3}, {2, 2}, {3, 1}, {3, 3}, {0, 5}, {4, 0}}, {4, 4}) == 6);
    CHECK(hypervolume({{0, 0, 0}}, {2, 3, 4}) == 24);
    CHECK(hypervolume({{1, 2, 3}, {2, 1, 2}, {3, 3, 1}}, {4, 4, 4}) == 6 + 12 + 3 - 4 - 1 - 2 + 1);
    CHECK(hypervolume({{0, 0, 0, 1}, {1, 1, 1, 0}}, {2, 2, 2, 2}) == 8 + 2 - 1);
}

TEST_CASE("hypervolume: agrees with counting random places") {
    Random random(5);
    for (const std::size_t objectives : {2U, 3U}) {
        std::vector<Score> scores(25, Score(objectives));
        for (Score& score : scores) {
            for (double& value : score) {
                value = static_cast<double>(random.below(1000)) / 500;
            }
        }
        const Score reference(objectives, 1.8);
        const double counted = monte_carlo(scores, reference, random);
        CHECK(std::abs(hypervolume(scores, reference) - counted) < 0.02 * counted);
    }
}

TEST_CASE("the covered part of the box: of positive values by their logarithms") {
    // The middle is half way on both axes: a quarter of the box lies behind it.
    CHECK(covered_by({{10, 1}, {100, 1e-4}, {1000, 1e-8}}) == Approx(0.25));
    // One decade of three lost, and one of two.
    CHECK(covered_by({{1, 1}, {10, 1e-1}, {1000, 1e-2}}) == Approx(2.0 / 3 * 0.5));
    CHECK(covered_by({{1000, 1}, {100, 1e-1}, {1, 1e-2}}, Direction::Max) == Approx(2.0 / 3 * 0.5));
}

TEST_CASE("the covered part of the box: with a value of 0 or below as they are") {
    CHECK(covered_by({{0, 1}, {25, 1e-1}, {100, 1e-2}}) == Approx(0.75 * 0.5));
    CHECK(covered_by({{-50, 1}, {0, 1e-1}, {50, 1e-2}}) == Approx(0.5 * 0.5));
    CHECK(covered_by({{100, 1}, {25, 1e-1}, {0, 1e-2}}, Direction::Max) == Approx(0.25 * 0.5));
}

TEST_CASE("the covered part of the box: where there is none, or it is flat") {
    CHECK_FALSE(covered_by({}));
    CHECK_FALSE(covered_by({{kNan, 1}}));
    CHECK(covered_by({{5, 1e-3}}) == Approx(1));
    CHECK(covered_by({{5, 1e-3}, {10, 1e-3}}) == Approx(1));
}

TEST_CASE("effects: of what depends on one axis, on two apart, and on two together") {
    const Folder folder;
    const Sweep sweep = two_axes(folder);
    const auto effects_by = [&](const Formula& cycles) {
        return effects(sweep, records_by(sweep, cycles), "cycles");
    };
    const auto alone = effects_by([](double a, double, double) { return 10 + a; });
    CHECK(share_of(alone, "job.a") == Approx(1));
    CHECK(share_of(alone, "job.b") == Approx(0).margin(1e-12));
    CHECK(share_of(alone, "job.a", "job.b") == Approx(0).margin(1e-12));
    CHECK(alone.size() == 6);
    CHECK(alone.front().first == "job.a");

    // Variances over levels: of a 5/4, of b 2/3.
    const auto apart = effects_by([](double a, double b, double) { return a + b; });
    CHECK(share_of(apart, "job.a") == Approx(1.25 / (1.25 + 2.0 / 3)));
    CHECK(share_of(apart, "job.b") == Approx((2.0 / 3) / (1.25 + 2.0 / 3)));
    CHECK(share_of(apart, "job.a", "job.b") == Approx(0).margin(1e-12));

    // Neither axis alone tells anything of an exclusive or.
    const auto together = effects_by([](double a, double, double c) {
        return static_cast<double>((static_cast<int>(a) + static_cast<int>(c)) % 2);
    });
    CHECK(share_of(together, "job.a") == Approx(0).margin(1e-12));
    CHECK(share_of(together, "job.c") == Approx(0).margin(1e-12));
    CHECK(share_of(together, "job.a", "job.c") == Approx(1));

    CHECK(effects_by([](double, double, double) { return 3.0; }).empty());
}

TEST_CASE("effects: a positive result of many decades is taken by its logarithm") {
    const Folder folder;
    const Sweep sweep = two_axes(folder);
    const std::vector<Record> product =
        records_by(sweep, [](double a, double b, double) { return std::pow(10.0, a + b - 3); });
    CHECK(effect_scale(product, "cycles") == Scale::Log);
    const auto apart = effects(sweep, product, "cycles"); // as of a + b
    CHECK(share_of(apart, "job.a") == Approx(1.25 / (1.25 + 2.0 / 3)));
    CHECK(share_of(apart, "job.b") == Approx((2.0 / 3) / (1.25 + 2.0 / 3)));
    CHECK(share_of(apart, "job.a", "job.b") == Approx(0).margin(1e-12));

    const auto scale = [&](double least, double most) {
        return effect_scale(
            records_by(sweep, [=](double a, double, double) { return a > 0 ? most : least; }),
            "cycles");
    };
    CHECK(scale(1, 100) == Scale::Linear);
    CHECK(scale(1, 101) == Scale::Log);
    CHECK(scale(0, 101) == Scale::Linear);
    CHECK(scale(-1, 101) == Scale::Linear);
    CHECK(scale(-101, -1) == Scale::Linear);
    CHECK(effect_scale({}, "cycles") == Scale::Linear);
}

TEST_CASE("effects: records without the result are left out") {
    const Folder folder;
    const Sweep sweep = two_axes(folder);
    std::vector<Record> records =
        records_by(sweep, [](double a, double, double) { return a < 3 ? a : 1e9; });
    for (Record& record : records) {
        if (sweep.space.levels(record.id)[0] == 3) {
            record.status = Status::Failed;
        }
    }
    CHECK(share_of(effects(sweep, records, "cycles"), "job.a") == Approx(1));
    CHECK(share_of(effects(sweep, records, "error"), "job.a") == Approx(1));
    CHECK(effects(sweep, records, "nothing").empty());
}

TEST_CASE("best and front: directions, constraints and failures count") {
    const Folder folder;
    const Sweep sweep = two_axes(folder, "cycles < 40");
    std::vector<Record> records =
        records_by(sweep, [](double a, double b, double c) { return 10 * a + b + c; });
    const auto point = [&](std::int64_t a, std::int64_t b, std::int64_t c) {
        return sweep.space.find({{"job.a", a}, {"job.b", b}, {"job.c", c}});
    };
    // More a costs cycles and raises the error that is to be large.
    CHECK(front_of(sweep, records) ==
          Indices{point(0, 0, 0), point(1, 0, 0), point(2, 0, 0), point(3, 0, 0)});
    CHECK(best_of(sweep, records, 0) == point(0, 0, 0));
    CHECK(best_of(sweep, records, 1) == point(3, 0, 0));
    const std::vector<std::string> names = sweep.names(test::any_job());
    CHECK(best_of(sweep, records, 0, {Expression("job.b >= 1 and cycles > 1", names)}) ==
          point(0, 1, 1));
    CHECK_FALSE(best_of(sweep, records, 0, {Expression("cycles > 99", names)}));
    records[point(0, 0, 0)].status = Status::Crashed;
    CHECK(best_of(sweep, records, 0) == point(0, 0, 1));
    records[point(3, 0, 0)].objectives["cycles"] = 50; // against the constraint
    CHECK(best_of(sweep, records, 1) == point(3, 0, 1));
    CHECK_FALSE(scores_of(sweep, records)[point(3, 0, 0)]);
}

TEST_CASE("records of a sweep: with ids of now, without those of an earlier state") {
    const Folder folder;
    const Sweep before = two_axes(folder);
    RecordFile file(folder.path(), "0");
    for (const Record& record : records_by(before, [](double a, double, double) { return a; })) {
        file.add(record);
    }
    const auto with_axes = [&](const std::string& job, const std::string& axes) {
        return test::sweep_of(folder,
                              "job: {" + job + "}\naxes: [" + axes +
                                  "]\nobjectives: [{name: cycles, direction: min}]\n");
    };
    const std::string turned = "{key: job.c, values: [1, 0]}, {key: job.b, values: [0, 1]}, {key: "
                               "job.a, values: [3, 1]}";
    const Sweep now = with_axes("", turned);
    const std::vector<Record> records = records_of(now, folder.path(), {});
    CHECK(records.size() == 8);
    for (const Record& record : records) {
        CHECK(now.space.settings(record.id) == record.axes);
    }
    CHECK(records_of(with_axes("kind: y", turned), folder.path(), {}).empty());
}

TEST_CASE("comparison: by hash or by axes, with what only one side has") {
    const Folder folder;
    const Sweep sweep = two_axes(folder);
    std::vector<Record> before = records_by(sweep, [](double a, double, double) { return a; });
    std::vector<Record> after = before;
    std::ranges::reverse(after);
    after.pop_back();  // point 0
    before.pop_back(); // the last point
    const Comparison same = compare(before, after, MatchBy::Hash);
    CHECK(same.pairs.size() == 22);
    for (const Pair& pair : same.pairs) {
        CHECK(before[pair.before].id == after[pair.after].id);
    }
    CHECK(same.only_before == Indices{0});
    CHECK(same.only_after == Indices{0});
    for (Record& record : after) {
        record.hash ^= 1;
    }
    CHECK(compare(before, after, MatchBy::Hash).pairs.empty());
    CHECK(compare(before, after, MatchBy::Axes).pairs.size() == 22);
}

} // namespace npusim::explore
