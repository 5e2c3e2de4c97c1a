// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"

#include <cstdint>
#include <map>
#include <span>

namespace npusim::functional {

/// What a number format did to the results of one step of an algorithm.
struct StepNumerics {
    std::int64_t stored = 0;    ///< values
    double peak = 0;            ///< largest finite |value| stored, in real values
    double peak_code = 0;       ///< the same as the stored number: of an integer, the integer
    std::int64_t saturated = 0; ///< stored as infinite, clamped, or NaN stored as an integer
    std::int64_t flushed = 0;   ///< other than zero, stored as zero
};

/// The losses of a run, as Fixpipe, Vcast and integer Mmad report them.
struct Numerics {
    std::map<std::int16_t, StepNumerics> steps; ///< by step; an instruction without one leaves none
    std::int64_t saturated_accumulators = 0;    ///< results of a mmad clamped to L0C's range

    /// `values` were stored in `dtype` and now read `stored`; a stored 1 stands for `unit`.
    void record(std::int16_t step,
                DType dtype,
                double unit,
                std::span<const double> values,
                std::span<const double> stored);
    /// The largest of what the step is going to store, found on the way.
    void record_peak(std::int16_t step, double peak);
};

} // namespace npusim::functional
