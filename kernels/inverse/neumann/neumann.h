// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"

namespace npusim::inverse {

/// Truncated Neumann series with a band mask and parallel residual correction (arXiv 2606.06034):
///
///     T0 = mask(I + A + ... + A^N)      E = I - (I - A) T0      T = T0 (I + E + ... + E^(S-1))
///
/// All products run on the cube; identities are constants in L1, so sums accumulate in L0C. Only
/// the mask needs the vector unit: over GM where L0C and UB are not joined, inside the core where
/// they are. `early` masks A and every stored power as well, so nothing large is ever stored.
class Neumann : public kernels::Kernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/neumann"; }
    [[nodiscard]] std::string_view summary() const override {
        return "truncated series, band mask, parallel residual correction on the cube";
    }
    [[nodiscard]] std::vector<kernels::Parameter> parameters() const override;
    [[nodiscard]] std::unique_ptr<kernels::Plan>
    plan(const config::HardwareConfig& hardware,
         const kernels::Problem& problem,
         const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
