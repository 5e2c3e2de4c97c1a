// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/block_forward_substitution/block_forward_substitution.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

Recipe BlockForwardSubstitution::recipe(std::int64_t size,
                                        DType /*dtype*/,
                                        const kernels::ParameterValues& /*values*/) const {
    constexpr std::int64_t kBlock = 16;
    Recipe r(size);
    const Matrix x = r.block_inverse("X", kBlock);
    if (size == kBlock) {
        r.step("T", x); // the result leaves by the cube
    }
    join_blocks(r, x, kBlock, size);
    return r;
}

} // namespace npusim::inverse
