// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/op_list.h"

#include <cstdint>

namespace npusim::kernels {

/// fp32 elements in a block: the columns of a tile of factors that Vbrcb makes.
inline constexpr std::int64_t kBlockFloats = isa::kVectorBlockBytes / 4;

/// to [R,C] = from [R,C] within UB, bit by bit: no path leads from UB to itself, but x & x is x.
inline isa::Vand move(const isa::Tile& to, const isa::Tile& from) {
    return isa::Vand{{to, from, from}};
}

} // namespace npusim::kernels
