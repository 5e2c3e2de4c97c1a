// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Element by element: `vec_*` (Ascend C kernels with their sources, vendor library), `diff`,
/// `gen_lower`.
extern const Family kVectorFamily;

/// Global memory: `copy`, `gm_read`, `gm_write`, and the chip's barrier. Card to card is refused.
extern const Family kCopyFamily;

/// Prefix sums: `mcscan`, `row_scan`, `seg_scan_single_core`.
extern const Family kScanFamily;

/// Instructions by themselves: `instr_*`.
extern const Family kInstructionFamily;

} // namespace npusim::app
