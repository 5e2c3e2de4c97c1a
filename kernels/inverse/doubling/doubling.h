// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// The whole series by squaring (MCH, "inv trick", of arXiv 2605.21325):
///
///     X = I + A    Y = A    repeat log2(n) - 1 times:  Y = Y Y    X = X + X Y
///
/// Exact in exact arithmetic. The powers of A grow with binomial coefficients, so this overflows
/// fp16 and drowns in rounding on correlated keys: the method to beat in cycles, not in accuracy.
class Doubling : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/doubling"; }
    [[nodiscard]] std::string_view summary() const override {
        return "the whole series by squaring (MCH): fast, unstable";
    }

  private:
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
