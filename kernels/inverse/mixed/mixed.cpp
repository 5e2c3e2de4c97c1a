// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/mixed/mixed.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

Recipe
Mixed::recipe(std::int64_t size, DType dtype, const kernels::ParameterValues& /*values*/) const {
    Recipe r(size);
    const std::int64_t block = smallest_moved_block(dtype);
    const Matrix d = block < size ? kInput.diagonal(block) : kInput;
    Matrix x = r.step("X", kIdentity + d);
    Matrix y = d;
    for (std::int64_t terms = 2; terms < block; terms *= 2) {
        y = r.step("Y", y * y);
        x = r.step("X", x + x * y);
    }
    join_blocks(r, x, block, size, dtype);
    return r;
}

} // namespace npusim::inverse
