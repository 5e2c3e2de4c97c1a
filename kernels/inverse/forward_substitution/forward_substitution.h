// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"

namespace npusim::inverse {

/// Row-wise forward substitution on the vector unit, as flash-linear-attention's solve_tril sweeps
/// a block: T[i,:] = e_i + sum over j < i of A[i,j] T[j,:]. fp32 inside; T is rounded once, at the
/// end.
class ForwardSubstitution : public kernels::Kernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/forward-substitution"; }
    [[nodiscard]] std::string_view summary() const override {
        return "row sweep on the vector unit, fp32 inside";
    }
    [[nodiscard]] std::unique_ptr<kernels::Plan>
    plan(const config::HardwareConfig& hardware,
         const kernels::Problem& problem,
         const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
