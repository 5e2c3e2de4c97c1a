// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/block_forward_substitution/block_forward_substitution.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

Recipe BlockForwardSubstitution::recipe(std::int64_t size,
                                        DType /*dtype*/,
                                        const kernels::ParameterValues& /*values*/) const {
    constexpr std::int64_t kBlock = 16;
    Recipe r(size);
    join_blocks(r, r.block_inverse("X", kBlock), kBlock, size);
    return r;
}

} // namespace npusim::inverse
