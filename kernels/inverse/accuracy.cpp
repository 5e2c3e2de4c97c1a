// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/accuracy.h"

#include "kernels/inverse/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npusim::inverse {

namespace {

/// |t - exact|_F / |exact|_F.
double relative_error(std::span<const double> t, std::span<const double> exact) {
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
        error += (t[i] - exact[i]) * (t[i] - exact[i]);
        norm += exact[i] * exact[i];
    }
    return std::sqrt(error / norm);
}

} // namespace

Accuracy measure(const Matrices& input, std::span<const double> t) {
    const auto elements = static_cast<std::size_t>(input.size * input.size);
    Accuracy accuracy;
    accuracy.matrices = input.count;
    accuracy.snr_db_worst = kExactSnrDb;
    double snr_sum = 0;
    for (std::int64_t m = 0; m < input.count; ++m) {
        const std::size_t begin = static_cast<std::size_t>(m) * elements;
        const auto result = t.subspan(begin, elements);
        if (!std::all_of(
                result.begin(), result.end(), [](double value) { return std::isfinite(value); })) {
            ++accuracy.non_finite;
            continue;
        }
        const auto a = std::span(input.values).subspan(begin, elements);
        const double error = relative_error(result, forward_substitution(a, input.size));
        const double snr = error > 0 ? std::min(-20 * std::log10(error), kExactSnrDb) : kExactSnrDb;
        accuracy.rel_frobenius_max = std::max(accuracy.rel_frobenius_max, error);
        accuracy.snr_db_worst = std::min(accuracy.snr_db_worst, snr);
        snr_sum += snr;
    }
    const std::int64_t finite = accuracy.matrices - accuracy.non_finite;
    if (finite == 0) {
        constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
        accuracy.rel_frobenius_max = accuracy.snr_db_mean = accuracy.snr_db_worst = kNone;
    } else {
        accuracy.snr_db_mean = snr_sum / static_cast<double>(finite);
    }
    return accuracy;
}

} // namespace npusim::inverse
