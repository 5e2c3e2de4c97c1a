// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

using namespace npusim::test;

namespace {

/// What `trace lint` says of a file that holds `events`, which must be found fault with.
std::string faults(const std::string& events) {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t.json";
    std::ofstream(path) << R"({"traceEvents":[)" << events << "]}";
    const Outcome outcome = invoke("trace lint " + path.string());
    CAPTURE(events, outcome.out, outcome.err);
    CHECK(outcome.code == 1);
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1); // that and no more
    return outcome.out;
}

/// A slice of thread 1 of process 1, in microseconds.
std::string slice(const std::string& name, const std::string& ts, const std::string& dur) {
    return R"({"ph":"X","pid":1,"tid":1,"name":")" + name + R"(","ts":)" + ts + R"(,"dur":)" + dur +
           "}";
}

std::string event(const std::string& phase, const std::string& ts, const std::string& name = "a") {
    return R"({"ph":")" + phase + R"(","pid":1,"tid":1,"name":")" + name + R"(","ts":)" + ts +
           R"(,"id":7})";
}

} // namespace

TEST_CASE("lint finds each fault that viewers say nothing about, and names event and track") {
    CHECK_THAT(faults(slice("a", "0", "10") + "," + slice("b", "5", "15")),
               Contains("event 2: 1 1: a [0, 10000) ns and b [5000, 20000) ns overlap in part"));
    CHECK_THAT(faults(event("B", "1")), Contains("a never ends"));
    CHECK_THAT(faults(event("E", "1")), Contains("an end without a beginning"));
    CHECK_THAT(faults(event("B", "1") + "," + event("B", "2", "b") + "," + event("E", "3") + "," +
                      event("E", "4", "a")),
               Contains("event 3: 1 1: the end of a comes within b"));
    CHECK_THAT(faults(event("B", "5") + "," + event("E", "4")),
               Contains("time goes back from 5000 to 4000 ns"));
    CHECK_THAT(faults(event("f", "5")), Contains("flow 7 ends and never began"));
    CHECK_THAT(faults(slice("a", "0", "-3")), Contains("a lasts -3000 ns"));
    CHECK_THAT(faults(slice("a", "\"x\"", "3")), Contains("ts is no number: \"x\""));
    CHECK_THAT(faults(R"({"ph":"X","name":"a","ts":1})"), Contains("no dur"));
    CHECK_THAT(faults(R"({"ph":"X","name":"a","dur":1})"), Contains("no ts"));
    CHECK_THAT(faults(R"({"name":"a","ts":1})"), Contains("no ph"));
    CHECK_THAT(faults(event("?", "1")), Contains("unknown ph \"?\""));
}

TEST_CASE("lint lets pass what is allowed: nesting, neighbours, others' tracks by name") {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t.json";
    std::ofstream(path) << "[" << slice("a", "0.001", "10") << "," << slice("in", "2", "3") << ","
                        << slice("b", "10.001", "5") << "," << event("B", "20") << ","
                        << event("B", "21", "b") << "," << event("E", "22", "b") << ","
                        << event("E", "23") << "," << event("s", "1")
                        << R"(,{"ph":"X","pid":"core0.cubecore0","tid":"MTE2","name":"MOV",)"
                        << R"("ts":1,"dur":5,"args":{"name":{"ts":"x"},"list":[{"ph":"Q"}]}}])";
    const Outcome outcome = invoke("trace lint " + path.string());
    CAPTURE(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(outcome.out == path.string() + ": 6 slices on 2 tracks, nothing wrong\n");
    const json track =
        json::parse(invoke("trace stats --format json " + path.string()).out)["files"][0]["tracks"];
    CHECK(track[0]["track"] == "1 1");
    CHECK(track[0]["busy_ns"] == 18000); // what is within others counts once
    CHECK(track[1]["track"] == "core0.cubecore0 MTE2");
}

TEST_CASE("every trace we write is clean, and adds up to the run's statistics") {
    const Scratch scratch;
    const std::string base = (scratch.path() / "t").string();
    const Outcome run =
        invoke("run " + kAscend +
               "-k inverse/neumann --count 6 --set ai_cores=2 --timing-only --trace-detail all " +
               "--format json --trace " + base + ".pftrace --trace " + base + ".json --trace " +
               base + ".json.gz --trace " + base + ".opprof");
    REQUIRE(run.code == 0);
    const json figures = json::parse(run.out)["results"][0]["cores"];
    CHECK(invoke("trace lint " + base + ".pftrace " + base + ".json " + base + ".json.gz " + base +
                 ".opprof/simulator/trace.json")
              .code == 0);
    for (const std::string end : {".pftrace", ".json", ".json.gz"}) {
        const json tracks = json::parse(
            invoke("trace stats --format json " + base + end).out)["files"][0]["tracks"];
        std::size_t pipes = 0;
        for (const json& track : tracks) {
            const std::string name = track["track"];
            const std::string core = name.substr(0, name.find(' '));
            const std::string pipe = name.substr(name.find(' ') + 1);
            if (pipe.find("flight") == std::string::npos) {
                CAPTURE(end, core, pipe);
                CHECK(track["busy_cycles"] == figures[core]["pipes"][pipe]["busy"]);
                ++pipes;
            }
        }
        CHECK(pipes == 26);
    }
}

TEST_CASE("a broken trace file is refused with the byte where it breaks") {
    const Scratch scratch;
    const auto written = [&](const std::string& name, const std::string& bytes) {
        const fs::path path = scratch.path() / name;
        std::ofstream(path, std::ios::binary) << bytes;
        return path.string();
    };
    const std::string good = content(kSource + "/traces/examples/neumann_16.pftrace");
    CHECK_THAT(refusal("trace lint " + written("a.json", R"({"traceEvents":[{"ph":)")),
               Contains("a.json: byte 22") && Contains("parse error"));
    CHECK_THAT(refusal("trace lint " + written("b.json", "")), Contains("empty"));
    CHECK_THAT(refusal("trace lint " + written("c.pftrace", good.substr(0, good.size() - 1))),
               Contains("c.pftrace: byte " + std::to_string(good.size() - 1) +
                        ": the file ends within a packet"));
    CHECK_THAT(refusal("trace lint " + written("d.pftrace", "hello")),
               Contains("not a Perfetto trace"));
    CHECK_THAT(refusal("trace stats /no/such/file.json"), Contains("cannot be read"));
    // A packet that names a text (field 10) nobody has defined, on a track nobody has described.
    const std::string packet("\x0A\x0A\x40\x01\x5A\x06\x48\x01\x50\x63\x58\x63");
    const Outcome outcome = invoke("trace lint " + written("e.pftrace", packet));
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.out, Contains("track 99 was never described"));
}
