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
/// form.
///
/// Tiles are dealt in turn, a stripe of them after the other: rows of X, or columns of W, that take
/// an eighth of L2. A stripe of X stays in L2 while the cores go through W, a few panels at a time,
/// so that X crosses from HBM once and W once a stripe; or the other way round, whichever moves
/// less. Libraries walk products like that: CATLASS's block swizzle, `tile_order.h`. (Of half of L2
/// a quarter would be missed, see L2Cache.)
///
/// Where there are several stripes, all cores of the chip wait for each other every few rounds, as
/// many as make that 2 % of the time at most. Without, cores that fall behind find ever less in L2
/// of what others have read, and fall behind further.
class Gemm : public Operator {
  public:
    Gemm(const config::HardwareConfig& hardware, const GemmShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gemm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(shape_.m) * static_cast<double>(shape_.k) *
               static_cast<double>(shape_.n);
    }

    [[nodiscard]] const GemmTiling& tiling() const { return tiling_; }

  private:
    /// Tiles of Y, a stripe after the other.
    struct Walk {
        std::int64_t rows = 0; ///< of tiles
        std::int64_t cols = 0;
        bool by_rows = true;    ///< a stripe is of rows
        std::int64_t width = 0; ///< of a stripe
        struct Place {
            std::int64_t row = 0;
            std::int64_t col = 0;
            bool operator==(const Place&) const = default;
        };
        [[nodiscard]] Place at(std::int64_t number) const;
    };
    [[nodiscard]] Walk choose_walk() const;
    /// Rounds after which the cores wait for each other.
    [[nodiscard]] std::int64_t choose_pace() const;
    /// Cycles of the slowest pipe of the busiest core.
    [[nodiscard]] double estimate(const GemmTiling& tiling) const;

    GemmShape shape_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile y_;
    GemmTiling tiling_;
    Walk walk_;
    std::int64_t pace_; ///< see choose_pace
};

} // namespace npusim::kernels
