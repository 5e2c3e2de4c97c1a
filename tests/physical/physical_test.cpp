// SPDX-License-Identifier: Apache-2.0
#include "sim/physical/area.h"
#include "sim/physical/energy.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <map>
#include <string>

namespace npusim::physical {
namespace {

using Catch::Matchers::WithinRel;

constexpr double kPicojoule = 1e-12;
constexpr double kMm2 = 1e-6; ///< of a um2
constexpr std::int64_t kKiB = 1024;

/// A process whose numbers tell in a sum where they come from.
config::TechnologyConfig round_numbers() {
    config::TechnologyConfig technology;
    technology.node = "test";
    technology.energy.mac.fill(3);
    technology.energy.vector.fill(5);
    technology.energy.scalar = 7;
    technology.energy.sram = {{{11, 13}, 1}};
    technology.energy.l2 = {17, 19};
    technology.energy.hbm = 23;
    technology.area.mac.fill(2);
    technology.area.vector = 3;
    technology.area.scalar = 5;
    technology.area.transfer = 7;
    technology.area.sram.fill(11);
    technology.static_watts_per_mm2 = 0;
    return technology;
}

/// The fused core of the other tests, made of that.
config::HardwareConfig machine() {
    config::HardwareConfig machine = test::tiny();
    machine.technology = round_numbers();
    return machine;
}

std::map<std::string, double, std::less<>> by_name(const Parts& parts) {
    std::map<std::string, double, std::less<>> values;
    for (const Part& part : parts) {
        values[std::string(part.name)] = part.value;
    }
    return values;
}

/// pJ of the parts of a program's run that took any.
std::map<std::string, double, std::less<>> picojoules(const config::HardwareConfig& machine,
                                                      const isa::Block& program) {
    auto parts = by_name(energy_of(test::statistics(machine, program), machine)->parts);
    for (auto& [name, value] : parts) {
        value /= kPicojoule;
    }
    std::erase_if(parts, [](const auto& part) { return part.second == 0; });
    return parts;
}

const isa::Work& work_of(const observe::RunStatistics& run, Pipe pipe) {
    return run.work[static_cast<std::size_t>(pipe)];
}

isa::Mmad product(DType dtype, bool accumulate) {
    return {isa::dense(Memory::L0c, DType::Fp32, 0, 16, 48),
            isa::dense(Memory::L0a, dtype, 0, 16, 32),
            isa::dense(Memory::L0b, dtype, 0, 32, 48),
            accumulate};
}

TEST_CASE("a product takes its MACs, one read of A and of B and one write of C") {
    const config::HardwareConfig chip = machine();
    const auto parts = picojoules(chip, {product(DType::Fp16, false)});
    REQUIRE(parts.size() == 5);
    CHECK_THAT(parts.at("cube"), WithinRel(3.0 * 16 * 32 * 48));
    CHECK_THAT(parts.at("l0a"), WithinRel(11.0 * 16 * 32 * 2));
    CHECK_THAT(parts.at("l0b"), WithinRel(11.0 * 32 * 48 * 2));
    CHECK_THAT(parts.at("l0c"), WithinRel(13.0 * 16 * 48 * 4));
    CHECK_THAT(parts.at("scalar"), WithinRel(7.0)); // one instruction, dispatched in a cycle
}

TEST_CASE("a product that accumulates reads C, too") {
    const auto parts = picojoules(machine(), {product(DType::Fp16, true)});
    CHECK_THAT(parts.at("l0c"), WithinRel((11.0 + 13.0) * 16 * 48 * 4));
}

TEST_CASE("MACs and elements cost what their format does") {
    config::HardwareConfig chip = machine();
    chip.technology->energy.mac[static_cast<std::size_t>(DType::Bf16)] = 30;
    chip.technology->energy.vector[static_cast<std::size_t>(DType::Fp32)] = 50;
    CHECK_THAT(picojoules(chip, {product(DType::Bf16, false)}).at("cube"),
               WithinRel(30.0 * 16 * 32 * 48));
    CHECK_THAT(picojoules(chip, {product(DType::Fp16, false)}).at("cube"),
               WithinRel(3.0 * 16 * 32 * 48));
    const isa::Tile wide = isa::dense(Memory::Ub, DType::Fp32, 0, 4, 64);
    const isa::Tile narrow = isa::dense(Memory::Ub, DType::Fp16, 4096, 4, 64);
    CHECK_THAT(picojoules(chip, {isa::Vadd{{wide, wide, wide}}}).at("vector"),
               WithinRel(50.0 * 4 * 64));
    CHECK_THAT(picojoules(chip, {isa::Vadd{{narrow, narrow, narrow}}}).at("vector"),
               WithinRel(5.0 * 4 * 64));
    // A conversion is one of its source, as in what it costs in cycles.
    CHECK_THAT(picojoules(chip, {isa::Vcast{narrow, wide}}).at("vector"), WithinRel(50.0 * 4 * 64));
}

TEST_CASE("a reduction has the elements of what it reads") {
    const isa::Tile from = isa::dense(Memory::Ub, DType::Fp32, 0, 8, 64);
    const isa::Tile to = isa::dense(Memory::Ub, DType::Fp32, 4096, 1, 8);
    const auto parts = picojoules(machine(), {isa::Vcadd{to, from}});
    CHECK_THAT(parts.at("vector"), WithinRel(5.0 * 8 * 64));
    CHECK_THAT(parts.at("ub"), WithinRel(11.0 * 8 * 64 * 4 + 13.0 * 8 * 4));
}

TEST_CASE("a transfer reads one memory and writes another, GM by way of L2") {
    const config::HardwareConfig chip = machine();
    const isa::Tile gm = test::half(Memory::Gm, 0, 16, 16);
    const isa::Tile ub = test::half(Memory::Ub, 0, 16, 16);
    const double bytes = 16.0 * 16 * 2;
    const auto in = picojoules(chip, {isa::Copy{ub, gm}});
    CHECK_THAT(in.at("ub"), WithinRel(13 * bytes));
    CHECK_THAT(in.at("l2"), WithinRel(17 * bytes));
    CHECK_FALSE(in.contains("hbm")); // nobody says it is not in L2
    const auto out = picojoules(chip, {isa::Copy{gm, ub}});
    CHECK_THAT(out.at("ub"), WithinRel(11 * bytes));
    CHECK_THAT(out.at("l2"), WithinRel(19 * bytes));
    isa::Copy cold{ub, gm};
    cold.cold = true;
    const observe::RunStatistics run = test::statistics(chip, {cold});
    REQUIRE(run.hbm_bytes > 0);
    CHECK_THAT(picojoules(chip, {cold}).at("hbm"), WithinRel(23.0 * double(run.hbm_bytes)));
}

TEST_CASE("energy by pipe is that by part, with a transfer's at its own pipe") {
    const config::HardwareConfig chip = machine();
    isa::Block program = test::two_adds();
    program.emplace_back(product(DType::Fp16, true));
    const Energy energy = *energy_of(test::statistics(chip, program), chip);
    const auto pipes = by_name(energy.pipes);
    CHECK_THAT(sum(energy.pipes), WithinRel(energy.joules(), 1e-12)); // nothing static here
    const double tile = 16.0 * 16 * 2;
    CHECK_THAT(pipes.at("mte2"), WithinRel(2 * tile * (17 + 13) * kPicojoule));
    CHECK_THAT(pipes.at("mte3"), WithinRel(2 * tile * (11 + 19) * kPicojoule));
    CHECK_THAT(pipes.at("vector"),
               WithinRel(2 * (16 * 16 * 5 + tile * (2 * 11 + 13)) * kPicojoule));
    const auto parts = by_name(energy.parts);
    CHECK_THAT(pipes.at("cube"),
               WithinRel(parts.at("cube") + parts.at("l0a") + parts.at("l0b") + parts.at("l0c")));
    CHECK(pipes.at("scalar") == parts.at("scalar"));
    CHECK(pipes.at("mte1") == 0);
}

TEST_CASE("a longer run draws static power for longer, and nothing else") {
    config::HardwareConfig chip = machine();
    chip.technology->static_watts_per_mm2 = 0.5;
    const double watts = 0.5 * area_of(chip)->chip();
    CHECK_THAT(*static_watts(chip), WithinRel(watts));
    const isa::Block program{product(DType::Fp16, false)};
    const observe::RunStatistics fast = test::statistics(chip, program);
    const Energy before = *energy_of(fast, chip);
    CHECK_THAT(by_name(before.parts).at("static"),
               WithinRel(watts * double(fast.total.count()) / (chip.clock_mhz * 1e6)));
    CHECK_THAT(before.watts(), WithinRel(before.joules() / before.seconds));

    chip.launch = Cycles{1000};
    const observe::RunStatistics slow = test::statistics(chip, program);
    const Energy after = *energy_of(slow, chip);
    CHECK_THAT(after.joules() - before.joules(),
               WithinRel(watts * 1000 / (chip.clock_mhz * 1e6), 1e-9));
}

TEST_CASE("the work of a run is that of its programs, whatever the chip's timing") {
    config::HardwareConfig slow = machine();
    slow.cube.startup = Cycles{500};
    for (config::LinkConfig& link : slow.links) {
        link.bytes_per_cycle = 1;
    }
    const isa::Block program = test::two_adds();
    const observe::RunStatistics a = test::statistics(machine(), program);
    const observe::RunStatistics b = test::statistics(slow, program);
    CHECK(work_of(a, Pipe::Vector).elements[static_cast<std::size_t>(DType::Fp16)] ==
          std::int64_t{2} * 16 * 16);
    for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
        CAPTURE(kPipeNames[pipe]);
        CHECK(a.work[pipe].macs == b.work[pipe].macs);
        CHECK(a.work[pipe].elements == b.work[pipe].elements);
        CHECK(a.work[pipe].read == b.work[pipe].read);
        CHECK(a.work[pipe].written == b.work[pipe].written);
    }
}

TEST_CASE("what GM is asked for is what the transfers of a run read and write there") {
    const observe::RunStatistics run = test::statistics(machine(), test::two_adds());
    const auto gm = static_cast<std::size_t>(Memory::Gm);
    CHECK(work_of(run, Pipe::Mte2).read[gm] == run.gm_bytes_read);
    CHECK(work_of(run, Pipe::Mte3).written[gm] == run.gm_bytes_written);
    CHECK(run.gm_bytes_read == std::int64_t{2} * 16 * 16 * 2);
}

TEST_CASE("the area of a core is that of its parts, by rate, size and number of cores") {
    config::HardwareConfig chip = machine();
    chip.ai_cores = 4;
    chip.cube.formats = {{DType::Fp16, {16, 16, 16, 1}}};
    chip.vector.repeat_bytes = 128;
    chip.links = {{Memory::Gm, Memory::Ub, Pipe::Mte2, 64, {}, {}, {}},
                  {Memory::L1, Memory::L0a, Pipe::Mte1, 32, {}, {}, {}}};
    for (config::BufferConfig& buffer : chip.buffers) {
        buffer.size_bytes = 4 * kKiB;
    }
    chip.gm.l2_size_bytes = 64 * kKiB;
    const Area fused = *area_of(chip);
    const auto parts = by_name(fused.ai_core);
    CHECK_THAT(parts.at("cube"), WithinRel(2.0 * 4096 * kMm2));
    CHECK_THAT(parts.at("vector"), WithinRel(3.0 * 128 * kMm2));
    CHECK_THAT(parts.at("scalar"), WithinRel(5.0 * kMm2));
    CHECK_THAT(parts.at("links"), WithinRel(7.0 * (64 + 32) * kMm2));
    for (const Memory memory : kLocalMemories) {
        CHECK_THAT(parts.at(std::string(to_string(memory))), WithinRel(11.0 * 4 * kMm2));
    }
    CHECK_THAT(fused.l2, WithinRel(11.0 * 64 * kMm2));
    CHECK_THAT(fused.chip(), WithinRel(4 * sum(fused.ai_core) + fused.l2));

    chip.composition = config::Composition::Split;
    chip.vector_cores = 2;
    const auto split = by_name(area_of(chip)->ai_core);
    CHECK(split.at("cube") == parts.at("cube"));
    CHECK(split.at("l1") == parts.at("l1"));
    CHECK_THAT(split.at("vector"), WithinRel(2 * parts.at("vector")));
    CHECK_THAT(split.at("scalar"), WithinRel(3 * parts.at("scalar")));
    CHECK_THAT(split.at("ub"), WithinRel(2 * parts.at("ub")));
    CHECK_THAT(split.at("links"), WithinRel(7.0 * (2 * 64 + 32) * kMm2));
}

TEST_CASE("formats share the cube: it is as large as the one that needs most") {
    config::HardwareConfig chip = machine();
    const auto cube = [&] { return by_name(area_of(chip)->ai_core).at("cube"); };
    chip.cube.formats = {{DType::Fp16, {16, 16, 16, 1}}};
    const double alone = cube();
    chip.cube.formats[DType::Fp32] = {16, 8, 16, 2};
    CHECK(cube() == alone);
    chip.cube.formats[DType::Int8] = {16, 64, 16, 1};
    CHECK_THAT(cube(), WithinRel(4 * alone));
}

TEST_CASE("whatever makes a chip larger makes its area larger") {
    const auto area = [](const config::Override& change) {
        return area_of(test::hardware("ascend-910b", {change}))->chip();
    };
    const double before = area_of(test::hardware("ascend-910b"))->chip();
    for (const auto& [key, larger] : {std::pair{"ai_cores", "25"},
                                      {"vector_cores", "3"},
                                      {"cube.formats.fp16.m", "32"},
                                      {"cube.formats.fp16.k", "32"},
                                      {"cube.formats.fp16.n", "32"},
                                      {"vector.repeat_bytes", "512"},
                                      {"buffers.l1.size", "1MiB"},
                                      {"buffers.l0a.size", "128KiB"},
                                      {"buffers.l0b.size", "128KiB"},
                                      {"buffers.l0c.size", "256KiB"},
                                      {"buffers.ub.size", "256KiB"},
                                      {"links.gm->ub.bytes_per_cycle", "256"},
                                      {"gm.l2_size", "256MiB"}}) {
        CAPTURE(key);
        CHECK(area({key, larger}) > before);
    }
    CHECK(area({"cube.formats.fp16.cycles_per_block", "2"}) < before);
}

TEST_CASE(
    "a byte of a larger buffer takes more, in proportion to the logarithm between two sizes") {
    config::EnergyConfig energy;
    energy.sram = {{{1, 2}, kKiB}, {{3, 6}, 16 * kKiB}};
    CHECK(energy.buffer(kKiB / 2).read == 1);
    CHECK(energy.buffer(kKiB).write == 2);
    CHECK_THAT(energy.buffer(4 * kKiB).read, WithinRel(2.0));
    CHECK_THAT(energy.buffer(4 * kKiB).write, WithinRel(4.0));
    CHECK(energy.buffer(16 * kKiB).read == 3);
    CHECK(energy.buffer(kKiB * kKiB).write == 6);
}

TEST_CASE("a chip without a technology has neither area nor energy") {
    config::HardwareConfig chip = test::tiny();
    chip.technology.reset();
    CHECK_FALSE(area_of(chip));
    CHECK_FALSE(static_watts(chip));
    CHECK_FALSE(energy_of(test::statistics(chip, test::two_adds()), chip));
}

TEST_CASE("cores and L2 of the 910B fit on its die, and take a good part of it") {
    // 25 AI cores on 665.61 mm2 by published die photographs; configs/technology/README.md.
    const double area = area_of(test::hardware("ascend-910b", {{"ai_cores", "25"}}))->chip();
    CHECK(area > 0.3 * 665.61);
    CHECK(area < 665.61);
}

} // namespace
} // namespace npusim::physical
