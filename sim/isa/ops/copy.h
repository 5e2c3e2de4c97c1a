// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <string_view>

namespace npusim::isa {

/// DMA transfer: to [R,C] = from [R,C], same dtype. The memories choose the link, and the link the
/// pipe (MTE1, MTE2 or MTE3); a pair the chip has no link for is a ProgramError.
///
/// On the way from L1 to L0A or L0B a matrix may be transposed, to [C,R] = from [R,C], at no cost
/// of its own (load_data with transpose, Ascend C programming guide).
struct Copy {
    static constexpr std::string_view kName = "copy";
    static constexpr std::string_view kDoc = "to[R,C] = from[R,C] by MTE1, MTE2 or MTE3";
    Tile to;
    Tile from;
    bool cold = false; ///< GM that nobody has touched yet is in HBM rather than in L2
    bool transpose = false;
    bool bypass = false; ///< goes past L2: neither looks there nor leaves anything
};

} // namespace npusim::isa
