// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/inverse/recipe.h"

#include <memory>

namespace npusim::inverse {

/// Lays a recipe out for a chip: sums of products on the cube, cuts to a band or to small diagonal
/// blocks and inverses of 16x16 blocks on the vector unit, matrices dealt to the AI cores.
///
/// Every matrix a recipe stores has a tile in L1. A core works on a *wave* of matrices step by
/// step, so that their transfers and products hide each other's latency. What passes the vector
/// unit takes a trip: over GM where L0C and UB are not joined, inside the core where they are. A
/// *phase* is a stretch of steps between trips, and phases of successive waves are interleaved to
/// hide the trips. Wave and number of waves in flight follow from the room in L1.
///
/// Throws ConfigError where the chip cannot hold one matrix.
std::unique_ptr<kernels::Plan>
plan_recipe(const config::HardwareConfig& hardware, const kernels::Problem& problem, Recipe recipe);

/// A kernel that is a recipe. All of them take the parameter `sum`: whether terms are added up in
/// the accumulator or each product is stored first.
class RecipeKernel : public kernels::Kernel {
  public:
    [[nodiscard]] std::vector<kernels::Parameter> parameters() const final;
    /// The recipe for matrices of `size` in `dtype`.
    [[nodiscard]] Recipe
    recipe(std::int64_t size, DType dtype, const kernels::ParameterValues& values) const;
    [[nodiscard]] std::unique_ptr<kernels::Plan>
    plan(const config::HardwareConfig& hardware,
         const kernels::Problem& problem,
         const kernels::ParameterValues& values) const override {
        return plan_recipe(hardware, problem, recipe(problem.chunk, problem.dtype, values));
    }

  private:
    [[nodiscard]] virtual std::vector<kernels::Parameter> own_parameters() const { return {}; }
    /// Adds the steps of the method to `r`.
    virtual void state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const = 0;
};

} // namespace npusim::inverse
