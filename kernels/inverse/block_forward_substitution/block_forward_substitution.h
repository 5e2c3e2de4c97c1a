// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// 16x16 diagonal blocks by row-wise forward substitution on the vector unit (fp32 inside), then
/// joined in pairs by products: flash-linear-attention's `solve_tril`.
class BlockForwardSubstitution : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override {
        return "inverse/block-forward-substitution";
    }
    [[nodiscard]] std::string_view summary() const override {
        return "16x16 blocks on the vector unit, joined by products";
    }

  private:
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
