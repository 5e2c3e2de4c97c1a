// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace npusim::test;

namespace {

const std::string kTiny = "run " + kAscend +
                          "-k inverse/neumann:order=2,steps=2 --chunk 16 --count 1 "
                          "--set ai_cores=1 --set vector_cores=1 ";

/// A packet of a Perfetto trace as `protoc --decode` prints it, its fields in order.
struct Packet {
    struct Field {
        std::string message; ///< it is in
        std::string name;
        std::string value;
    };
    std::vector<Field> fields;
    [[nodiscard]] std::string operator[](const std::string& name) const {
        const std::vector<std::string> values = all(name);
        return values.empty() ? "" : values.front();
    }
    [[nodiscard]] std::vector<std::string> all(const std::string& name) const {
        std::vector<std::string> values;
        for (const Field& field : fields) {
            if (field.name == name) {
                values.push_back(field.value);
            }
        }
        return values;
    }
};

std::vector<Packet> decode(const fs::path& trace) {
    const Scratch scratch;
    const fs::path text = scratch.path() / "text";
    const std::string command = "protoc --decode=Trace -I " + kSource +
                                "/tests/traces perfetto.proto <" + trace.string() + " >" +
                                text.string();
    REQUIRE(std::system(command.c_str()) == 0); // NOLINT(concurrency-mt-unsafe)
    std::istringstream lines(content(text));
    std::vector<Packet> packets;
    std::vector<std::string> open; // messages
    for (std::string line; std::getline(lines, line);) {
        const std::string word = line.substr(line.find_first_not_of(' '));
        if (word == "packet {") {
            packets.emplace_back();
            open = {"packet"};
        } else if (word == "}") {
            open.pop_back();
        } else if (word.ends_with(" {")) {
            open.push_back(word.substr(0, word.size() - 2));
        } else {
            const std::size_t colon = word.find(": ");
            packets.back().fields.push_back(
                {open.back(), word.substr(0, colon), word.substr(colon + 2)});
        }
    }
    return packets;
}

/// What a Perfetto trace says, its numbers resolved.
struct Decoded {
    struct Slice {
        std::string name;
        std::string op;
        std::int64_t start = 0;
        std::int64_t end = -1; ///< ns
        std::int64_t cycles = 0;
    };
    std::map<std::string, std::string> tracks; ///< number: "core0.cube mte2"
    std::map<std::string, std::vector<Slice>> slices;
    std::map<std::string, std::vector<double>> counters;
    std::map<std::string, std::int64_t> flows;     ///< number: time it starts
    std::map<std::string, std::int64_t> flow_ends; ///< number: time it ends

    explicit Decoded(const fs::path& trace) {
        for (const Packet& packet : decode(trace)) {
            learn(packet);
            if (!packet["uuid"].empty()) {
                const std::string process = packet["process_name"];
                const std::string parent = packet["parent_uuid"];
                tracks[packet["uuid"]] = !process.empty() ? unquoted(process)
                                         : parent.empty()
                                             ? unquoted(packet["name"])
                                             : tracks.at(parent) + " " + unquoted(packet["name"]);
            } else if (!packet["type"].empty()) {
                add(packet);
            }
        }
    }

