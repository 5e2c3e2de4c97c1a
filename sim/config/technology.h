// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/base/units.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace npusim::config {

/// A number for each dtype, and for each memory.
using PerDType = std::array<double, kDTypeCount>;
using PerMemory = std::array<double, kMemoryCount>;

/// pJ a byte.
struct AccessEnergy {
    double read = 0;
    double write = 0;
};

/// That of a buffer of this size.
struct SramEnergy : AccessEnergy {
    std::int64_t size_bytes = 0;
};

/// Energies in pJ.
struct EnergyConfig {
    PerDType mac{};               ///< a multiply-accumulate of the cube, by dtype of its operands
    PerDType vector{};            ///< an element of a vector op, by dtype of its first operand
    double scalar = 0;            ///< a cycle in which the scalar unit is at work
    std::vector<SramEnergy> sram; ///< by ascending size; at least one
    AccessEnergy l2;              ///< a byte that a core reads or writes, with its way there
    double hbm = 0;               ///< a byte between L2 and memory, either way

    /// A buffer's: in proportion to the logarithm of its size between two of `sram`, past the ends
    /// that of the end.
    [[nodiscard]] AccessEnergy buffer(std::int64_t size_bytes) const;
};

/// Areas in um2.
struct AreaConfig {
    PerDType mac{};      ///< a multiply-accumulate a cycle of the cube, by dtype of its operands
    double vector = 0;   ///< a byte of a repeat of the vector unit
    double scalar = 0;   ///< a scalar unit
    double transfer = 0; ///< a byte a cycle of a link
    PerMemory sram{};    ///< a KiB of a buffer; the Gm entry is that of L2
};

/// What a production process makes of a chip: energies and areas of its parts.
struct TechnologyConfig {
    std::string node; ///< e.g. "7 nm FinFET"
    EnergyConfig energy;
    AreaConfig area;
    double static_watts_per_mm2 = 0; ///< drawn whatever runs
};

} // namespace npusim::config
