// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace npusim::test;

namespace {

/// Runs a kernel with a trace in `path` and returns the run's figures.
json traced(const fs::path& path, const std::string& options = "") {
    const Outcome outcome = invoke("run " + kAscend +
                                   "-k inverse/neumann --count 6 --set ai_cores=2 --timing-only "
                                   "--format json --trace " +
                                   path.string() + " " + options);
    REQUIRE(outcome.code == 0);
    return json::parse(outcome.out)["results"][0];
}

/// Busy cycles by "core0.cube/mte2", of a run's figures.
std::map<std::string, std::int64_t> busy_of(const json& run) {
    std::map<std::string, std::int64_t> busy;
    for (const auto& [core, figures] : run["cores"].items()) {
        for (const auto& [pipe, statistics] : figures["pipes"].items()) {
            if (const std::int64_t cycles = statistics["busy"]; cycles > 0) {
                busy[core + "/" + pipe] = cycles;
            }
        }
    }
    return busy;
}

/// The same of a value change dump, by its wires; times must be in order.
std::map<std::string, std::int64_t> busy_of_dump(const std::string& dump) {
    std::istringstream lines(dump);
    std::vector<std::string> scopes;
    std::map<std::string, std::string> wires; // lane, by code
    std::map<std::string, std::int64_t> since;
    std::map<std::string, std::int64_t> busy;
    std::int64_t now = 0;
    bool defined = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "$enddefinitions") {
            defined = true;
        } else if (word == "$scope") {
            words >> word >> word;
            scopes.push_back(word);
        } else if (word == "$upscope") {
            scopes.pop_back();
        } else if (word == "$var") {
            std::string type;
            std::string size;
            std::string code;
            words >> type >> size >> code;
            if (type == "wire") {
                wires[code] = scopes.at(0) + "/" + scopes.at(1);
            }
        } else if (word.starts_with('#')) {
            const std::int64_t time = std::stoll(word.substr(1));
            CHECK(time >= now);
            now = time;
        } else if (defined && (word.starts_with('1') || word.starts_with('0'))) {
            const std::string lane = wires.at(word.substr(1));
            if (since.contains(lane)) {
                busy[lane] += now - since.at(lane);
                since.erase(lane);
            }
            if (word.starts_with('1')) {
                since[lane] = now;
            }
        }
    }
    CHECK(since.empty()); // all go idle in the end
    std::erase_if(busy, [](const auto& lane) { return lane.first.ends_with("flight"); });
    return busy;
}

} // namespace

TEST_CASE("waves add up to the run's statistics, as .vcd and by way of .fst") {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t";
    const json run =
        traced(path.string() + ".vcd", "--trace-detail all --trace " + path.string() + ".fst");
    const auto expected = busy_of(run);
    CHECK(busy_of_dump(content(path.string() + ".vcd")) == expected);
    const std::string back = "fst2vcd " + path.string() + ".fst >" + path.string() + ".back";
    REQUIRE(std::system(back.c_str()) == 0); // NOLINT(concurrency-mt-unsafe)
    CHECK(busy_of_dump(content(path.string() + ".back")) == expected);
    CHECK(content(path.string() + ".vcd").find("smmad_fp32_l0c") != std::string::npos);
    CHECK_FALSE(fs::exists(path.string() + ".fst.vcd"));
}

TEST_CASE("Konata is given every instruction once, from its queue to its end, in order of time") {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t.kanata";
    const json run = traced(path);
    std::istringstream lines(content(path));
    std::string line;
    std::getline(lines, line);
    CHECK(line == "Kanata\t0004");
    std::set<std::string> alive;
    std::int64_t now = 0;
    std::int64_t begun = 0;
    std::int64_t retired = 0;
    std::int64_t dependencies = 0;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string kind;
        std::string first;
        std::string second;
        words >> kind >> first >> second;
        if (kind == "C=") {
            now = std::stoll(first);
        } else if (kind == "C") {
            CHECK(std::stoll(first) > 0);
            now += std::stoll(first);
        } else if (kind == "I") {
            CHECK(first == std::to_string(begun++));
            CHECK(alive.insert(first).second);
        } else if (kind == "R") {
            CHECK(second == std::to_string(retired++));
            CHECK(alive.erase(first) == 1);
        } else if (kind == "W") {
            CHECK(alive.contains(first));
            CHECK(std::stoll(second) < begun);
            ++dependencies;
        } else {
            CHECK((kind == "S" || kind == "L"));
            CHECK(alive.contains(first));
        }
    }
    CHECK(alive.empty());
    CHECK(begun == retired);
    CHECK(now <= run["cycles"].get<std::int64_t>());
    CHECK(now > run["cycles"].get<std::int64_t>() * 9 / 10);
    CHECK(dependencies > begun / 10);
}

TEST_CASE("a MindStudio folder has every core's cycles by instruction and by line of source") {
    const Scratch scratch;
    const fs::path folder = scratch.path() / "t.opprof";
    const json run = traced(folder);
    const json all = json::parse(content(folder / "simulator" / "trace.json"));
    CHECK(all["profilingType"] == "op");
    std::map<std::string, std::int64_t> busy;
    std::map<std::string, std::int64_t> open; // flags, by thread
    for (const json& event : all["traceEvents"]) {
        const std::string thread =
            event["pid"].get<std::string>() + "/" + event["tid"].get<std::string>();
        const std::string phase = event["ph"];
        const std::string name = event["name"];
        if (phase == "X" && name != "GM" && name != "QUEUE_FULL" && name != "SYNC") {
            busy[thread] += event["args"]["cycles"].get<std::int64_t>();
        } else if (phase != "X") {
            open[thread] += phase == "B" ? 1 : -1;
            CHECK((open[thread] == 0 || open[thread] == 1));
            CHECK(event["args"]["detail"].get<std::string>().starts_with("PIPE:"));
        }
    }
    for (const auto& [core, figures] : run["cores"].items()) {
        const bool cube = core.ends_with("cube");
        const std::string theirs =
            core.substr(0, core.find('.')) +
            (cube ? ".cubecore0" : ".veccore" + core.substr(core.size() - 1));
        std::int64_t expected = 0;
        for (const auto& [pipe, statistics] : figures["pipes"].items()) {
            std::string upper = pipe;
            for (char& c : upper) {
                c = static_cast<char>(std::toupper(c));
            }
            if (pipe != "scalar") { // dispatch has no instruction of its own
                CAPTURE(core, pipe);
                CHECK(busy[theirs + "/" + upper] == statistics["busy"].get<std::int64_t>());
                expected += statistics["busy"].get<std::int64_t>();
            }
        }
        for (const char* table : {"_code_exe.csv", "_instr_exe.csv"}) {
            std::istringstream lines(content(folder / "simulator" / theirs / (theirs + table)));
            std::string line;
            std::getline(lines, line);
            std::int64_t cycles = 0;
            while (std::getline(lines, line)) {
                const std::size_t last = line.rfind(',');
                const std::size_t before = line.rfind(',', last - 1);
                cycles += std::stoll(line.substr(before + 1, last - before - 1));
            }
            CHECK(cycles == expected);
        }
    }
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --trace " + folder.string()),
               Contains("is there already"));
}
