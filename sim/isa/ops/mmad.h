// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <string_view>

namespace npusim::isa {

/// Matrix multiply-add on the cube: c [M,N] fp32 = (accumulate ? c : 0) + a [M,K] * b [K,N].
/// a in L0A and b in L0B share one dtype; c in L0C is fp32. Sums run over k in ascending order
/// (a model choice: real cubes sum in trees).
struct Mmad {
    static constexpr std::string_view kName = "mmad";
    static constexpr std::string_view kDoc = "c[M,N] (+)= a[M,K] * b[K,N], fp32 accumulation";
    Tile c;
    Tile a;
    Tile b;
    bool accumulate = false;
};

} // namespace npusim::isa
