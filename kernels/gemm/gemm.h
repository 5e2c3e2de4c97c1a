// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

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
/// form. Tiles are dealt with m fastest, so that a panel of W is read from HBM once and then found
/// in L2 where it fits.
class Gemm : public Operator {
  public:
    Gemm(const config::HardwareConfig& hardware, const GemmShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gemm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(shape_.m) * static_cast<double>(shape_.k) *
               static_cast<double>(shape_.n);
    }

    /// Sides of the pieces a product is done in.
    struct Tiling {
        std::int64_t m = 0;
        std::int64_t n = 0;
        std::int64_t slab = 0;  ///< along k, in L1
        std::int64_t slice = 0; ///< along k, in L0A and L0B
    };
    [[nodiscard]] const Tiling& tiling() const { return tiling_; }

  private:
    [[nodiscard]] Tiling choose() const;
    /// Cycles of the slowest pipe of the busiest core, and whether the tiling fits the buffers.
    [[nodiscard]] double estimate(const Tiling& tiling) const;
    [[nodiscard]] bool fits(const Tiling& tiling) const;

    GemmShape shape_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile y_;
    Tiling tiling_;
};

} // namespace npusim::kernels
