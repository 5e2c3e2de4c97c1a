// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/allocator.h"

#include "sim/base/error.h"

#include <fmt/format.h>
#include <string>

namespace npusim::kernels {

namespace {

/// GM regions start on whole lines, so that neighbours never share one.
constexpr std::int64_t kGmAlign = 512;

} // namespace

Allocator::Allocator(const config::HardwareConfig& hardware, Memory memory)
    : hardware_(hardware), memory_(memory),
      align_(memory == Memory::Gm ? kGmAlign : hardware.buffer(memory).align_bytes),
      size_(memory == Memory::Gm ? hardware.gm.size_bytes : hardware.buffer(memory).size_bytes) {}

isa::Tile Allocator::tile(DType dtype, std::int64_t rows, std::int64_t cols) {
    const isa::Tile tile = isa::dense(memory_, dtype, used_, rows, cols);
    used_ = ceil_div(tile.end(), align_) * align_;
    if (used_ > size_) {
        const std::string key =
            memory_ == Memory::Gm ? "gm.size" : fmt::format("buffers.{}.size", to_string(memory_));
        throw ConfigError(fmt::format("{}: {} bytes, and the kernel's tiles need at least {} "
                                      "(allowed: a smaller chunk, a narrower dtype, a larger {})",
                                      hardware_.at(key),
                                      size_,
                                      used_,
                                      to_string(memory_)));
    }
    return tile;
}

} // namespace npusim::kernels
