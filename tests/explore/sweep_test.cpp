// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/base/suggest.h"
#include "sim/explore/sweep.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <set>

namespace npusim::explore {
namespace {

using test::Folder;
using test::sweep_of;

const std::string kGrid = R"(job: {kind: inverse, matrices: 16, input: suite}
axes:
  - {key: job.chunk, values: [16, 32, 64, 128]}
  - {key: hardware.ai_cores, range: {from: 8, to: 24, step: 8}}
  - {key: hardware.buffers.l1.size, log2: {from: 128KiB, to: 1MiB}}
  - linked: {keys: [hardware.buffers.l0a.size, hardware.buffers.l0b.size], values: [[64KiB, 64KiB], [128KiB, 128KiB]]}
constraints:
  - hardware.buffers.l1.size <= 512KiB
  - job.chunk < 128 or hardware.ai_cores > 8
  - area < 400
objectives: [{name: cycles, direction: min}, {name: error, direction: max}]
sampler: {kind: random, points: 10, seed: 3}
budget: {points: 50}
)";

std::string fault(const std::string& text) {
    const Folder folder;
    std::string message = test::message_of([&] { sweep_of(folder, text); });
    for (std::size_t at = 0; (at = message.find(folder.path().string())) != std::string::npos;) {
        message.erase(at, folder.path().string().size() + 1);
    }
    return message;
}

/// A sound file with one axis and one more line.
std::string with_axis(const std::string& axis, const std::string& more = "") {
    return "job: {kind: x}\naxes:\n  - " + axis +
           "\nobjectives: [{name: cycles, direction: min}]\n" + more;
}

} // namespace

TEST_CASE("sweep file: everything in it") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder, kGrid);
    CHECK(sweep.name == "test");
    CHECK(sweep.space.size() == std::uint64_t{4} * 3 * 4 * 2);
    CHECK(sweep.job.at("job.matrices") == Value(std::int64_t{16}));
    CHECK(sweep.base.settings.at("hardware.ai_cores") == Value(std::int64_t{24}));
    CHECK(sweep.base.settings.at("hardware.links.gm->ub.bytes_per_cycle") ==
          Value(std::int64_t{128}));
    CHECK(sweep.before.size() == 2);
    CHECK(sweep.after.size() == 1);
    REQUIRE(sweep.objectives.size() == 2);
    CHECK(sweep.objectives[1].direction == Direction::Max);
    CHECK(sweep.sampler.kind == SamplerKind::Random);
    CHECK(sweep.sampler.points == 10);
    CHECK(sweep.budget == 50);
}

TEST_CASE("sweep: an axis over hardware files, whose keys all of them have") {
    const Folder folder;
    const std::string files = NPUSIM_SOURCE_DIR "/configs/hardware/";
    const auto text = [&](const std::string& key) {
        return fmt::format("job: {{kind: x}}\n"
                           "axes:\n"
                           "  - {{key: hardware, values: [{0}ascend-910b.yaml, "
                           "{0}fused-local.yaml]}}\n"
                           "  - {{key: {1}, values: [1, 24]}}\n"
                           "objectives: [{{name: cycles, direction: min}}]\n",
                           files,
                           key);
    };
    const Sweep sweep = sweep_of(folder, text("hardware.ai_cores"));
    CHECK(sweep.point(1).hardware_file == files + "ascend-910b.yaml");
    CHECK(sweep.point(2).hardware_file == files + "fused-local.yaml");
    std::set<std::uint64_t> hashes;
    for (PointId id = 0; id < 4; ++id) {
        const Point point = sweep.point(id);
        hashes.insert(sweep.hash(id));
        CHECK(config::load_hardware(point.hardware_file, point.hardware).ai_cores ==
              (id % 2 == 0 ? 1 : 24));
    }
    CHECK(hashes.size() == 4);
    CHECK_THROWS_WITH(sweep_of(folder, text("hardware.links.l0c->ub.startup_cycles")),
                      Catch::Contains("axes.1: hardware.links.l0c->ub.startup_cycles: no such key "
                                      "in ") &&
                          Catch::Contains("ascend-910b.yaml"));
}

TEST_CASE("sweep: a point has the whole job and loads as hardware") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder, kGrid, {{"hardware.vector_cores", "1"}});
    const Point point = sweep.point(sweep.space.size() - 1);
    CHECK(point.job.at("job.kind") == Value("inverse"));
    CHECK(point.job.at("job.chunk") == Value(std::int64_t{128}));
    const config::HardwareConfig hardware = config::load_hardware(sweep.base.file, point.hardware);
    CHECK(hardware.vector_cores == 1);
    CHECK(hardware.ai_cores == 24);
    CHECK(hardware.buffer(Memory::L1).size_bytes == 1 << 20);
    CHECK(hardware.buffer(Memory::L0b).size_bytes == 128 << 10);
}

