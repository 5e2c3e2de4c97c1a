// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/config/hardware.h"
#include "sim/isa/op_list.h"
#include "sim/isa/tile.h"

#include <cmath>
#include <cstdint>

namespace npusim::timing {

/// Whole cycles that `cycles` take.
inline Cycles rounded_up(double cycles) {
    return Cycles{static_cast<std::int64_t>(std::ceil(cycles))};
}

/// Cycles `instruction` occupies its pipe with nobody else on the chip.
///
/// mmad: startup + ceil(M/m) ceil(K/k) ceil(N/n) blocks; vector: ceil(slope * repeats + base), a
/// cycle less of each repeat whose two operands do not meet in a bank group of UB;
/// transfers: startup + rows that stand apart * run + ceil(bytes / rate), what a miss of L2 adds is
/// the GM server's. Throws ProgramError for a path the chip lacks.
Cycles cost(const isa::Instruction& instruction, const config::HardwareConfig& hardware);

/// Those of its cycles that the next transfer of its pipe may overlap.
Cycles overlap(const isa::Instruction& instruction, const config::HardwareConfig& hardware);

/// Vector repeats of an op over `rows` rows of `row_bytes` bytes: whole repeats over the lot if
/// `dense`, otherwise whole repeats per row.
std::int64_t
repeats(std::int64_t rows, std::int64_t row_bytes, bool dense, std::int64_t repeat_bytes);

/// A transfer as global memory sees it: zero bytes if the instruction does not touch GM.
struct GmTraffic {
    std::int64_t bytes = 0;      ///< payload
    std::int64_t line_bytes = 0; ///< payload with every inner run rounded up to whole lines
    bool write = false;
    bool cold = false;
    bool bypass = false; ///< past L2 on purpose
    isa::Tile tile;      ///< the GM side
};
GmTraffic gm_traffic(const isa::Instruction& instruction, const config::HardwareConfig& hardware);

} // namespace npusim::timing
