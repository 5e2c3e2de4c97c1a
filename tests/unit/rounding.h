// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

namespace npusim::test {

/// The arithmetic a float format stands for, with no bits in it: `value` to the nearest multiple of
/// the step at its place, ties to even. The smallest normal is 2^least_exponent; beyond `largest`
/// the result is infinite or clamped.
inline double round_to_format(
    double value, int mantissa_bits, int least_exponent, double largest, bool infinite = true) {
    if (value == 0 || std::isnan(value)) {
        return value;
    }
    if (std::isfinite(value)) {
        const int exponent = std::max(std::ilogb(value), least_exponent);
        const double step = std::ldexp(1.0, exponent - mantissa_bits);
        value = std::nearbyint(value / step) * step;
    }
    if (std::abs(value) > largest) {
        value = std::copysign(infinite ? HUGE_VAL : largest, value);
    }
    return value;
}

} // namespace npusim::test
