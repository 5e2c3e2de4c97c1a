// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/expression.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

namespace npusim::explore {
namespace {

const std::vector<std::string> kNames{
    "area", "job.chunk", "job.kernel", "hardware.links.gm->ub.startup_cycles", "job.unset"};

std::optional<Value> look_up(std::string_view name) {
    const Settings values{{"area", 350.5},
                          {"job.chunk", std::int64_t{64}},
                          {"job.kernel", "inverse/neumann"},
                          {"hardware.links.gm->ub.startup_cycles", std::int64_t{264}}};
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
}

bool holds(const std::string& text) {
    return Expression(text, kNames).holds(look_up);
}

std::string fault(const std::string& text) {
    return test::message_of([&] { holds(text); });
}

} // namespace

TEST_CASE("expressions: comparisons of numbers and texts") {
    CHECK(holds("1 < 2"));
    CHECK_FALSE(holds("2 < 2"));
    CHECK(holds("2 <= 2"));
    CHECK_FALSE(holds("3 <= 2"));
    CHECK(holds("3 > 2"));
    CHECK_FALSE(holds("2 > 2"));
    CHECK(holds("2 >= 2"));
    CHECK_FALSE(holds("1 >= 2"));
    CHECK(holds("2 == 2.0"));
    CHECK_FALSE(holds("2 == 3"));
    CHECK(holds("2 != 3"));
    CHECK_FALSE(holds("2 != 2"));
    CHECK(holds("job.kernel == 'inverse/neumann'"));
    CHECK(holds("job.kernel != \"inverse/forward\""));
    CHECK_FALSE(holds("job.kernel == 'inverse'"));
}

TEST_CASE("expressions: arithmetic binds as in mathematics, from left to right") {
    CHECK(holds("2 + 3 * 4 == 14"));
    CHECK(holds("(2 + 3) * 4 == 20"));
    CHECK(holds("10 - 4 - 3 == 3"));
    CHECK(holds("16 / 4 / 2 == 2"));
    CHECK(holds("7 / 2 == 3.5"));
    CHECK(holds("-2 * 3 == -6"));
    CHECK(holds("2 - -3 == 5"));
    CHECK(holds("--2 == 2"));
    CHECK(holds("1 + 1 < 1 * 3"));
}

TEST_CASE("expressions: 'or' binds looser than 'and', 'not' tighter than both") {
    CHECK(holds("1 < 2 or 1 > 2 and 1 > 2"));
    CHECK_FALSE(holds("(1 < 2 or 1 > 2) and 1 > 2"));
    CHECK(holds("not 1 > 2 and 1 < 2"));
    CHECK_FALSE(holds("not (1 > 2 or 1 < 2)"));
    CHECK(holds("not not 1 < 2"));
    CHECK_FALSE(holds("not 1 < 2 or 2 < 1"));
}

TEST_CASE("expressions: the right side does not count where the left one decides") {
    CHECK(holds("1 < 2 or job.unset < 1"));
    CHECK_FALSE(holds("1 > 2 and job.unset < 1"));
    CHECK(fault("1 > 2 or job.unset < 1") ==
          "'1 > 2 or job.unset < 1', character 10: 'job.unset' has no value");
}

TEST_CASE("expressions: functions, units and names with arrows") {
    CHECK(holds("min(3, 1, 2) == 1 and max(3, 1, 2) == 3 and min(4) == 4"));
    CHECK(holds("abs(-3) == 3 and abs(3) == 3"));
    CHECK(holds("log2(job.chunk) == 6"));
    CHECK(holds("1KiB == 1024 and 2MiB == 2 * 1024KiB and 1GiB == 1024MiB and 1TiB == 1024GiB"));
    CHECK(holds("1.5KiB == 1536 and 1e3 == 1000"));
    CHECK(holds("hardware.links.gm->ub.startup_cycles == 264"));
    CHECK(holds("hardware.links.gm->ub.startup_cycles-200>60"));
    CHECK(holds("area<351 and(job.chunk<128)"));
}

TEST_CASE("expressions: each name once, in the order of first use") {
    const Expression expression("area < 1 or job.chunk > area", kNames);
    CHECK(expression.names() == std::vector<std::string>{"area", "job.chunk"});
    const Expression copy = expression; // shares what was parsed
    CHECK(copy.holds(look_up) == expression.holds(look_up));
}

TEST_CASE("expressions: faults tell the place and what may stand there") {
    CHECK(fault("job.chnk < 2") == "'job.chnk < 2', character 1: unknown name 'job.chnk' (did you "
                                   "mean 'job.chunk'?); texts stand in quotes");
    CHECK(fault("1 < 2 <= 3") == "'1 < 2 <= 3', character 7: comparisons do not chain, join two of "
                                 "them by 'and'");
    CHECK(fault("1 <") == "'1 <', character 4: a value is missing at the end");
    CHECK(fault("1 < * 2") == "'1 < * 2', character 5: a value is missing here");
    CHECK(fault("(1 < 2") == "'(1 < 2', character 7: ')' is missing");
    CHECK(fault("1 < 2)") == "'1 < 2)', character 6: ')' is not expected here");
    CHECK(fault("area = 2") == "'area = 2', character 6: '=' is not expected here");
    CHECK(fault("area < 2MB") == "'area < 2MB', character 9: a number cannot go on like this "
                                 "(units: KiB, MiB, GiB, TiB)");
    CHECK(fault("job.kernel == 'x") == "'job.kernel == 'x', character 15: the text has no end");
    CHECK(fault("sqrt(2) < 1") ==
          "'sqrt(2) < 1', character 1: unknown function 'sqrt' (allowed: abs, log2, max, min)");
    CHECK(fault("abs(1, 2) < 1") == "'abs(1, 2) < 1', character 1: abs takes one value");
    CHECK(fault("job.chunk") ==
          "'job.chunk', character 1: this is no condition: compare it with something");
    CHECK(fault("job.kernel < 2") == "'job.kernel < 2', character 1: this is no number");
    CHECK(fault("job.kernel == 2") == "'job.kernel == 2', character 12: only numbers and numbers, "
                                      "or texts and texts, can be equal");
    CHECK(fault("1 and 2 < 3") ==
          "'1 and 2 < 3', character 1: this is no condition: compare it with something");
    CHECK(fault("") == "'', character 1: a value is missing at the end");
    CHECK(fault("1e999 < 2") == "'1e999 < 2', character 1: the number is out of range");
}

TEST_CASE("expressions: depth is bounded") {
    const auto nested = [](std::size_t depth) {
        return fmt::format("{:(>{}}1 < 2{:)>{}}", "", depth, "", depth);
    };
    CHECK(holds(nested(100)));
    CHECK_THAT(fault(nested(10'000)), Catch::Contains("nested too deeply"));
    CHECK_THAT(fault(fmt::format("{:->{}}1 < 2", "", 10'000)),
               Catch::Contains("nested too deeply"));
}

} // namespace npusim::explore
