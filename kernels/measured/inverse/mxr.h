// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/inverse/matrices.h"
#include "kernels/measured/steady.h"

namespace npusim::kernels {

/// What changed between the builds that were measured.
struct MxrBuild {
    /// Doubling adds X Y to the X that is in L0C still, where earlier builds first put X there
    /// again as X I (huawei-csl/pto-kernels, pull request 238).
    bool reuses_accumulator = false;
};

/// Recursive block inverse on the cube ("MXR"), as huawei-csl/megagdn-pto has it in
/// kernels/pto/tri_inverse_impl.cpp and huawei-csl/pto-kernels in
/// csrc/kernel/kernel_tri_inv_rec_unroll.cpp: tensors `m` (input) and `inverse`, and `minus_i`, the
/// negative identity.
///
/// The 16x16 blocks on the diagonal are inverted together by doubling, X <- X + X Y, Y <- Y Y; then
/// blocks of 16, 32, .. are joined in pairs by two products of the whole side. Zeros off the
/// diagonal are multiplied too: blocks are put fractal by fractal into an L0 matrix that has been
/// zeroed. A core takes up to four matrices at a time, loads all of them into L1 and inverts one
/// after another; L0A, L0B and L0C each hold two matrices.
class Mxr : public SteadyKernel {
  public:
    Mxr(const config::HardwareConfig& hardware, const InverseBatch& batch, const MxrBuild& build);
    [[nodiscard]] std::string_view name() const override { return "measured/mxr"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Groups of matrices.
    [[nodiscard]] std::int64_t rounds() const override { return rounds_of(0); }

  private:
    [[nodiscard]] std::int64_t rounds_of(std::int64_t core) const;

    InverseBatch batch_;
    MxrBuild build_;
    std::int64_t cores_;
    std::int64_t group_; ///< matrices of a round
    isa::Tile m_;
    isa::Tile inverse_;
    isa::Tile minus_i_;
};

} // namespace npusim::kernels
