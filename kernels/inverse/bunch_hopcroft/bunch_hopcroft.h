// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// Blocks joined in pairs from 1x1 up (MBH of arXiv 2605.21325). Nothing larger than entries of T
/// is ever stored. Blocks below a fractal cannot be picked on the way into L0, so there the vector
/// unit cuts the products; from a fractal on it is `join_blocks`.
class BunchHopcroft : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/bunch-hopcroft"; }
    [[nodiscard]] std::string_view summary() const override {
        return "blocks joined in pairs from 1x1 up (MBH): stable";
    }

  private:
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
