// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/mixed/mixed.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

void Mixed::state(Recipe& r, DType dtype, const kernels::ParameterValues& /*values*/) const {
    constexpr std::int64_t kBlock = 16; // the largest for which doubling behaves
    const bool moved = kBlock >= smallest_moved_block(dtype);
    const Part blocks{Part::Kind::Diagonal, kBlock};
    const Matrix d = r.size() == kBlock ? kInput
                     : moved            ? kInput.diagonal(kBlock)
                                        : r.masked_input("D", blocks);
    Matrix x = r.step("X", kIdentity + d);
    Matrix y = d;
    for (std::int64_t terms = 2; terms < kBlock; terms *= 2) {
        y = r.step("Y", y * y);
        x = r.step("X", x + x * y);
    }
    join_blocks(r, x, kBlock, r.size(), dtype);
}

} // namespace npusim::inverse
