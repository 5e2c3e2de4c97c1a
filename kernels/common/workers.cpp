// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/workers.h"

namespace npusim::kernels {

Worker ai_core_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    return {core.ai_core, hardware.ai_cores};
}

std::optional<Worker> cube_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    return core.unit == 0 ? std::optional(ai_core_worker(hardware, core)) : std::nullopt;
}

std::int64_t vector_workers(const config::HardwareConfig& hardware) {
    return hardware.ai_cores *
           (hardware.composition == config::Composition::Split ? hardware.vector_cores : 1);
}

std::optional<Worker> vector_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    if (hardware.composition == config::Composition::Fused) {
        return ai_core_worker(hardware, core);
    }
    if (core.unit == 0) {
        return std::nullopt;
    }
    return Worker{core.ai_core * hardware.vector_cores + core.unit - 1, vector_workers(hardware)};
}

} // namespace npusim::kernels
