// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/inverse/matrices.h"
#include "kernels/measured/steady.h"

namespace npusim::kernels {

/// Inverse as a product, (I - M)(I + M^2)(I + M^4).., on the cube, nothing overlapped: the kernel
/// of huawei-csl/pto-kernels, csrc/kernel/kernel_tri_inv_trick.cpp. Tensors `m`, `inverse` and
/// `minus_i`.
///
/// There is one block per matrix; blocks beyond the number of cores follow on a core when the one
/// before is done. Exact where the power `kTerms` of M is zero: the published wrapper stops there.
class NeumannProduct : public SteadyKernel {
  public:
    NeumannProduct(const config::HardwareConfig& hardware, const InverseBatch& batch);
    [[nodiscard]] std::string_view name() const override { return "measured/neumann-product"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Matrices.
    [[nodiscard]] std::int64_t rounds() const override {
        return share_in_turn(batch_.count, cores_, 0);
    }

    /// Powers of M that the product reaches: twice max_block_size of
    /// csrc/host/torch_tri_inv_trick.h.
    static constexpr std::int64_t kTerms = 32;

  private:
    InverseBatch batch_;
    std::int64_t cores_;
    isa::Tile m_;
    isa::Tile inverse_;
    isa::Tile minus_i_;
};

} // namespace npusim::kernels
