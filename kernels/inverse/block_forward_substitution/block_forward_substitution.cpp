// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/block_forward_substitution/block_forward_substitution.h"

#include "kernels/inverse/blocks.h"
#include "sim/base/error.h"

#include <fmt/format.h>

namespace npusim::inverse {

void BlockForwardSubstitution::state(Recipe& r,
                                     DType dtype,
                                     const kernels::ParameterValues& /*values*/) const {
    constexpr std::int64_t kBlock = 16;
    if (is_integer(dtype) || smallest_moved_block(dtype) > kBlock) {
        throw ConfigError(fmt::format("--dtype {}: inverse/block-forward-substitution has 16x16 "
                                      "blocks in fp32, which transfers must pick out again "
                                      "(allowed: float formats of 16 bits or more)",
                                      to_string(dtype)));
    }
    const Matrix x = r.block_inverse("X", kBlock);
    if (r.size() == kBlock) {
        r.step("T", x); // the result leaves by the cube
    }
    join_blocks(r, x, kBlock, r.size(), dtype);
}

} // namespace npusim::inverse
