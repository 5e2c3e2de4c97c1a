// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// Newton-Schulz from a small multiple of I: X = I / 2k, then X = 2 X - X (I - A) X. Twelve steps
/// reach forward substitution's accuracy at k = 64 in every format tried, at 24 products; eight do
/// not.
class NewtonSchulz : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/newton-schulz"; }
    [[nodiscard]] std::string_view summary() const override {
        return "X = 2X - X (I - A) X from I/2k: robust, many products";
    }
    /// From the fewest that may do to more than enough.
    [[nodiscard]] std::vector<kernels::ParameterValues>
    candidates(const kernels::Problem& problem) const override;

  private:
    [[nodiscard]] std::vector<kernels::Parameter> own_parameters() const override;
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
