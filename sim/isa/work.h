// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/base/units.h"

#include <array>
#include <cstdint>

namespace npusim::isa {

struct Instruction;

/// A count for each dtype, and for each memory.
using CountByDType = std::array<std::int64_t, kDTypeCount>;
using CountByMemory = std::array<std::int64_t, kMemoryCount>;

/// What instructions do. A tile is read or written once, whatever the unit reads again in blocks;
/// an mmad that accumulates reads `c`, too.
struct Work {
    CountByDType macs{}; ///< multiply-accumulates of the cube, by dtype of the operands
    CountByDType
        elements{};       ///< of vector ops, in their largest tile, by dtype of the first operand
    CountByMemory read{}; ///< bytes
    CountByMemory written{}; ///< bytes
    bool operator==(const Work&) const = default;
};
/// Adds what `instruction` does.
void add_work(const Instruction& instruction, Work& work);

} // namespace npusim::isa
