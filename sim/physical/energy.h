// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/observe/statistics.h"
#include "sim/physical/part.h"

#include <optional>

namespace npusim::physical {

/// Energy of a run.
struct Energy {
    /// J of cube, vector and scalar units, of each local buffer, of L2 and of memory, and what the
    /// chip draws whatever it does ("static"). What a transfer takes is with the memories it reads
    /// and writes.
    Parts parts;
    Parts pipes;        ///< the same but for what is static, by the pipe for whose sake
    double seconds = 0; ///< of the run

    [[nodiscard]] double joules() const { return sum(parts); }
    /// Mean power in W.
    [[nodiscard]] double watts() const { return joules() / seconds; }
};

/// Nothing for a chip without a technology.
std::optional<Energy> energy_of(const observe::RunStatistics& run,
                                const config::HardwareConfig& hardware);

/// W that a chip draws whatever it does, by the area of its parts; nothing without a technology.
std::optional<double> static_watts(const config::HardwareConfig& hardware);

} // namespace npusim::physical
