// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"

#include <cstdint>
#include <vector>

namespace npusim::isa {

/// A core's place on the chip.
struct CoreId {
    std::int64_t ai_core = 0;
    std::int64_t unit = 0; ///< in the AI core: 0 the cube (or fused) core, 1.. the vector cores
    bool operator==(const CoreId&) const = default;
};

/// The cores of a chip, AI core by AI core.
std::vector<CoreId> core_ids(const config::HardwareConfig& hardware);

} // namespace npusim::isa
