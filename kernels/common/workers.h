// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"
#include "sim/config/hardware.h"
#include "sim/isa/core_id.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace npusim::kernels {

/// Items begin ..< end.
struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// Share `index` of `count` items dealt to `workers` in contiguous, nearly equal ranges.
constexpr Range share(std::int64_t count, std::int64_t workers, std::int64_t index) {
    return {count * index / workers, count * (index + 1) / workers};
}

/// Of `count` items dealt to `workers` in turn, the number that worker `index` gets.
constexpr std::int64_t share_in_turn(std::int64_t count, std::int64_t workers, std::int64_t index) {
    return index < std::min(count, workers) ? ceil_div(count - index, workers) : 0;
}

/// Rounds of the worker that has most, where `items` are dealt to `workers` and a round is `each`.
constexpr std::int64_t rounds_of(std::int64_t items, std::int64_t workers, std::int64_t each = 1) {
    return ceil_div(ceil_div(items, workers), each);
}

/// One of `count` workers that share the items of a job.
struct Worker {
    std::int64_t index = 0;
    std::int64_t count = 1;
    /// The items of this one: a contiguous range.
    [[nodiscard]] Range of(std::int64_t items) const { return share(items, count, index); }
};
/// `core` among the AI cores of the chip.
Worker ai_core_worker(const config::HardwareConfig& hardware, isa::CoreId core);
/// `core` among those that have a cube; none if it has not.
std::optional<Worker> cube_worker(const config::HardwareConfig& hardware, isa::CoreId core);
/// Vector units of the chip.
std::int64_t vector_workers(const config::HardwareConfig& hardware);
/// `core` among those that have a vector unit; none if it has not.
std::optional<Worker> vector_worker(const config::HardwareConfig& hardware, isa::CoreId core);

} // namespace npusim::kernels
