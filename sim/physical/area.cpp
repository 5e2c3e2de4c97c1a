// SPDX-License-Identifier: Apache-2.0
#include "sim/physical/area.h"

#include <algorithm>
#include <cstddef>

namespace npusim::physical {

namespace {

constexpr double kMm2 = 1e-6; ///< of a um2
constexpr double kKiB = 1024;

double cube_um2(const config::CubeConfig& cube, const config::AreaConfig& area) {
    double largest = 0;
    for (const auto& [dtype, format] : cube.formats) {
        const double macs_per_cycle = static_cast<double>(format.m * format.k * format.n) /
                                      static_cast<double>(format.cycles_per_block);
        largest = std::max(largest, macs_per_cycle * area.mac[static_cast<std::size_t>(dtype)]);
    }
    return largest;
}

double links_um2(const config::HardwareConfig& hardware, const config::AreaConfig& area) {
    double rate = 0;
    for (const config::LinkConfig& link : hardware.links) {
        const bool of_vector_cores = link.from == Memory::Ub || link.to == Memory::Ub;
        rate += link.bytes_per_cycle *
                (of_vector_cores ? static_cast<double>(hardware.vector_cores) : 1);
    }
    return rate * area.transfer;
}

} // namespace

std::optional<Area> area_of(const config::HardwareConfig& hardware) {
    if (!hardware.technology) {
        return std::nullopt;
    }
    const config::AreaConfig& area = hardware.technology->area;
    const auto vector_cores = static_cast<double>(hardware.vector_cores);
    const double scalar_units =
        hardware.composition == config::Composition::Split ? 1 + vector_cores : 1;
    const auto sram_um2 = [&](Memory memory, std::int64_t bytes) {
        return static_cast<double>(bytes) / kKiB * area.sram[static_cast<std::size_t>(memory)];
    };
    Area result;
    result.ai_cores = hardware.ai_cores;
    const auto add = [&](std::string_view name, double um2) {
        result.ai_core.push_back({name, um2 * kMm2});
    };
    add("cube", cube_um2(hardware.cube, area));
    add("vector", static_cast<double>(hardware.vector.repeat_bytes) * area.vector * vector_cores);
    add("scalar", area.scalar * scalar_units);
    add("links", links_um2(hardware, area));
    for (const Memory memory : kLocalMemories) {
        add(to_string(memory),
            sram_um2(memory, hardware.buffer(memory).size_bytes) *
                (memory == Memory::Ub ? vector_cores : 1));
    }
    result.l2 = sram_um2(Memory::Gm, hardware.gm.l2_size_bytes) * kMm2;
    return result;
}

} // namespace npusim::physical
