// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"

namespace npusim::inverse {

/// Column sweep on the vector unit ("VCS" of arXiv 2605.21325), on Y = T^T: Y = I, then for
/// m = n-1 .. 1: Y[r,:] += A[m,r] Y[m,:] for all r < m. fp32 inside; T is rounded once, at the end.
class ColumnSweep : public kernels::Kernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/column-sweep"; }
    [[nodiscard]] std::string_view summary() const override {
        return "rank-one updates on the vector unit, fp32 inside";
    }
    [[nodiscard]] std::unique_ptr<kernels::Plan>
    plan(const config::HardwareConfig& hardware,
         const kernels::Problem& problem,
         const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
