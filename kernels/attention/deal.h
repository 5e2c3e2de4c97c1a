// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::kernels {

/// Item that worker `index` of `count` takes in `round`, of items in falling order of work: there
/// and back, so that who had the longest of one round has the shortest of the next.
constexpr std::int64_t dealt_item(std::int64_t round, std::int64_t count, std::int64_t index) {
    return round * count + (round % 2 == 0 ? index : count - 1 - index);
}

} // namespace npusim::kernels
