// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"
#include "tests/support/svg.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

using namespace npusim::test;

namespace {

const std::string kNeumann = kAscend + "-k inverse/neumann --count 30 ";

std::size_t widest_line(const std::string& text) {
    std::size_t widest = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        widest = std::max(widest, line.size());
    }
    return widest;
}

std::int64_t sum(const json& list) {
    std::int64_t total = 0;
    for (const json& value : list) {
        total += value.get<std::int64_t>();
    }
    return total;
}

/// A layer file with two bars of 100 cycles.
json layer_example() {
    const json layer{{"layer", "linear attention, dense"},
                     {"cycles", 100},
                     {"launch_cycles", 10},
                     {"parts", {{"projection", 60}, {"inverse", 30}}}};
    return {{"model", "m"},
            {"hardware", "h"},
            {"clock_mhz", 10},
            {"phase", "prefill"},
            {"tokens", 64},
            {"batch", 1},
            {"chunk", 64},
            {"dtype", "fp16"},
            {"weights", "fp16"},
            {"inverse", "inverse/neumann"},
            {"layers", {layer}},
            {"versus", {{"inverse", "inverse/mixed"}, {"layers", {layer}}}}};
}

} // namespace

TEST_CASE("timeline shows the first AI core after launch and says so") {
    const Outcome outcome = invoke("timeline " + kNeumann);
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out,
               Contains("inverse/neumann, ") && Contains("core0.cube") &&
                   Contains("core0.vector1") && !Contains("core1") && Contains("cycles 2590 to"));
    CHECK_THAT(outcome.err, Contains("core 0 of 24") && Contains("--cores"));
    CHECK(outcome.out.find('\x1b') == std::string::npos); // stdout is no terminal
    CHECK(invoke("timeline -q " + kNeumann).err.empty());
    CHECK(invoke("timeline -q --color always " + kNeumann).out.find('\x1b') != std::string::npos);
}

TEST_CASE("timeline is as wide as --width, else COLUMNS, else 100") {
    const std::string job = "timeline -q " + kNeumann;
    unsetenv("COLUMNS"); // NOLINT(concurrency-mt-unsafe)
    const std::size_t plain = widest_line(invoke(job).out);
    CHECK((plain > 80 && plain <= 100));
    const std::size_t narrow = widest_line(invoke(job + "--width 60").out);
    CHECK((narrow > 50 && narrow <= 60));
    setenv("COLUMNS", "160", 1); // NOLINT(concurrency-mt-unsafe)
    const std::size_t wide = widest_line(invoke(job).out);
    CHECK((wide > 130 && wide <= 160));
    setenv("COLUMNS", "many", 1); // NOLINT(concurrency-mt-unsafe)
    CHECK(widest_line(invoke(job).out) == plain);
    unsetenv("COLUMNS"); // NOLINT(concurrency-mt-unsafe)
}

TEST_CASE("timeline's JSON is what run counts, column by column") {
    const std::string job = kAscend + kPair + "--count 30 --format json ";
    const json timeline = json::parse(invoke("timeline -q --window 0: --cores 0 " + job).out);
    const json results = json::parse(invoke("compare -q --timing-only " + job).out)["results"];
    REQUIRE(timeline["runs"].size() == 2);
    CHECK(timeline["to"] == results[0]["cycles"]);
    for (std::size_t i = 0; i < 2; ++i) {
        const json& run = timeline["runs"][i];
        CHECK(run["cycles"] == results[i]["cycles"]);
        CHECK(run["to"] == run["cycles"]);
        CHECK(run["pipes"].size() == 5 + 4 + 4);
        for (const json& row : run["pipes"]) {
            const json& figures = results[i]["cores"][row["core"].get<std::string>()]["pipes"]
                                         [row["pipe"].get<std::string>()];
            std::int64_t all = 0;
            for (const auto& [activity, cycles] : row["cycles"].items()) {
                CHECK(cycles.size() == run["columns"]);
                all += sum(cycles);
                if (figures["stall"].contains(activity)) {
                    CHECK(sum(cycles) == figures["stall"][activity]);
                }
            }
            CHECK(all == run["cycles"]);
            CHECK(row["busy"].get<double>() == Approx(figures["utilization"].get<double>()));
        }
    }
}

TEST_CASE("timeline's CSV has a line per pipe and column") {
    const std::string job = "timeline -q --window 3000:3050 --cores core0.cube " + kNeumann;
    std::istringstream lines(invoke(job + "--format csv").out);
    std::string line;
    std::getline(lines, line);
    CHECK_THAT(line, Contains("kernel,core,pipe,from,to,mmad") && Contains(",idle"));
    std::size_t count = 0;
    while (std::getline(lines, line)) {
        ++count;
    }
    CHECK(count == 5 * 50);
}

