// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/scales.h"

#include "kernels/inverse/reference.h"

#include <algorithm>
#include <cmath>

namespace npusim::inverse {

ScaleTable::ScaleTable(const kernels::Problem& problem)
    : calibration_(problem.calibration),
      largest_(static_cast<float>(largest_integer(problem.dtype))) {
    if (calibration_ != nullptr && !calibration_->group_of.empty()) {
        peaks_.resize(
            static_cast<std::size_t>(1 + *std::ranges::max_element(calibration_->group_of)));
    }
}

void ScaleTable::take(std::size_t calibration_matrix, std::span<const double> matrix) {
    float& peak = peaks_[static_cast<std::size_t>(calibration_->group_of[calibration_matrix])];
    for (const double entry : matrix) {
        peak = std::max(peak, static_cast<float>(std::abs(entry)));
    }
}

float ScaleTable::operator()(std::int64_t index) const {
    if (peaks_.empty()) {
        return 1;
    }
    const auto group = calibration_->group_of_a[static_cast<std::size_t>(index)];
    const float peak = peaks_[static_cast<std::size_t>(group)];
    return (peak > 0 && std::isfinite(peak) ? peak : 1) / largest_;
}

EndScales::EndScales(const kernels::Problem& problem)
    : integer_(is_integer(problem.dtype)), own_(problem.scaling == kernels::Scaling::Matrix),
      unit_(1 / static_cast<double>(largest_integer(problem.dtype))), a_(problem), t_(problem) {
    if (!integer_ || problem.calibration == nullptr) {
        return;
    }
    const auto elements = static_cast<std::size_t>(problem.chunk * problem.chunk);
    for (std::size_t m = 0; m < problem.calibration->group_of.size(); ++m) {
        const auto a = problem.calibration->matrices.subspan(m * elements, elements);
        a_.take(m, a);
        if (!own_) {
            t_.take(m, forward_substitution(a, problem.chunk));
        }
    }
}

double EndScales::output(std::int64_t index) const {
    return !integer_ ? 1 : own_ ? unit_ : t_(index);
}

} // namespace npusim::inverse
