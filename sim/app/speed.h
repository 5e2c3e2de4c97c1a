// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/config/hardware.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// Cycles of one kernel on a large batch, by chunk size.
struct SpeedRow {
    std::string kernel;                              ///< as given to -k
    std::vector<std::optional<std::int64_t>> cycles; ///< after launch; empty: no room on this chip
};

/// Every kernel at every chunk size, timing only.
struct Speed {
    std::string hardware;
    double clock_mhz = 0;
    std::int64_t ai_cores = 0;
    DType dtype = DType::Fp16;
    std::int64_t tokens = 0; ///< times heads: matrices of a chunk size are tokens / chunk
    std::vector<std::int64_t> chunks;
    std::vector<SpeedRow> rows;

    /// How many times faster `kernel` is than `base` at chunks[at]; NaN if either has no figure.
    [[nodiscard]] double
    ratio(const std::string& kernel, const std::string& base, std::size_t at) const;
};

/// `progress` hears what runs next.
Speed measure_speed(const config::HardwareConfig& hardware,
                    DType dtype,
                    std::int64_t tokens,
                    const std::function<void(const std::string&)>& progress);

/// The table, then the speed-ups that two papers publish beside those of this run. Nothing in the
/// model is set by them.
std::string speed_text(const Speed& speed);
std::string speed_json(const Speed& speed);

} // namespace npusim::app
