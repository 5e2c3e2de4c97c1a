// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"
#include "tests/support/svg.h"
#include "traces/gantt.h"
#include "traces/text_timeline.h"

#include <fmt/format.h>
#include <regex>
#include <sstream>

using namespace npusim;
using traces::Activity;
using traces::PipeColumns;
using traces::TimeScale;

namespace {

/// Cycles of two_adds(); every span of it stands in tests/golden/vector_add.txt.
constexpr std::int64_t kTotal = 101;

void simulate_adds(const observe::Observers& observers) {
    REQUIRE(test::simulate(test::tiny(), test::two_adds(), observers) == Cycles{kTotal});
}

std::vector<traces::PipeRow> rows_of_adds(const TimeScale& scale) {
    PipeColumns columns(scale, {});
    simulate_adds({&columns});
    return columns.rows();
}

const traces::PipeRow& row_of(const std::vector<traces::PipeRow>& rows, Pipe pipe) {
    return *std::ranges::find(rows, pipe, &traces::PipeRow::pipe);
}

traces::TimelineRun run_of_adds(const TimeScale& scale) {
    const TimeScale own = scale.until(Cycles{kTotal});
    return {"two adds", Cycles{kTotal}, own, rows_of_adds(own)};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// The first line that begins with `begin`.
std::string line_of(const std::string& text, const std::string& begin) {
    const auto lines = lines_of(text);
    const auto line = std::ranges::find_if(
        lines, [&](const std::string& each) { return each.starts_with(begin); });
    REQUIRE(line != lines.end());
    return *line;
}

std::string times(std::size_t count, char letter) {
    return std::string(count, letter);
}

} // namespace

TEST_CASE("a time scale has equal columns, the last shorter, and no more than asked for") {
    for (const std::int64_t length : {1, 7, 99, 100, 101, 12345}) {
        for (const std::size_t most : {1U, 7U, 100U}) {
            const TimeScale scale(Cycles{50}, Cycles{50 + length}, most);
            CAPTURE(length, most, scale.step().count());
            REQUIRE(scale.columns() >= 1);
            CHECK(scale.columns() <= most);
            // One cycle less a column would not do.
            CHECK((scale.step().count() == 1 ||
                   (scale.step().count() - 1) * static_cast<std::int64_t>(most) < length));
            CHECK(scale.start(0) == Cycles{50});
            CHECK(scale.end(scale.columns() - 1) == Cycles{50 + length});
            for (std::size_t c = 0; c < scale.columns(); ++c) {
                CHECK(scale.start(c) < scale.end(c));
                CHECK(scale.column(scale.start(c)) == c);
                CHECK(scale.column(scale.end(c) - Cycles{1}) == c);
                CHECK((c + 1 == scale.columns() || scale.end(c) - scale.start(c) == scale.step()));
            }
        }
    }
    CHECK(TimeScale(Cycles{50}, Cycles{90}, 10).until(Cycles{30}).columns() == 0);
}

TEST_CASE("the columns of a known program, cycle by cycle") {
    const auto rows = rows_of_adds(TimeScale(Cycles{0}, Cycles{kTotal}, 10));
    const auto& columns = row_of(rows, Pipe::Vector).columns;
    REQUIRE(columns.size() == 10); // of 11 cycles, the last of 2
    CHECK(columns[0][Activity::Idle] == 3);
    CHECK(columns[0][Activity::Flag] == 8);
    CHECK(columns[1][Activity::Flag] == 9);
    CHECK(columns[1][Activity::Sync] == 1); // [20, 21)
    CHECK(columns[1][Activity::Vector] == 1);
    CHECK(columns[2][Activity::Vector] == 11);
    CHECK(columns[4][Activity::Vector] == 9); // [44, 50) and [52, 55)
    CHECK(columns[4][Activity::Sync] == 2);
    CHECK(columns[9][Activity::Idle] == 2);
    CHECK(row_of(rows, Pipe::Mte2).columns[0][Activity::Copy] == 10);
    CHECK(row_of(rows, Pipe::Scalar).columns[0][Activity::QueueFull] == 1);
}

TEST_CASE("busy, stalls and idle of a column add up to its length, and columns to the run") {
    for (const std::size_t most : {1U, 3U, 10U, 50U, 101U, 500U}) {
        const TimeScale scale(Cycles{0}, Cycles{kTotal}, most);
        PipeColumns columns(scale, {});
        observe::StatisticsCollector statistics;
        simulate_adds({&columns, &statistics});
        const observe::CoreStatistics& core = statistics.result().cores.front();
        REQUIRE(columns.rows().size() == core.info.pipes.size());
        for (const traces::PipeRow& row : columns.rows()) {
            CAPTURE(most, to_string(row.pipe));
            REQUIRE(row.columns.size() == scale.columns());
            for (std::size_t c = 0; c < scale.columns(); ++c) {
                CHECK(Cycles{row.columns[c].total()} == scale.end(c) - scale.start(c));
            }
            const auto& pipe = core.pipes[static_cast<std::size_t>(row.pipe)];
            const traces::ActivityCycles sum = row.sum();
            CHECK(sum.busy() == pipe.busy());
            CHECK(sum[Activity::Idle] == pipe.idle(Cycles{kTotal}));
            for (std::size_t state = 1; state < observe::kStateCount; ++state) {
                const auto activity =
                    static_cast<Activity>(static_cast<std::size_t>(Activity::Flag) + state - 1);
                CHECK(sum[activity] == pipe.cycles[state]);
                CHECK(traces::look(activity).name == observe::kStateNames[state]);
            }
        }
    }
}

TEST_CASE("a window shows what the whole run has there") {
    const auto whole = rows_of_adds(TimeScale(Cycles{0}, Cycles{kTotal}, 200));
    const auto window = rows_of_adds(TimeScale(Cycles{15}, Cycles{60}, 9));
    REQUIRE(whole.size() == window.size());
    for (std::size_t r = 0; r < whole.size(); ++r) {
        for (std::size_t c = 0; c < 9; ++c) {
            traces::ActivityCycles sum;
            for (std::size_t cycle = 15 + 5 * c; cycle < 20 + 5 * c; ++cycle) {
                sum += whole[r].columns[cycle];
            }
            for (std::size_t i = 0; i < traces::kActivityCount; ++i) {
                const auto activity = static_cast<Activity>(i);
                CHECK(sum[activity] == window[r].columns[c][activity]);
            }
        }
    }
}

TEST_CASE("only the cores selected have rows, and of equals the first activity is drawn") {
    PipeColumns columns(TimeScale(Cycles{0}, Cycles{10}, 1), {"", "1"});
    columns.on_begin({{"core0.cube", {Pipe::Cube}}, {"core1.cube", {Pipe::Scalar, Pipe::Cube}}});
    columns.on_span({0, Pipe::Cube, observe::State::Flag, Cycles{0}, Cycles{9}, nullptr});
    columns.on_span({1, Pipe::Cube, observe::State::Gm, Cycles{0}, Cycles{5}, nullptr});
    REQUIRE(columns.rows().size() == 2);
    CHECK(columns.rows()[1].core == "core1.cube");
    CHECK(columns.rows()[1].columns[0][Activity::Flag] == 0);
    CHECK(columns.rows()[1].columns[0][Activity::Gm] == 5);
    CHECK(columns.rows()[1].columns[0].most() == Activity::Gm); // as many cycles are idle
}

TEST_CASE("one cycle a column: the text is the run, letter by letter") {
    const TimeScale scale(Cycles{0}, Cycles{kTotal}, 200);
    const std::string text = traces::text_timeline({run_of_adds(scale)}, scale, {});
    const std::string vector = times(3, '.') + times(17, 'f') + "b" + times(29, 'V') + "bb" +
                               times(29, 'V') + "b" + times(19, '.');
    CHECK(line_of(text, "  vector") == "  vector   " + vector + "  57.4 %"); // 58 of 101
    const std::string mte3 = times(6, '.') + times(45, 'f') + "b" + times(18, 'C') +
                             times(12, 'f') + "b" + times(18, 'C');
    CHECK(line_of(text, "  mte3") == "  mte3     " + mte3 + "  35.6 %");
    CHECK(line_of(text, "busy") == "busy       V vector op  C copy  S scalar unit");
    CHECK(line_of(text, "neither") == "neither    . idle");
    CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("the ruler's marks stand above the columns of their cycles") {
    const TimeScale scale(Cycles{7}, Cycles{kTotal}, 60);
    const auto lines = lines_of(traces::text_timeline({run_of_adds(scale)}, scale, {.width = 80}));
    const auto marks = std::ranges::find_if(
        lines, [](const std::string& line) { return line.find('|') != std::string::npos; });
    REQUIRE(marks != lines.end());
    const std::string& numbers = *(marks - 1);
    std::size_t found = 0;
    for (std::size_t at = 0; at < marks->size(); ++at) {
        if ((*marks)[at] == '|') {
            const Cycles cycle{std::stoll(numbers.substr(at))};
            CHECK(at - 11 == scale.column(cycle)); // 11: the names of the pipes
            ++found;
        }
    }
    CHECK(found >= 2);
}

TEST_CASE("text is as wide as asked for, and colours change nothing but colours") {
    for (const std::size_t width : {40U, 80U, 160U}) {
        CAPTURE(width);
        const TimeScale scale(Cycles{0}, Cycles{kTotal}, traces::text_timeline_columns(width));
        const std::vector<traces::TimelineRun> runs{run_of_adds(scale)};
        const std::string plain = traces::text_timeline(runs, scale, {width, false});
        std::size_t widest = 0;
        for (const std::string& line : lines_of(plain)) {
            widest = std::max(widest, line.size());
            CHECK((line.empty() || line.back() != ' '));
        }
        CHECK(widest <= width);
        CHECK(widest >= std::min<std::size_t>(width, 20 + 101) * 3 / 4);
        const std::string coloured = traces::text_timeline(runs, scale, {width, true});
        CHECK(coloured != plain);
        CHECK(std::regex_replace(coloured, std::regex("\x1b\\[[0-9;]*m"), "") == plain);
    }
}

TEST_CASE("runs share a scale, and one that has ended says so") {
    const TimeScale scale(Cycles{0}, Cycles{2 * kTotal}, 101);
    traces::TimelineRun longer = run_of_adds(scale);
    longer.title = "longer";
    longer.total = Cycles{2 * kTotal};
    const std::string text =
        traces::text_timeline({run_of_adds(scale), longer}, scale, {.width = 121});
    CHECK(line_of(text, "cycles") == "cycles 0 to 202, 2 a column");
    CHECK(line_of(text, "  vector").size() == 11 + 101 + 8); // figures of all runs stand together
    const TimeScale late(Cycles{150}, Cycles{202}, 101);
    CHECK_THAT(traces::text_timeline({run_of_adds(late)}, late, {}),
               Catch::Contains("ends at cycle 101, before what is shown"));
    const auto ended = test::svg_elements(
        traces::gantt_svg("", {run_of_adds(late)}, late, 1000), "text", [](const auto& element) {
            return element.text == "two adds, before what is shown";
        });
    CHECK(ended.size() == 1);
}

TEST_CASE("a Gantt chart's areas are the cycles") {
    for (const std::size_t most : {20U, 1000U}) {
        const TimeScale scale(Cycles{0}, Cycles{kTotal}, most);
        const traces::TimelineRun run = run_of_adds(scale);
        const std::string svg = traces::gantt_svg("two <adds>", {run}, scale, 1000);
        std::map<std::string, double> areas;
        const std::regex rectangle("M([0-9.]+) [0-9.]+H([0-9.]+)v-([0-9.]+)H");
        for (const test::SvgElement& path : test::svg_elements(svg, "path")) {
            const std::string& data = path.attributes.at("d");
            for (std::sregex_iterator at(data.begin(), data.end(), rectangle), end; at != end;
                 ++at) {
                areas[path.attributes.at("fill")] +=
                    (std::stod((*at)[2]) - std::stod((*at)[1])) * std::stod((*at)[3]);
            }
        }
        traces::ActivityCycles sum;
        for (const traces::PipeRow& row : run.rows) {
            sum += row.sum();
        }
        const double one = 1000.0 / kTotal * 12; // a cycle: pixels of the axis times of the row
        for (const Activity activity :
             {Activity::Vector, Activity::Copy, Activity::Flag, Activity::Sync}) {
            CAPTURE(most, traces::look(activity).name);
            CHECK(areas[std::string(traces::look(activity).colour)] ==
                  Approx(one * static_cast<double>(sum[activity])).epsilon(0.01));
        }
        CHECK(test::svg_elements(svg, "desc").front().text.starts_with("two <adds>"));
    }
}

TEST_CASE("a Gantt chart does not grow with the run") {
    PipeColumns columns(TimeScale(Cycles{0}, Cycles{10'000'000}, traces::kGanttColumns), {});
    columns.on_begin({{"core0", {Pipe::Cube}}});
    for (std::int64_t start = 0; start < 10'000'000; start += 100) {
        columns.on_span({0,
                         Pipe::Cube,
                         start % 200 == 0 ? observe::State::Busy : observe::State::Flag,
                         Cycles{start},
                         Cycles{start + 60 + start % 37},
                         nullptr});
    }
    const TimeScale scale(Cycles{0}, Cycles{10'000'000}, traces::kGanttColumns);
    const std::string svg =
        traces::gantt_svg("long", {{"long", scale.to(), scale, columns.rows()}}, scale, 1000);
    CHECK(svg.size() < 200'000);
    CHECK(svg.size() > 20'000); // the columns differ
}
