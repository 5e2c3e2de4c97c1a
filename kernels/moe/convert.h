// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/op_list.h"

namespace npusim::kernels {

/// to = from in another float dtype, or a copy within UB: in one dtype, a device's cast rounds to
/// whole numbers (Cast, Ascend C), while a product with 1 is exact and takes as long.
inline isa::Instruction converted(const isa::Tile& to, const isa::Tile& from) {
    if (to.dtype == from.dtype) {
        return isa::Vmuls{{to, from}, 1};
    }
    return isa::Vcast{to, from};
}

} // namespace npusim::kernels
