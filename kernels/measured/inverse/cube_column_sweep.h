// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/inverse/matrices.h"
#include "kernels/measured/steady.h"

namespace npusim::kernels {

/// Column sweep as a product of matrices on the cube: the inverse of I + M is the product, from the
/// last column on, of identities in which one column is that of I - M. A vector core writes each of
/// them to GM, the cube core reads it and multiplies it into the product, which goes from L0C by L1
/// to L0B each time; all cores of an AI core meet after every step. From
/// huawei-csl/pytorch-tcuscan, src/kernels/kernel_vec_col_sweep_mat_gen.h and
/// kernel_tri_inv_cube_col_sweep.h. Tensors `m` (column by column: transposed) and `inverse`;
/// `steps` is the way from vector to cube cores.
///
/// There is one block per matrix and AI core, and a block begins when the one before is done.
class CubeColumnSweep : public SteadyKernel {
  public:
    CubeColumnSweep(const config::HardwareConfig& hardware, const InverseBatch& batch);
    [[nodiscard]] std::string_view name() const override { return "measured/cube-column-sweep"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Matrices.
    [[nodiscard]] std::int64_t rounds() const override {
        return share_in_turn(batch_.count, cores_, 0);
    }

    /// Matrices on the way to the cube core of one AI core (WS_CIRCULAR_BUFFER_LEN).
    static constexpr std::int64_t kSlots = 4;

  private:
    [[nodiscard]] isa::Tile slot(std::int64_t core, std::int64_t step) const;
    isa::Program cube(isa::CoreId core) const;
    isa::Program vectors(isa::CoreId core) const;

    InverseBatch batch_;
    std::int64_t cores_;
    isa::Tile m_;
    isa::Tile inverse_;
    isa::Tile steps_;
};

} // namespace npusim::kernels
