// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe.h"
#include "sim/base/dtype.h"

#include <cstdint>
#include <functional>

namespace npusim::inverse {

/// Side of the smallest diagonal block that an L1 -> L0 transfer picks out: a fractal, 16 rows of
/// 32 bytes (Ascend C programming guide).
std::int64_t smallest_moved_block(DType dtype);

/// The inverse from `x`, whose diagonal blocks of side `from` are inverses already: neighbours are
/// joined until the blocks have side `to`. Per doubling, with the even blocks P and the odd ones Q,
///
///     T = (Q A + I) P + Q        T21 = Q A21 P
///
/// (Bunch-Hopcroft, unrolled as in arXiv 2605.21325). Blocks are picked on the way into L0. Those
/// too small for that are not: X A X is formed whole, of an X that is zero outside its blocks, and
/// the vector unit cuts it to the places where pairs meet.
Matrix join_blocks(Recipe& recipe, Matrix x, std::int64_t from, std::int64_t to, DType dtype);

/// `method` on each diagonal block of side `block`, the blocks then joined: how a method that fails
/// or overflows on a large chunk serves it (arXiv 2606.06034 does 128 as 2 x 64). Without blocks if
/// `block` is no less than the recipe's size; blocks are no smaller than `smallest_moved_block`.
/// Throws ConfigError if `block` is no power of two.
void in_blocks(Recipe& recipe,
               std::int64_t block,
               DType dtype,
               const std::function<Matrix(Recipe&)>& method);

} // namespace npusim::inverse
