// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/input.h"

#include <cstdint>
#include <span>

namespace npusim::inverse {

/// How far a batch of computed inverses is from double-precision forward substitution on the
/// unrounded A. Matrices with an infinity or a NaN are counted in `non_finite` and left out of the
/// other figures, which are NaN if nothing is left.
struct Accuracy {
    double rel_frobenius_max = 0; ///< max over matrices of |T - T_ref|_F / |T_ref|_F
    double snr_db_mean = 0;       ///< mean over matrices of -20 log10 of that ratio
    double snr_db_worst = 0;
    std::int64_t non_finite = 0;
    std::int64_t matrices = 0;
};

/// SNR given to an exact match, whose own is infinite.
inline constexpr double kExactSnrDb = 400;

/// `t` is [count, size, size], in the order of `input`.
Accuracy measure(const Matrices& input, std::span<const double> t);

} // namespace npusim::inverse