TEST_CASE("timeline refuses what it cannot show with what is allowed") {
    const std::string job = "timeline " + kNeumann;
    CHECK_THAT(refusal(job + "--cores 99"), Contains("allowed: cores from core0.cube to"));
    CHECK_THAT(refusal(job + "--cores x"), Contains("allowed: a list of AI cores"));
    CHECK_THAT(refusal(job + "--window 9999999:"), Contains("allowed: before the end of the run"));
    CHECK_THAT(refusal(job + "--window 9:9"), Contains("A below B"));
    CHECK_THAT(refusal(job + "--width 5"), Contains("40 to 10000"));
    CHECK_THAT(refusal(job + "--color blue"), Contains("auto") && Contains("never"));
    CHECK_THAT(refusal("timeline " + kAscend), Contains("--kernel is required"));
    CHECK_THAT(invoke("timeline --help").out, Contains("Examples:"));
}

TEST_CASE("plot writes a whole picture to stdout, or with -o to a file") {
    const Scratch scratch;
    for (const std::string kind : {"timeline", "roofline"}) {
        CAPTURE(kind);
        const std::string job = "plot " + kind + " -q " + kAscend + kPair + "--count 30 ";
        const Outcome outcome = invoke(job);
        CHECK(outcome.code == 0);
        CHECK(outcome.err.empty());
        const auto texts = svg_elements(outcome.out, "text", [](const SvgElement& element) {
            return element.text.find("inverse/neumann, ") != std::string::npos;
        });
        CHECK(texts.size() == 1);
        const fs::path file = scratch.path() / (kind + ".svg");
        CHECK(invoke(job + "-o " + file.string()).out.empty());
        CHECK(content(file) == outcome.out);
    }
    CHECK(std::distance(fs::directory_iterator(scratch.path()), {}) == 2); // nothing partial
}

TEST_CASE("plot breakdown draws each layer of a file, with the other inverse beside it") {
    const Scratch scratch;
    const fs::path file = scratch.write("layer.json", layer_example().dump());
    const Outcome outcome = invoke("plot breakdown " + file.string());
    REQUIRE(outcome.code == 0);
    const auto count = [&](const std::string& words) {
        return svg_elements(outcome.out,
                            "text",
                            [&](const SvgElement& element) { return element.text == words; })
            .size();
    };
    CHECK(count("60.0 %") == 2);
    CHECK(count("30.0 %") == 2);
    CHECK(count("10") == 2 + 1); // microseconds above the bars, and a tick
    CHECK(count("neumann") == 1);
    CHECK(count("mixed") == 1);
    CHECK(count("launches") == 1);
}

TEST_CASE("plot breakdown and plot pareto take what layer and select write") {
    const Scratch scratch;
    const fs::path layer = scratch.write(
        "layer.json",
        invoke("layer -q " + kAscend + "-m qwen3.5-0.8b --tokens 128 --format json").out);
    const fs::path selection = scratch.write(
        "select.json",
        invoke("select -q " + kAscend + kPair + "--count 1 --max-error 1e-1 --format json").out);
    const Outcome bars = invoke("plot breakdown " + layer.string() + " " + layer.string());
    CHECK(bars.code == 0);
    CHECK_THAT(bars.out, Contains("qwen3.5-0.8b"));
    const Outcome front = invoke("plot pareto " + selection.string());
    CHECK(front.code == 0);
    std::size_t drawn = 0;
    const json written = json::parse(content(selection));
    for (const json& candidate : written["candidates"]) {
        drawn += candidate["error"].is_number() ? 1U : 0U;
    }
    CHECK(svg_elements(front.out, "circle").size() == drawn + 2); // and the legend
}

TEST_CASE("plot refuses what it cannot draw and names the file") {
    const Scratch scratch;
    const auto broken = [&](const std::string& kind, const std::string& bytes) {
        return refusal("plot " + kind + " " + scratch.write("in.json", bytes).string());
    };
    CHECK_THAT(broken("breakdown", "no"), Contains("in.json") && Contains("parse error"));
    CHECK_THAT(broken("breakdown", "{}"),
               Contains("in.json") && Contains("npusim layer --format json"));
    CHECK_THAT(broken("pareto", layer_example().dump()), Contains("npusim select --format json"));
    json layer = layer_example();
    layer["layers"][0]["cycles"] = 101;
    CHECK_THAT(broken("breakdown", layer.dump()), Contains("1 more than those of its parts"));
    layer = layer_example();
    layer["layers"][0]["parts"]["magic"] = 0;
    CHECK_THAT(broken("breakdown", layer.dump()), Contains("'magic'") && Contains("feed-forward"));
    layer = layer_example();
    layer["tokens"] = "many";
    CHECK_THAT(broken("breakdown", layer.dump()), Contains("must be number"));
    CHECK_THAT(refusal("plot pareto /nothing.json"), Contains("/nothing.json: cannot read"));
    CHECK_THAT(refusal("plot pareto"), Contains("see: npusim plot pareto --help"));
    CHECK_THAT(refusal("plot paretto x"), Contains("did you mean 'pareto'?"));
    CHECK_THAT(refusal("plot roofline --format json"), Contains("unknown option '--format'"));
    CHECK_THAT(refusal("plot roofline " + kNeumann + "-o /nothing/x.svg"),
               Contains("/nothing/x.svg: cannot write"));
    CHECK_THAT(refusal("plot"), Contains("see: npusim plot --help"));
    CHECK_THAT(invoke("plot breakdown --help").out, Contains("Example:"));
}