TEST_CASE("sweep: constraints before evaluation see axes, job and base; the others results") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder, kGrid);
    std::size_t feasible = 0;
    for (PointId id = 0; id < sweep.space.size(); ++id) {
        const Settings axes = sweep.space.settings(id);
        const bool expected = *to_number(axes.at("hardware.buffers.l1.size")) <= 512 * 1024 &&
                              (*to_number(axes.at("job.chunk")) < 128 ||
                               *to_number(axes.at("hardware.ai_cores")) > 8);
        CHECK(sweep.feasible(id) == expected);
        feasible += expected ? 1U : 0U;
    }
    CHECK(feasible == std::uint64_t{3} * 2 * (4 * 3 - 1));
    const Settings axes = sweep.space.settings(0);
    CHECK(sweep.acceptable(axes, lookup_in({{"area", 399}})));
    CHECK_FALSE(sweep.acceptable(axes, lookup_in({{"area", 400}})));
    CHECK_FALSE(sweep.acceptable(axes, lookup_in({})));
}

TEST_CASE("sweep: a score is to be minimised, finite and acceptable") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder, kGrid);
    const Settings axes = sweep.space.settings(0);
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(sweep.score(axes, lookup_in({{"cycles", 7}, {"error", 2}, {"area", 1}})) ==
          std::vector<double>{7, -2});
    CHECK_FALSE(sweep.score(axes, lookup_in({{"cycles", 7}, {"error", 2}, {"area", 500}})));
    CHECK_FALSE(sweep.score(axes, lookup_in({{"cycles", 7}, {"error", infinity}, {"area", 1}})));
    CHECK_FALSE(
        sweep.score(axes, lookup_in({{"cycles", 7}, {"error", std::nan("")}, {"area", 1}})));
    CHECK_FALSE(sweep.score(axes, lookup_in({{"cycles", 7}, {"area", 1}})));
}

TEST_CASE("sweep: hashes tell points apart and depend on content alone") {
    const Folder folder;
    const auto axes = [](const std::string& text) {
        return "job: {kind: x}\naxes: [" + text +
               "]\nobjectives: [{name: cycles, direction: min}]\n";
    };
    const std::string chunk = "{key: job.chunk, values: [16, 32]}";
    const std::string cores = "{key: hardware.ai_cores, values: [8, 24]}";
    const Sweep one = sweep_of(folder, axes(chunk + ", " + cores));
    const Sweep turned = sweep_of(folder, axes(cores + ", " + chunk));
    std::set<std::uint64_t> hashes;
    for (PointId id = 0; id < one.space.size(); ++id) {
        hashes.insert(one.hash(id));
        CHECK(one.hash(id) == turned.hash(turned.space.find(one.space.settings(id))));
    }
    CHECK(hashes.size() == 4);

    const Sweep fewer = sweep_of(folder, axes(chunk)); // where the base has 24 cores
    CHECK(fewer.hash(0) == one.hash(1));
    const Sweep other_job = sweep_of(folder, axes(chunk + ", " + cores), {{"job.kind", "y"}});
    const Sweep other_base =
        sweep_of(folder, axes(chunk + ", " + cores), {{"hardware.clock_mhz", "1000"}});
    for (PointId id = 0; id < one.space.size(); ++id) {
        CHECK_FALSE(hashes.contains(other_job.hash(id)));
        CHECK_FALSE(hashes.contains(other_base.hash(id)));
    }
}

TEST_CASE("sweep file: overrides reach every part of it") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder,
                                 kGrid,
                                 {{"job.matrices", "64"},
                                  {"sampler.points", "20"},
                                  {"budget.points", "7"},
                                  {"hardware.clock_mhz", "1000"}});
    CHECK(sweep.job.at("job.matrices") == Value(std::int64_t{64}));
    CHECK(sweep.sampler.points == 20);
    CHECK(sweep.budget == 7);
    CHECK(sweep.base.settings.at("hardware.clock_mhz") == Value(std::int64_t{1000}));
}

