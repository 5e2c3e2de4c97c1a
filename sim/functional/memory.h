// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace npusim::functional {

/// Bytes of the global memory a job uses, shared by all cores. Starts as all ones (NaN in every
/// float format), so a read of what nobody wrote shows.
using GlobalMemory = std::vector<std::byte>;
GlobalMemory make_global_memory(std::int64_t bytes);

/// The memories one core sees: its own local buffers and the shared global memory.
class CoreMemory {
  public:
    CoreMemory(const config::HardwareConfig& hardware, GlobalMemory& gm);

    /// The bytes of a memory. Throws ProgramError if `tile` reaches past its end.
    std::byte* at(const isa::Tile& tile);

  private:
    GlobalMemory& gm_;
    std::array<std::vector<std::byte>, kMemoryCount> buffers_;
};

/// Reads row `row` of `tile` as fp32 into `out` (`tile.cols` values).
void load_row(const isa::Tile& tile, const std::byte* base, std::int64_t row, float* out);
/// Writes `tile.cols` fp32 values to row `row`, rounded to the tile's dtype.
void store_row(const isa::Tile& tile, std::byte* base, std::int64_t row, const float* values);

} // namespace npusim::functional
