// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/numerics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace npusim::functional {

namespace {

/// Whether `stored` lies at the end of the range because `value` is beyond it. Where that leaves a
/// finite number, it is farther from `value` than rounding goes: half the format's widest step.
bool saturated(DType dtype, double value, double stored) {
    if (is_integer(dtype)) {
        return !(std::abs(value - stored) <= 0.5);
    }
    constexpr double kHalfStepAt448 = 16;
    return std::isinf(stored) ||
           (dtype == DType::Fp8E4m3 && std::abs(value - stored) > kHalfStepAt448);
}

} // namespace

void Numerics::record(std::int16_t step,
                      DType dtype,
                      double unit,
                      std::span<const double> values,
                      std::span<const double> stored) {
    StepNumerics& numerics = steps[step];
    numerics.stored += std::ssize(stored);
    for (std::size_t i = 0; i < stored.size(); ++i) {
        if (saturated(dtype, values[i], stored[i])) {
            ++numerics.saturated;
        } else if (values[i] != 0 && stored[i] == 0) {
            ++numerics.flushed;
        }
        if (std::isfinite(stored[i])) {
            numerics.peak_code = std::max(numerics.peak_code, std::abs(stored[i]));
            numerics.peak = std::max(numerics.peak, unit * std::abs(stored[i]));
        }
    }
}

void Numerics::record_peak(std::int16_t step, double peak) {
    if (std::isfinite(peak)) {
        StepNumerics& numerics = steps[step];
        numerics.peak = std::max(numerics.peak, peak);
    }
}

} // namespace npusim::functional