  private:
    static std::string unquoted(const std::string& text) { return text.substr(1, text.size() - 2); }
    void learn(const Packet& packet) {
        std::string number; // comes before its text
        for (const Packet::Field& field : packet.fields) {
            if (field.name == "iid") {
                number = field.value;
            } else if (field.name == "text") {
                texts_[field.message][number] = unquoted(field.value);
            }
        }
    }
    void add(const Packet& packet) {
        std::string track = tracks.at(packet["track_uuid"]);
        if (track.ends_with("in flight")) { // tracks of one name, drawn as one
            track += " " + packet["track_uuid"];
        }
        const std::int64_t at = std::stoll(packet["timestamp"]);
        std::vector<Slice>& lane = slices[track];
        if (packet["type"] == "TYPE_COUNTER") {
            slices.erase(track);
            counters[track].push_back(std::stod(packet["double_counter_value"]));
        } else if (packet["type"] == "TYPE_SLICE_BEGIN") {
            if (!lane.empty()) {
                CHECK(lane.back().end >= 0); // closed
                CHECK(lane.back().end <= at);
            }
            Slice& slice = lane.emplace_back();
            slice.start = at;
            std::string argument;
            for (const Packet::Field& field : packet.fields) {
                if (field.message == "debug_annotations" && field.name == "name_iid") {
                    argument = texts_.at("debug_annotation_names").at(field.value);
                } else if (field.name == "name_iid") {
                    slice.name = texts_.at("event_names").at(field.value);
                } else if (field.name == "uint_value" && argument == "cycles") {
                    slice.cycles = std::stoll(field.value);
                } else if (field.name == "string_value_iid") {
                    slice.op = texts_.at("debug_annotation_string_values").at(field.value);
                }
            }
            for (const std::string& flow : packet.all("flow_ids")) {
                CHECK(flows.emplace(flow, at).second);
            }
            for (const std::string& flow : packet.all("terminating_flow_ids")) {
                CHECK(flow_ends.emplace(flow, at).second);
            }
        } else {
            REQUIRE(packet["type"] == "TYPE_SLICE_END");
            REQUIRE_FALSE(lane.empty());
            lane.back().end = at;
        }
    }

    std::map<std::string, std::map<std::string, std::string>> texts_; ///< by kind and number
};

} // namespace

TEST_CASE("a Perfetto trace adds up to the run's statistics, pipe by pipe") {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t.pftrace";
    const auto run = json::parse(invoke("run " + kAscend +
                                        "-k inverse/neumann --count 30 --timing-only --trace " +
                                        path.string() + " --trace-detail all --format json")
                                     .out)["results"][0];
    const Decoded trace(path);
    for (const auto& [core, figures] : run["cores"].items()) {
        for (const auto& [pipe, statistics] : figures["pipes"].items()) {
            CAPTURE(core, pipe);
            std::map<std::string, std::int64_t> stalls;
            std::int64_t busy = 0;
            for (const Decoded::Slice& slice : trace.slices.at(core + " " + pipe)) {
                const bool stall = statistics["stall"].contains(slice.name);
                (stall ? stalls[slice.name] : busy) += slice.cycles;
            }
            CHECK(busy == statistics["busy"].get<std::int64_t>());
            CHECK(json(stalls) == statistics["stall"]);
        }
    }
    CHECK(trace.counters.contains("GM read"));
    CHECK(trace.counters.contains("core3.cube l1 in use"));
}

TEST_CASE("a flag is an arrow from what was done before it to what waited for it") {
    const Scratch scratch;
    const fs::path path = scratch.path() / "t.pftrace";
    REQUIRE(invoke(kTiny + "--trace " + path.string()).code == 0);
    const Decoded trace(path);
    CHECK(trace.flow_ends.size() > 10);
    for (const auto& [flow, end] : trace.flow_ends) {
        CAPTURE(flow);
        REQUIRE(trace.flows.contains(flow));
        CHECK(trace.flows.at(flow) < end);
    }
    for (const auto& [lane, slices] : trace.slices) {
        for (const Decoded::Slice& slice : slices) {
            CHECK(slice.name != "sync"); // what flags cost is left out
        }
    }
}

TEST_CASE("a window, some cores and less detail show less") {
    const Scratch scratch;
    const auto shown = [&](const std::string& options) {
        const fs::path path = scratch.path() / "t.pftrace";
        REQUIRE(invoke("run " + kAscend + "-k inverse/neumann --count 30 --timing-only --trace " +
                       path.string() + " " + options)
                    .code == 0);
        return Decoded(path);
    };
    const Decoded part = shown("--trace-window 6000:7000 --trace-cores 1,core3.cube");
    for (const auto& [lane, slices] : part.slices) {
        CAPTURE(lane);
        CHECK((lane.starts_with("core1.") || lane.starts_with("core3.cube ")));
        for (const Decoded::Slice& slice : slices) {
            // 1850 MHz
            CHECK(slice.start < 7000 * 1000 / 1850 + 1);
            CHECK(slice.end > 6000 * 1000 / 1850 - 1);
        }
    }
    const Decoded coarse = shown("--trace-detail pipes");
    const Decoded fine = shown("");
    CHECK(coarse.slices.at("core0.cube mte1").size() < fine.slices.at("core0.cube mte1").size());
    for (const Decoded::Slice& slice : coarse.slices.at("core0.cube mte1")) {
        CHECK((slice.name == "busy" || slice.name == "launch" || slice.name == "flag"));
    }
}

