// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"
#include "sim/isa/tile.h"

#include <cstdint>

namespace npusim::kernels::attention {

/// Columns of a tile come in multiples of a block of the cube.
inline constexpr std::int64_t kGrain = 16;
constexpr std::int64_t grains(std::int64_t count) {
    return ceil_div(count, kGrain) * kGrain;
}

} // namespace npusim::kernels::attention
