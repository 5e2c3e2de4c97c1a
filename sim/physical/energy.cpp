// SPDX-License-Identifier: Apache-2.0
#include "sim/physical/energy.h"

#include "sim/physical/area.h"

#include <cstddef>
#include <cstdint>
#include <numeric>

namespace npusim::physical {

namespace {

constexpr double kPicojoule = 1e-12;
constexpr double kMegahertz = 1e6;

/// pJ of counts by dtype.
double weighted(const isa::CountByDType& counts, const config::PerDType& energies) {
    return std::inner_product(counts.begin(), counts.end(), energies.begin(), 0.0);
}

/// pJ of accesses.
double accessed(std::int64_t bytes_read, std::int64_t bytes_written, config::AccessEnergy energy) {
    return static_cast<double>(bytes_read) * energy.read +
           static_cast<double>(bytes_written) * energy.write;
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
    const auto add = [&](std::string_view name, double pj) {
        result.parts.push_back({name, pj * kPicojoule});
    };
    add("cube", weighted(run.work.macs, energy.mac));
    add("vector", weighted(run.work.elements, energy.vector));
    add("scalar", static_cast<double>(run.scalar_busy()) * energy.scalar);
    for (const Memory memory : kLocalMemories) {
        const auto m = static_cast<std::size_t>(memory);
        add(to_string(memory),
            accessed(run.work.read[m],
                     run.work.written[m],
                     energy.buffer(hardware.buffer(memory).size_bytes)));
    }
    add("l2", accessed(run.gm_bytes_read, run.gm_bytes_written, energy.l2));
    add("hbm", static_cast<double>(run.hbm_bytes) * energy.hbm);
    result.parts.push_back({"static", *static_watts(hardware) * result.seconds});
    return result;
}

std::optional<double> static_watts(const config::HardwareConfig& hardware) {
    const std::optional<Area> area = area_of(hardware);
    return area ? std::optional(hardware.technology->static_watts_per_mm2 * area->chip())
                : std::nullopt;
}

} // namespace npusim::physical
