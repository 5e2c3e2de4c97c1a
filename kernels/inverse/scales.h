// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "sim/base/dtype.h"

#include <cstdint>
#include <span>
#include <vector>

namespace npusim::inverse {

/// Largest integer of a format, the one its scale is for.
constexpr std::int64_t largest_integer(DType dtype) {
    return (std::int64_t{1} << (bits_of(dtype) - 1)) - 1;
}

/// Scales of one stored matrix, by group of the calibration: its largest entry there becomes the
/// largest integer.
class ScaleTable {
  public:
    ScaleTable() = default;
    explicit ScaleTable(const kernels::Problem& problem);
    /// Takes in what became of one A of the calibration set.
    void take(std::size_t calibration_matrix, std::span<const double> matrix);
    /// Real value of 1 in the matrix of problem matrix `index`; 1 without a calibration.
    [[nodiscard]] float operator()(std::int64_t index) const;

  private:
    const kernels::Calibration* calibration_ = nullptr;
    float largest_ = 1;        ///< integer
    std::vector<float> peaks_; ///< by group
};

/// The scales of A and T alone, for kernels that are fp32 in between. Scales of a matrix's own are
/// those of A; T's is then set by its unit diagonal, which nothing in it exceeds by much.
class EndScales {
  public:
    explicit EndScales(const kernels::Problem& problem);
    [[nodiscard]] double input(std::int64_t index) const { return integer_ ? a_(index) : 1; }
    [[nodiscard]] double output(std::int64_t index) const;

  private:
    bool integer_;
    bool own_;
    double unit_; ///< scale of a matrix whose largest entry is 1
    ScaleTable a_;
    ScaleTable t_;
};

} // namespace npusim::inverse
