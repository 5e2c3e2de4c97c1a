// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <string_view>

namespace npusim::isa {

/// Result path of the cube: to [R,C] = round(from [R,C]), from fp32 in L0C to any dtype in GM, L1
/// or UB, rounding to nearest even; values beyond the format become infinite.
struct Fixpipe {
    static constexpr std::string_view kName = "fixpipe";
    static constexpr std::string_view kDoc =
        "to[R,C] = round(l0c[R,C]), converting fp32 on the way";
    Tile to;
    Tile from;
    bool cold = false; ///< the GM side lives in HBM rather than in L2
};

} // namespace npusim::isa
