// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_plan.h"

namespace npusim::inverse {

/// Doubling inside the 16x16 diagonal blocks, all at once as one product, then blocks joined in
/// pairs (MXR of arXiv 2605.21325; huawei-csl/pto-kernels `tri_inv_rec_unroll`). All on the cube.
class Mixed : public RecipeKernel {
  public:
    [[nodiscard]] std::string_view name() const override { return "inverse/mixed"; }
    [[nodiscard]] std::string_view summary() const override {
        return "doubling in 16x16 blocks, then blocks joined (MXR)";
    }

  private:
    void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const override;
};

} // namespace npusim::inverse
