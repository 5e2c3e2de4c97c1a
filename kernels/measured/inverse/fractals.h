// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"

#include <cstdint>
#include <vector>

namespace npusim::kernels {

/// Side of a fractal of 16-bit numbers, the smallest piece that moves from L1 to L0.
inline constexpr std::int64_t kFractal = 16;

/// Copies every `step`-th diagonal block of `side`, from block `first` on, from L1 to L0A or L0B,
/// one instruction per fractal, in the order of the published kernels.
void copy_diagonal_blocks(Script& s,
                          const isa::Tile& to,
                          const isa::Tile& from,
                          std::int64_t side,
                          std::int64_t first,
                          std::int64_t step);

/// Copies a matrix from L1 to L0A or L0B, one instruction per row of fractals.
void copy_rows_of_fractals(Script& s, const isa::Tile& to, const isa::Tile& from);

/// The negative identity.
std::vector<float> minus_identity(std::int64_t side);

} // namespace npusim::kernels
