// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/inverse/matrices.h"
#include "kernels/measured/steady.h"

namespace npusim::kernels {

/// How a column of the inverse is solved for, and on which cores.
struct ColumnSweepBuild {
    /// Whether b -= x_k A_k is one Axpy (huawei-csl/pytorch-tcuscan,
    /// src/kernels/kernel_tri_inv_col_sweep.h), rather than a fill, a product and a difference
    /// (huawei-csl/pto-kernels, csrc/kernel/kernel_tri_inv_col_sweep.cpp).
    bool axpy = false;
    /// Vector cores of an AI core that are given matrices; 0: all.
    std::int64_t lanes = 0;
};

/// Column sweep on the vector cores: for each unit vector e_j, b = e_j, and for k from the last row
/// up x_k = b_k, b -= x_k A_k. The scalar unit reads every b_k out of UB, which the vector unit has
/// just written, and the vector unit waits for it: nothing overlaps. Tensors `m` and `inverse`.
///
/// Programs are right in time only: x_k goes from the scalar unit into an operand of the next
/// instruction, which the instruction set here has no form for, so that the vector ops have the
/// shapes and dependences of the published ones and other values.
class VectorColumnSweep : public SteadyKernel {
  public:
    VectorColumnSweep(const config::HardwareConfig& hardware,
                      const InverseBatch& batch,
                      const ColumnSweepBuild& build);
    [[nodiscard]] std::string_view name() const override { return "measured/column-sweep"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Matrices.
    [[nodiscard]] std::int64_t rounds() const override {
        return share_in_turn(batch_.count, workers_, 0);
    }

  private:
    InverseBatch batch_;
    ColumnSweepBuild build_;
    std::int64_t lanes_;
    std::int64_t workers_; ///< vector cores with matrices
    isa::Tile m_;
    isa::Tile inverse_;
};

} // namespace npusim::kernels
