// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"
#include "sim/model/simulation.h"
#include "sim/observe/statistics.h"
#include "traces/timeline.h"

#include <string>
#include <utility>

namespace npusim::test {

/// A shipped hardware file with overrides.
inline config::HardwareConfig hardware(const std::string& name,
                                       const std::vector<config::Override>& overrides = {}) {
    return config::load_hardware(NPUSIM_SOURCE_DIR "/configs/hardware/" + name + ".yaml",
                                 overrides);
}

/// One fused core that starts at cycle 0, with round numbers: every link 64 B/cycle after 10
/// cycles, GM without limits.
inline config::HardwareConfig tiny() {
    config::HardwareConfig machine = hardware("fused-local");
    machine.name = "tiny";
    machine.ai_cores = 1;
    machine.launch = Cycles{0};
    machine.scalar = {Cycles{1}, 4, Cycles{1}, Cycles{1}, Cycles{1}};
    machine.cube.startup = Cycles{6};
    machine.cube.formats[DType::Fp16] = {16, 16, 16, 1};
    machine.vector.bank_groups = 0;
    machine.vector.warm = Cycles{0};
    machine.sync.set_flag = Cycles{1};
    machine.sync.wait_flag = Cycles{1};
    for (config::LinkConfig& link : machine.links) {
        link.bytes_per_cycle = 64;
        link.startup = Cycles{10};
        link.overlap = Cycles{0};
        link.run = Cycles{0};
    }
    machine.gm.l2_tracked = false;
    machine.gm.hbm_bytes_per_cycle = 1e6;
    machine.gm.hbm_fill_bytes_per_cycle = 1e6;
    machine.gm.hbm_write_bytes_per_cycle = 1e6;
    machine.gm.l2_read_bytes_per_cycle = 1e6;
    machine.gm.l2_write_bytes_per_cycle = 1e6;
    machine.gm.miss_latency = Cycles{0};
    return machine;
}

/// One program on core 0, timing only, before `observers`.
inline Cycles simulate(const config::HardwareConfig& machine,
                       const isa::Block& program,
                       const observe::Observers& observers) {
    const model::Job job{[&](isa::CoreId core) {
                             return core == isa::CoreId{} ? isa::from_list(program)
                                                          : isa::Program{};
                         },
                         nullptr};
    return model::simulate(machine, job, observers);
}

/// The timeline of the same.
inline std::string timeline(const config::HardwareConfig& machine, const isa::Block& program) {
    traces::Timeline timeline;
    simulate(machine, program, {&timeline});
    return timeline.text();
}

/// The statistics of the same.
inline observe::RunStatistics statistics(const config::HardwareConfig& machine,
                                         const isa::Block& program) {
    observe::StatisticsCollector collector;
    simulate(machine, program, {&collector});
    return collector.result();
}

/// A dense fp16 tile.
inline isa::Tile half(Memory memory, std::int64_t address, std::int64_t rows, std::int64_t cols) {
    return isa::dense(memory, DType::Fp16, address, rows, cols);
}

/// Two vector adds, double-buffered: the program of tests/golden/vector_add.txt.
inline isa::Block two_adds() {
    isa::Block program;
    for (std::int32_t i = 0; i < 2; ++i) {
        const isa::Tile slot = half(Memory::Ub, i * 512, 16, 16);
        program.emplace_back(isa::Copy{slot, half(Memory::Gm, i * 512, 16, 16)});
        program.emplace_back(isa::SetFlag{Pipe::Mte2, Pipe::Vector, i});
        program.emplace_back(isa::WaitFlag{Pipe::Mte2, Pipe::Vector, i});
        program.emplace_back(isa::Vadd{{slot, slot, slot}});
        program.emplace_back(isa::SetFlag{Pipe::Vector, Pipe::Mte3, i});
        program.emplace_back(isa::WaitFlag{Pipe::Vector, Pipe::Mte3, i});
        program.emplace_back(isa::Copy{half(Memory::Gm, 4096 + i * 512, 16, 16), slot});
    }
    return program;
}

} // namespace npusim::test
