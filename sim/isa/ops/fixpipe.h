// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <cstdint>
#include <string_view>

namespace npusim::isa {

/// Result path of the cube: to [R,C] = round(scale * from [R,C]), from an accumulator in L0C to any
/// dtype in GM, L1 or UB. The product is fp64, rounded once as sim/functional/formats.h says; the
/// same dtype at scale 1 moves as it is.
struct Fixpipe {
    static constexpr std::string_view kName = "fixpipe";
    static constexpr std::string_view kDoc =
        "to[R,C] = round(scale * l0c[R,C]), converting on the way";
    Tile to;
    Tile from;
    bool cold = false; ///< as Copy::cold
    float scale = 1;
    std::int16_t step = -1; ///< of the algorithm, for the record of numerics; -1: not recorded
    float unit = 1;         ///< real value of a stored 1, for the record; 0: recorded elsewhere
};

} // namespace npusim::isa