TEST_CASE("a Chrome trace adds up to the run's statistics, thread by thread") {
    const Scratch scratch;
    const std::string path = (scratch.path() / "t.json").string();
    const auto run = json::parse(
        invoke("run " + kAscend +
               "-k inverse/neumann --count 30 --timing-only --trace-detail all --trace " + path +
               " --format json")
            .out)["results"][0];
    const json trace = json::parse(content(path));
    std::map<int, std::string> cores;
    std::map<std::pair<int, int>, std::string> pipes;
    std::map<std::pair<int, int>, std::int64_t> ends;
    // As Perfetto reads a time: microseconds, rounded to whole nanoseconds.
    const auto nanoseconds = [](const json& time) {
        return std::llround(time.get<double>() * 1000);
    };
    std::map<std::string, std::map<std::string, std::int64_t>> busy;
    for (const json& event : trace.at("traceEvents")) {
        const int pid = event.at("pid");
        if (event.at("name") == "process_name") {
            cores[pid] = event["args"]["name"];
        } else if (event.at("name") == "thread_name") {
            pipes[{pid, event["tid"]}] = event["args"]["name"];
        } else if (event.at("ph") == "X") {
            const std::pair<int, int> thread{pid, event["tid"]};
            CHECK(nanoseconds(event["ts"]) >= ends[thread]);
            ends[thread] = nanoseconds(event["ts"]) + nanoseconds(event["dur"]);
            if (event["cat"] == "busy") {
                busy[cores.at(pid)][pipes.at(thread)] +=
                    event["args"]["cycles"].get<std::int64_t>();
            }
        }
    }
    CHECK(cores.size() == 73); // and what is of the chip
    for (const auto& [core, figures] : run["cores"].items()) {
        for (const auto& [pipe, statistics] : figures["pipes"].items()) {
            CAPTURE(core, pipe);
            CHECK(busy[core][pipe] == statistics["busy"].get<std::int64_t>());
        }
    }
}

TEST_CASE("the examples are what their commands write") {
    const Scratch scratch;
    const fs::path kept = kSource + "/traces/examples";
    const fs::path made = scratch.path() / "traces" / "examples";
    fs::create_directories(made);
    fs::create_directory_symlink(kSource + "/configs", scratch.path() / "configs");
    const std::string command = (kept / "write").string() + " " NPUSIM_BINARY " " + made.string();
    REQUIRE(std::system(command.c_str()) == 0); // NOLINT(concurrency-mt-unsafe)
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(made)) {
        CAPTURE(entry.path().string());
        CHECK(content(entry.path()) == content(kept / entry.path().filename()));
        ++files;
    }
    CHECK(files >= 6);
}

TEST_CASE("one run writes several traces, each as its name says") {
    const Scratch scratch;
    const std::string base = (scratch.path() / "t").string();
    REQUIRE(invoke(kTiny + "--trace " + base + ".pftrace --trace " + base + ".json --trace " +
                   base + ".json.gz")
                .code == 0);
    CHECK(Decoded(base + ".pftrace").slices.contains("core0.cube mte1"));
    REQUIRE(std::system(("gunzip -t " + base + ".json.gz").c_str()) == 0); // NOLINT
    CHECK(fs::file_size(base + ".json.gz") * 4 < fs::file_size(base + ".json"));
}

TEST_CASE("a trace that cannot be is refused with what may be") {
    CHECK_THAT(refusal(kTiny + "--trace t.xyz"), Contains("t.xyz") && Contains(".pftrace"));
    CHECK_THAT(refusal(kTiny + "--trace /no/such/folder/t.pftrace"), Contains("cannot write"));
    CHECK_THAT(refusal(kTiny + "--trace t.json --trace-window 9:3"), Contains("9:3"));
    CHECK_THAT(refusal(kTiny + "--trace t.json --trace-window 9"), Contains("A:B"));
    CHECK_THAT(refusal(kTiny + "--trace t.json --trace-cores cube"), Contains("e.g. 0,3-5"));
    CHECK_THAT(refusal(kTiny + "--trace t.json --trace-detail much"), Contains("instructions"));
}

