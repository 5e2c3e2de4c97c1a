// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace npusim::functional {

/// What nobody wrote: all ones is NaN in every float format, so a read of it shows.
inline constexpr std::byte kPoison{0xFF};

/// Bytes of the global memory a job uses, shared by all cores.
using GlobalMemory = std::vector<std::byte>;
GlobalMemory make_global_memory(std::int64_t bytes, std::byte fill = kPoison);

/// The memories one core sees: its own local buffers and the shared global memory.
class CoreMemory {
  public:
    CoreMemory(const config::HardwareConfig& hardware, GlobalMemory& gm);

    /// The bytes of a memory. Throws ProgramError if `tile` reaches past its end.
    std::byte* at(const isa::Tile& tile);

  private:
    std::vector<std::byte>& buffer(Memory memory);

    const config::HardwareConfig& hardware_;
    GlobalMemory& gm_;
    std::array<std::vector<std::byte>, kMemoryCount> buffers_;
};

/// Reads row `row` of `tile` into `out` (`tile.cols` values). `Value` is float, which holds every
/// operand format exactly; double, which holds int32 too; or std::int64_t and std::int32_t, for
/// integer formats (of those that fit).
/// What `Value` cannot hold is rounded as in formats.h.
template <class Value>
void load_row(const isa::Tile& tile, const std::byte* base, std::int64_t row, Value* out);
/// Writes `tile.cols` values to row `row`, each rounded once to the tile's dtype; an int64 counts
/// as the nearest fp64 where the dtype is a float format.
template <class Value>
void store_row(const isa::Tile& tile, std::byte* base, std::int64_t row, const Value* values);

} // namespace npusim::functional
