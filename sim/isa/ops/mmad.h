// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <string_view>

namespace npusim::isa {

/// Matrix multiply-add on the cube: c [M,N] = (accumulate ? c : 0) + a [M,K] * b [K,N].
/// a in L0A and b in L0B share one dtype, and c in L0C has the accumulator the hardware file gives
/// that dtype. Floats are summed over k in ascending order (a model choice: real cubes sum in
/// trees). Integers are summed exactly, c included, and the total is clamped to c's range once, at
/// the end of the instruction.
struct Mmad {
    static constexpr std::string_view kName = "mmad";
    static constexpr std::string_view kDoc =
        "c[M,N] (+)= a[M,K] * b[K,N], c in the accumulator of their dtype";
    Tile c;
    Tile a;
    Tile b;
    bool accumulate = false;
};

} // namespace npusim::isa
