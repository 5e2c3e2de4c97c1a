// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace npusim::inverse {

/// T = (I - A)^-1 in double precision, row by row: T_i = e_i + sum_{j<i} A_ij T_j.
/// `a` is [n,n], row-major; only its strict lower triangle is read.
std::vector<double> forward_substitution(std::span<const double> a, std::int64_t n);

/// What the Neumann kernel computes, in double precision and as plainly as it can be written:
/// T0 = band(I + A + ... + A^order), E = I - (I - A) T0, T = T0 (I + E + ... + E^(steps-1)).
/// The band keeps the diagonal and `mask` sub-diagonals, everything if `mask` < 0; `early` also
/// cuts A and every power to it. (arXiv 2606.06034; order of T0 and E as its algebra demands)
std::vector<double> neumann(std::span<const double> a,
                            std::int64_t n,
                            std::int64_t order,
                            std::int64_t steps,
                            std::int64_t mask,
                            bool early);

} // namespace npusim::inverse