namespace {

/// A column of 32-bit numbers.
std::vector<std::int32_t> numbers(const json& base64) {
    const auto digit = [](char c) {
        const std::string digits =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        return static_cast<std::uint32_t>(digits.find(c));
    };
    std::vector<std::int32_t> values;
    std::uint64_t bits = 0;
    std::uint32_t word = 0;
    for (const char c : base64.get<std::string>()) {
        for (int shift = 4; c != '=' && shift >= 0; shift -= 2) { // two bits at a time
            const std::uint64_t place = bits % 32 / 8 * 8 + (6 - bits % 8);
            word |= (digit(c) >> static_cast<unsigned>(shift) & 3U) << place;
            bits += 2;
            if (bits % 32 == 0) {
                values.push_back(static_cast<std::int32_t>(word));
                word = 0;
            }
        }
    }
    return values;
}

} // namespace

TEST_CASE("a report holds both runs, and its slices add up to their statistics") {
    const Scratch scratch;
    const fs::path page = scratch.path() / "r.html";
    const json results = json::parse(
        invoke("compare " + kAscend + kPair + "--count 30 --format json --report " + page.string())
            .out)["results"];
    const json data = page_data(page);
    REQUIRE(data["runs"].size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        const json& run = data["runs"][i];
        CHECK(run["cycles"] == results[i]["cycles"]);
        const std::vector<std::int32_t> lanes = numbers(run["slices"]["lane"]);
        const std::vector<std::int32_t> cycles = numbers(run["slices"]["cycles"]);
        const std::vector<std::int32_t> names = numbers(run["slices"]["name"]);
        REQUIRE(lanes.size() == run["slices"]["count"].get<std::size_t>());
        std::map<std::string, std::int64_t> busy;
        for (std::size_t s = 0; s < lanes.size(); ++s) {
            const json& lane = run["lanes"][static_cast<std::size_t>(lanes[s])];
            const json& stalls = run["states"];
            const json& name = run["names"][static_cast<std::size_t>(names[s])];
            if (std::find(stalls.begin(), stalls.end(), name) == stalls.end()) {
                busy[lane["core"].get<std::string>() + lane["pipe"].get<std::string>()] +=
                    cycles[s];
            }
        }
        for (const json& lane : run["lanes"]) {
            const std::string core = lane["core"];
            const std::string pipe = lane["pipe"];
            CAPTURE(core, pipe);
            const json& statistics = results[i]["cores"][core]["pipes"][pipe];
            CHECK(lane["cycles"][0] == statistics["busy"]);
            CHECK(lane["idle"] == statistics["idle"]);
            if (pipe != "scalar") { // dispatch is left out
                CHECK(busy[core + pipe] == statistics["busy"].get<std::int64_t>());
            }
        }
        const std::vector<std::int32_t> start = numbers(run["critical"]["start"]);
        const std::vector<std::int32_t> end = numbers(run["critical"]["end"]);
        REQUIRE_FALSE(end.empty());
        CHECK(start.front() == 0);
        CHECK(end.back() == run["cycles"].get<std::int64_t>());
        CHECK(std::equal(end.begin(), end.end() - 1, start.begin() + 1));
    }
}

TEST_CASE("a report of a selection holds every candidate") {
    const Scratch scratch;
    const fs::path page = scratch.path() / "s.html";
    const json selection = json::parse(
        invoke("select " + kAscend + "--chunk 16 --count 1 --max-error 1e-2 --format json " +
               "-k inverse/neumann -k inverse/radix4 --report " + page.string())
            .out);
    const json sweep = page_data(page)["sweep"];
    REQUIRE(sweep["points"].size() == selection["candidates"].size());
    for (std::size_t i = 0; i < sweep["points"].size(); ++i) {
        CHECK(sweep["points"][i]["axes"][0] == selection["candidates"][i]["kernel"]);
        CHECK(sweep["points"][i]["axes"].size() == sweep["axes"].size());
    }
    CHECK(refusal("select " + kAscend +
                  "--max-error 1 --report /no/such/r.html --count 1 "
                  "--chunk 16 -k inverse/radix4")
              .find("/no/such/r.html") != std::string::npos);
}
