// SPDX-License-Identifier: Apache-2.0
#include "sim/physical/energy.h"

#include "sim/physical/area.h"

#include <cstddef>
#include <numeric>

namespace npusim::physical {

namespace {

using observe::PipeWork;

constexpr double kPicojoule = 1e-12;
constexpr double kMegahertz = 1e6;

/// pJ of counts by dtype.
double weighted(const isa::CountByDType& counts, const config::PerDType& energies) {
    return std::inner_product(counts.begin(), counts.end(), energies.begin(), 0.0);
}

} // namespace

std::optional<Energy> energy_of(const observe::RunStatistics& run,
                                const config::HardwareConfig& hardware) {
    if (!hardware.technology) {
        return std::nullopt;
    }
    const config::EnergyConfig& energy = hardware.technology->energy;
    Energy result;
    result.seconds = static_cast<double>(run.total.count()) / (hardware.clock_mhz * kMegahertz);
    for (const std::string_view pipe : kPipeNames) {
        result.pipes.push_back({pipe});
    }
    // `pj_of`: what the work of a pipe takes in this part.
    const auto add = [&](std::string_view part, const auto& pj_of) {
        double sum = 0;
        for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
            const double joules = pj_of(run.work[pipe]) * kPicojoule;
            result.pipes[pipe].value += joules;
            sum += joules;
        }
        result.parts.push_back({part, sum});
    };
    const auto add_memory = [&](std::string_view part, Memory memory, config::AccessEnergy pj) {
        const auto m = static_cast<std::size_t>(memory);
        add(part, [&](const PipeWork& work) {
            return static_cast<double>(work.read[m]) * pj.read +
                   static_cast<double>(work.written[m]) * pj.write;
        });
    };
    add("cube", [&](const PipeWork& work) { return weighted(work.macs, energy.mac); });
    add("vector", [&](const PipeWork& work) { return weighted(work.elements, energy.vector); });
    const double scalar = static_cast<double>(run.scalar_busy()) * energy.scalar * kPicojoule;
    result.parts.push_back({"scalar", scalar});
    result.pipes[static_cast<std::size_t>(Pipe::Scalar)].value += scalar;
    for (const Memory memory : kLocalMemories) {
        add_memory(to_string(memory), memory, energy.buffer(hardware.buffer(memory).size_bytes));
    }
    add_memory("l2", Memory::Gm, energy.l2);
    add("hbm",
        [&](const PipeWork& work) { return static_cast<double>(work.hbm_bytes) * energy.hbm; });
    result.parts.push_back({"static", *static_watts(hardware) * result.seconds});
    return result;
}

std::optional<double> static_watts(const config::HardwareConfig& hardware) {
    const std::optional<Area> area = area_of(hardware);
    return area ? std::optional(hardware.technology->static_watts_per_mm2 * area->chip())
                : std::nullopt;
}

} // namespace npusim::physical
