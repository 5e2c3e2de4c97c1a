// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/bunch_hopcroft/bunch_hopcroft.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

Recipe BunchHopcroft::recipe(std::int64_t size,
                             DType dtype,
                             const kernels::ParameterValues& /*values*/) const {
    Recipe r(size);
    const auto pairs = [](std::int64_t block) { return Part{Part::Kind::Pairs, block}; };
    const std::int64_t fractal = smallest_moved_block(dtype);
    Matrix x = r.step("X", kIdentity + r.masked_input("J", pairs(1)));
    for (std::int64_t block = 2; block < fractal; block *= 2) {
        const Matrix p = r.step("P", x * kInput);
        const Matrix j = r.step("J", p * x, pairs(block));
        x = r.step("X", x + j);
    }
    join_blocks(r, x, fractal, size);
    return r;
}

} // namespace npusim::inverse
