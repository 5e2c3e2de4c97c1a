// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/gemm/tile_product.h"

namespace npusim::kernels {

/// Y [m,n] = X [m,k] W [k,n].
struct GemmShape {
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    DType dtype = DType::Fp16;  ///< of X and W
    DType result = DType::Fp16; ///< of Y
};

/// A dense projection: tensors `x`, `w` (a weight) and `y`.
///
/// A core forms tiles of Y; the panels of X and W along k pass L1 in slabs and L0A/L0B in slices,
/// everything in two buffers in turn. The tile is the one whose slowest pipe is fastest by closed
/// form. Tiles are dealt in turn with m fastest: the cores work on the same few panels of W at a
/// time, so that one is read from HBM once and then found in L2, and X goes round in L2 between
/// them.
class Gemm : public Operator {
  public:
    Gemm(const config::HardwareConfig& hardware, const GemmShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gemm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(shape_.m) * static_cast<double>(shape_.k) *
               static_cast<double>(shape_.n);
    }

    [[nodiscard]] const GemmTiling& tiling() const { return tiling_; }

  private:
    /// Cycles of the slowest pipe of the busiest core.
    [[nodiscard]] double estimate(const GemmTiling& tiling) const;

    GemmShape shape_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile y_;
    GemmTiling tiling_;
};

} // namespace npusim::kernels