TEST_CASE("sweep file: faults name the place, the key and what is allowed") {
    CHECK_THAT(fault(with_axis("{key: hardware.ai_core, values: [1]}")),
               Catch::StartsWith("sweep.yaml:5:5: axes.0: hardware.ai_core: no such key in ") &&
                   Catch::Contains("(did you mean 'hardware.ai_cores'?)"));
    CHECK_THAT(fault(with_axis("{key: chunk, values: [1]}")),
               Catch::StartsWith(
                   "sweep.yaml:5:5: axes.0: 'chunk' (allowed: hardware, and keys that begin with "
                   "hardware. or job.)"));
    CHECK(fault(with_axis("{key: job.x, values: [1, 1]}")) ==
          "sweep.yaml:5:5: axes.0: a value is given twice");
    CHECK(fault(with_axis("{key: job.x, values: [1], log2: {from: 1, to: 2}}")) ==
          "sweep.yaml:5:5: axes.0: needs one of values, range, log2");
    CHECK_THAT(fault(with_axis("{key: job.x, values: [1], step: 2}")),
               Catch::Contains("axes.0.step: unknown key"));
    CHECK_THAT(fault(with_axis("{key: job.x, range: {from: 1, to: 2, stp: 1}}")),
               Catch::Contains("axes.0.range.step: missing") &&
                   Catch::Contains("axes.0.range.stp: unknown key (did you mean 'step'?)"));
    CHECK_THAT(fault(with_axis("{key: job.x, range: {from: 3, to: 2, step: 1}}")),
               Catch::Contains("axes.0.range: from 3 to 2 in steps of 1 is no range"));
    CHECK_THAT(fault(with_axis("{linked: {keys: [job.a, job.b], values: [[1, 2], [3]]}}")),
               Catch::Contains("axes.0.linked.values.1: needs 2 values, one for each key"));
    CHECK_THAT(fault(with_axis("{key: job.x, values: [1]}\n  - {key: job.x, values: [2]}")),
               Catch::StartsWith("sweep.yaml:6:5: axes.1: job.x: another axis has this key"));
    CHECK_THAT(fault(with_axis("{key: job.x, values: [1]}", "constraints: [job.y < 2]\n")),
               Catch::StartsWith("sweep.yaml:7:15: constraints.0: 'job.y < 2', character 1: "
                                 "unknown name 'job.y'"));
    CHECK_THAT(fault(with_axis("{key: job.x, values: [a]}", "constraints: [job.x < 2]\n")),
               Catch::Contains("constraints.0: 'job.x < 2', character 1: this is no number"));
    CHECK_THAT(fault(with_axis("{key: job.x, values: [1]}", "sampler: {kind: nsga}\n")),
               Catch::Contains("sampler.kind: got nsga (allowed: grid, random, lhs, nsga2"));
    CHECK_THAT(fault(with_axis("{key: job.x, values: [1]}",
                               "sampler: {kind: nsga2, population: 10, generations: 2}\n")),
               Catch::Contains("sampler: nsga2 needs two objectives or more") &&
                   Catch::Contains("sampler.population: got 10 (allowed: multiples of 4)"));
    CHECK_THAT(fault("job: {}\naxes: [{key: job.x, values: [1]}]\nobjectives: [{name: cycle, "
                     "direction: min}]\n"),
               Catch::Contains("objectives.0.name: unknown result 'cycle' (did you mean "
                               "'cycles'?) (allowed: cycles, error, area)"));
    CHECK_THAT(fault("job: {}\naxis: []\nobjectives: []\n"),
               Catch::Contains("axes: missing") &&
                   Catch::Contains("axis: unknown key (did you mean 'axes'?)"));
}

TEST_CASE("sweep file: the evaluator judges every value of the job, with its place") {
    const Folder folder;
    Evaluator evaluator = test::any_job();
    evaluator.check_job = [](const std::string& key, const Value& value, const Settings& job) {
        const std::vector<std::string> known{"job.kind", "job.chunk"};
        if (std::ranges::find(known, key) == known.end()) {
            return "unknown key" + did_you_mean(key, known);
        }
        return key == "job.chunk" && job.at("job.kind") == Value("inverse") &&
                       to_number(value) > 128
                   ? std::string("too large")
                   : std::string();
    };
    const std::string file =
        folder.write("sweep.yaml",
                     fmt::format("name: x\nhardware: {}\njob: {{kind: inverse, chunks: 3}}\naxes:\n"
                                 "  - {{key: job.chunk, values: [64, 256]}}\n"
                                 "objectives: [{{name: cycles, direction: min}}]\n",
                                 test::kHardware));
    const std::string message = test::message_of([&] { load_sweep(file, evaluator); });
    CHECK(message == file + ":3:30: job.chunks: unknown key (did you mean 'job.chunk'?)\n" + file +
                         ":5:5: job.chunk: too large");
}

} // namespace npusim::explore
