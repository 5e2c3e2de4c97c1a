// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/physical/part.h"

#include <cstdint>
#include <optional>

namespace npusim::physical {

/// Area in mm2 of what the hardware file describes. Not in it: network, memory controllers and
/// PHYs, host and chip-to-chip interfaces, host cores, and what is left empty.
struct Area {
    Parts ai_core; ///< one AI core: cube, vector, scalar, links, each local buffer
    std::int64_t ai_cores = 0;
    double l2 = 0;

    [[nodiscard]] double chip() const { return sum(ai_core) * static_cast<double>(ai_cores) + l2; }
};

/// Nothing for a chip without a technology.
///
/// The formats of a cube share its hardware: the array is as large as the one that needs most of
/// it. Vector units, their buffers and their links come once for each vector core, and so do scalar
/// units beside that of the cube core.
std::optional<Area> area_of(const config::HardwareConfig& hardware);

} // namespace npusim::physical
