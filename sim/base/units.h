// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace npusim {

/// An in-order execution pipe of a core.
enum class Pipe : std::uint8_t { Scalar, Vector, Cube, Mte1, Mte2, Mte3, FixPipe };
inline constexpr std::size_t kPipeCount = 7;
inline constexpr std::array<std::string_view, kPipeCount> kPipeNames{
    "scalar", "vector", "cube", "mte1", "mte2", "mte3", "fixpipe"};
constexpr std::string_view to_string(Pipe pipe) {
    return kPipeNames[static_cast<std::size_t>(pipe)];
}

/// A memory an instruction can name: global memory or a local buffer of the core.
enum class Memory : std::uint8_t { Gm, L1, L0a, L0b, L0c, Ub };
inline constexpr std::size_t kMemoryCount = 6;
inline constexpr std::array<std::string_view, kMemoryCount> kMemoryNames{
    "gm", "l1", "l0a", "l0b", "l0c", "ub"};
constexpr std::string_view to_string(Memory memory) {
    return kMemoryNames[static_cast<std::size_t>(memory)];
}

/// Those of a core, in the order of the hardware files.
inline constexpr std::array kLocalMemories{
    Memory::L1, Memory::L0a, Memory::L0b, Memory::L0c, Memory::Ub};

/// ceil(a / b) for non-negative a and positive b.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

} // namespace npusim
