// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/base/units.h"
#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <cstdint>

namespace npusim::kernels {

/// Hands out aligned addresses of one memory, in order. Throws ConfigError when it is full.
class Allocator {
  public:
    Allocator(const config::HardwareConfig& hardware, Memory memory);
    /// A dense tile [rows, cols].
    isa::Tile tile(DType dtype, std::int64_t rows, std::int64_t cols);
    [[nodiscard]] std::int64_t used() const { return used_; }

  private:
    const config::HardwareConfig& hardware_;
    Memory memory_;
    std::int64_t align_;
    std::int64_t size_;
    std::int64_t used_ = 0;
};

/// A dense tile [rows, cols] at the start of `room`, in its dtype.
inline isa::Tile shaped(const isa::Tile& room, std::int64_t rows, std::int64_t cols) {
    return isa::dense(room.memory, room.dtype, room.address, rows, cols);
}

} // namespace npusim::kernels
