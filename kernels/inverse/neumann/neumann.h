// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// Truncated Neumann series with a band mask and parallel residual correction (arXiv 2606.06034):
///
///     T0 = mask(I + A + ... + A^N)      E = I - (I - A) T0      T = T0 (I + E + ... + E^(S-1))
///
/// All products run on the cube, only the mask needs the vector unit. `early` masks A and every
/// stored power as well, so nothing large is ever stored. Chunks larger than `block` are done as
/// diagonal blocks, joined at the end.
class Neumann : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/neumann"; }
    [[nodiscard]] std::string_view summary() const override {
        return "truncated series, band mask, parallel residual correction on the cube";
    }
    /// Replaces `order=auto` and `steps=auto`; the rule is in the README beside this file.
    [[nodiscard]] kernels::ParameterValues
    settle(const kernels::Problem& problem, const kernels::ParameterValues& values) const override;
    /// A grid of orders and steps, with and without the early mask, up to where another doubling of
    /// the steps changes nothing; at chunk 128 also what is exact there without blocks.
    [[nodiscard]] std::vector<kernels::ParameterValues>
    candidates(const kernels::Problem& problem) const override;

  private:
    [[nodiscard]] std::vector<kernels::Parameter> own_parameters() const override;
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
