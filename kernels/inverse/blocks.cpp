// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/blocks.h"

#include "sim/base/error.h"
#include "sim/isa/tile.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace npusim::inverse {

std::int64_t smallest_moved_block(DType dtype) {
    constexpr std::int64_t kFractalRows = 16;
    const std::int64_t bytes = isa::dense(Memory::L1, dtype, 0, 1, kFractalRows).bytes();
    return kFractalRows * std::max<std::int64_t>(1, isa::kFractalRowBytes / bytes);
}

Matrix join_blocks(Recipe& recipe, Matrix x, std::int64_t from, std::int64_t to, DType dtype) {
    const std::int64_t fractal = smallest_moved_block(dtype);
    for (std::int64_t block = from; block < to; block *= 2) {
        if (block < fractal) {
            const Matrix p = recipe.step("P", x * kInput);
            const Matrix meet = recipe.step("J", p * x, {Part::Kind::Pairs, block});
            x = recipe.step("X", x + meet);
        } else {
            const Matrix m = recipe.step("M", x.odd(block) * kInput + kIdentity);
            x = recipe.step("X", m * x.even(block) + x.odd(block));
        }
    }
    return x;
}

void in_blocks(Recipe& recipe,
               std::int64_t block,
               DType dtype,
               const std::function<Matrix(Recipe&)>& method) {
    if (!std::has_single_bit(static_cast<std::uint64_t>(block))) {
        throw ConfigError(fmt::format("block={}: blocks are joined in pairs (allowed: 16, 32, 64, "
                                      "128)",
                                      block));
    }
    block = std::max(block, smallest_moved_block(dtype));
    if (block >= recipe.size()) {
        method(recipe);
        return;
    }
    recipe.within(block);
    const Matrix x = method(recipe);
    recipe.within(0);
    join_blocks(recipe, x, block, recipe.size(), dtype);
}

} // namespace npusim::inverse
