// SPDX-License-Identifier: Apache-2.0
#include "sim/app/select.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <random>

namespace npusim::app {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Indices = std::vector<std::size_t>;

/// Few different cycles and errors, so that ties abound; some errors are not finite.
std::vector<Score> random_scores(std::mt19937& generator) {
    std::uniform_int_distribution<int> count(0, 20);
    std::uniform_int_distribution<int> value(0, 8);
    std::vector<Score> scores(static_cast<std::size_t>(count(generator)));
    for (Score& score : scores) {
        const int error = value(generator);
        score = {value(generator), error == 8 ? kNan : error == 7 ? kInfinity : 0.1 * error};
    }
    return scores;
}

/// Whether score `i` has no rival: none at least as good in both and better in one, and no equal
/// before it.
bool unrivalled(const std::vector<Score>& scores, std::size_t i) {
    if (!std::isfinite(scores[i].error)) {
        return false;
    }
    for (std::size_t j = 0; j < scores.size(); ++j) {
        const bool as_good =
            scores[j].cycles <= scores[i].cycles && scores[j].error <= scores[i].error;
        const bool equal =
            scores[j].cycles == scores[i].cycles && scores[j].error == scores[i].error;
        if (as_good && (!equal || j < i)) {
            return false;
        }
    }
    return true;
}

inverse::CaseAccuracy
part(const std::string& name, double error, std::int64_t non_finite = 0, std::int64_t of = 4) {
    inverse::CaseAccuracy result{name, {}};
    result.accuracy.rel_frobenius_max = error;
    result.accuracy.non_finite = non_finite;
    result.accuracy.matrices = of;
    return result;
}

std::vector<Candidate>
candidates(const std::string& request, std::int64_t chunk, DType dtype = DType::Fp16) {
    return list_candidates({parse_request(request, {})}, {1, chunk, dtype});
}

} // namespace

TEST_CASE("ranking: those within the limit by cycles, then by error, not finite last") {
    const std::vector<Score> scores{
        {10, 5.0}, {1, kInfinity}, {30, 0.1}, {20, 0.2}, {2, kNan}, {5, 7.0}, {20, 0.1}, {20, 0.2}};
    CHECK(ranking(scores, 0.2) == Indices{6, 3, 7, 2, 0, 5, 1, 4});
    CHECK(ranking(scores, 0.01) == Indices{6, 2, 3, 7, 0, 5, 1, 4});
    CHECK(within_limit({0, 0.2}, 0.2));
    CHECK_FALSE(within_limit({0, kNan}, 0.2));
    CHECK_FALSE(within_limit({0, kInfinity}, kInfinity));
}

TEST_CASE("Pareto front: one of equals, the first, and nothing that is not finite") {
    CHECK(pareto_front({}).empty());
    CHECK(pareto_front({{1, kNan}, {2, kInfinity}}).empty());
    CHECK(pareto_front({{3, 0.1}, {1, 0.5}, {2, 0.5}, {1, 0.5}, {3, 0.2}, {0, kNan}}) ==
          Indices{1, 0});
}

TEST_CASE("Pareto front: what has no rival among random scores, as a falling staircase") {
    std::mt19937 generator(1);
    for (int round = 0; round < 2000; ++round) {
        const std::vector<Score> scores = random_scores(generator);
        const Indices front = pareto_front(scores);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const bool found = std::find(front.begin(), front.end(), i) != front.end();
            CHECK(found == unrivalled(scores, i));
        }
        for (std::size_t k = 1; k < front.size(); ++k) {
            CHECK(scores[front[k - 1]].cycles < scores[front[k]].cycles);
            CHECK(scores[front[k - 1]].error > scores[front[k]].error);
        }
        const Indices order = ranking(scores, 0.3);
        CHECK(order.size() == scores.size());
        if (!order.empty() && within_limit(scores[order[0]], 0.3)) {
            CHECK(std::find(front.begin(), front.end(), order[0]) != front.end());
        }
    }
}

TEST_CASE("broken cases: worst first, by the part that is not finite and then by error") {
    const std::vector<inverse::CaseAccuracy> cases{part("fine", 0.01),
                                                   part("off", 0.5),
                                                   part("lost", kNan, 4),
                                                   part("half", 0.001, 2),
                                                   part("far off", 30),
                                                   part("half of more", 0.002, 8, 16)};
    std::vector<std::string> names;
    for (const inverse::CaseAccuracy& broken : broken_cases(cases, 0.01)) {
        names.push_back(broken.name);
    }
    CHECK(names == std::vector<std::string>{"lost", "half of more", "half", "far off", "off"});
    CHECK(worst_case(cases).name == "lost");
    CHECK(worst_case({part("a", 0.1), part("b", 0.2), part("c", 0.2)}).name == "b");
    CHECK(broken_cases({part("fine", 0.01)}, 0.01).empty());
}

TEST_CASE("a kernel without a grid of its own has one candidate, the defaults") {
    CHECK(candidates("inverse/mixed", 64).size() == 1);
    CHECK(candidates("inverse/newton-schulz", 64).size() == 4);
}

TEST_CASE("candidates of inverse/neumann differ, stop once exact, and are whole only at 128") {
    for (const std::int64_t chunk : {16, 32, 64, 128}) {
        const std::vector<Candidate> list = candidates("inverse/neumann", chunk);
        std::size_t whole = 0;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const kernels::ParameterValues& values = list[i].request.values;
            for (std::size_t j = 0; j < i; ++j) {
                CHECK(values != list[j].request.values);
            }
            const bool in_blocks = values.at("block") < chunk;
            const std::int64_t n = in_blocks ? values.at("block") : chunk;
            const std::int64_t reach = (values.at("order") + 1) * values.at("steps");
            CHECK(reach < 2 * n);
            if (chunk == 128 && !in_blocks) {
                ++whole;
                CHECK(reach >= 128);
                CHECK(values.at("early") == 1);
            }
        }
        CAPTURE(chunk);
        CHECK(list.size() == (chunk == 16 ? 8U : chunk == 32 ? 16U : chunk == 64 ? 22U : 23U));
        CHECK(whole == (chunk == 128 ? 1 : 0));
    }
}

TEST_CASE("parameters given to a request stay as given and leave no duplicates") {
    CHECK(candidates("inverse/newton-schulz:iterations=9", 64).size() == 1);
    const std::vector<Candidate> list = candidates("inverse/neumann:order=5,early=yes", 64);
    CHECK(list.size() == 3); // 4, 8 and 16 steps
    for (const Candidate& candidate : list) {
        CHECK(candidate.request.values.at("order") == 5);
        CHECK(candidate.request.values.at("early") == 1);
    }
    CHECK(candidates("inverse/neumann:order=auto,steps=auto", 64).size() == 2);
    const auto twice = parse_request("inverse/newton-schulz", {});
    CHECK(list_candidates({twice, twice}, {1, 64, DType::Fp16}).size() == 4);
}

TEST_CASE("a refused candidate scores behind everything that ran") {
    const Score refused = Candidate{}.score();
    CHECK(ranking({refused, {1000, kInfinity}}, 1.0) == Indices{1, 0});
}

} // namespace npusim::app
