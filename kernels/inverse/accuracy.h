// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/input.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace npusim::inverse {

/// |t - exact|_F / |exact|_F: 0 if they are alike, NaN if an element of t is not finite.
double relative_error(std::span<const double> t, std::span<const double> exact);

/// How far a batch of computed inverses is from double-precision forward substitution on the
/// unrounded A. Matrices with an infinity or a NaN are counted in `non_finite` and left out of the
/// other figures, which are NaN if nothing is left.
struct Accuracy {
    double rel_frobenius_median = 0; ///< median over matrices of |T - T_ref|_F / |T_ref|_F
    double rel_frobenius_max = 0;
    double snr_db_mean = 0; ///< mean over matrices of -20 log10 of that ratio
    double snr_db_worst = 0;
    std::int64_t non_finite = 0;
    std::int64_t matrices = 0;
};

/// The accuracy of the matrices of one case.
struct CaseAccuracy {
    std::string name;
    Accuracy accuracy;
};

/// SNR given to an exact match, whose own is infinite.
inline constexpr double kExactSnrDb = 400;

/// The double-precision inverses of a batch, computed once for any number of measurements. What is
/// measured, `t`, is [count, size, size] in the order of the batch.
class ReferenceSet {
  public:
    explicit ReferenceSet(const Matrices& input);

    [[nodiscard]] Accuracy measure(std::span<const double> t) const;
    /// One entry per case of the batch, in its order.
    [[nodiscard]] std::vector<CaseAccuracy> measure_cases(std::span<const double> t) const;

  private:
    /// Relative error of each matrix, NaN if it is not finite.
    [[nodiscard]] std::vector<double> errors(std::span<const double> t) const;

    std::size_t elements_; ///< of a matrix
    std::vector<InputCase> cases_;
    std::vector<double> exact_; ///< [count, size, size]
};

/// Measures one result against a reference of its own.
Accuracy measure(const Matrices& input, std::span<const double> t);

} // namespace npusim::inverse
