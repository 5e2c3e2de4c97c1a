// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// Four blocks joined at a time, with bounded intermediates: inside 4x4 blocks
/// X = I + N + N^2 + N^3, then from side b to 4b, with F = A inside the 4b blocks but outside the b
/// blocks, M = X F (M^4 = 0):  X = (I + M^2) (I + M) X. After Flywheel Attention's TPU kernel.
class Radix4 : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/radix4"; }
    [[nodiscard]] std::string_view summary() const override {
        return "four blocks joined at a time, bounded intermediates";
    }

  private:
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
