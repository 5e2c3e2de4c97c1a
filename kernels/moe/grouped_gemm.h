// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/gemm/tile_product.h"

#include <vector>

namespace npusim::kernels {

/// Y_e [rows_e,n] = X_e [rows_e,k] W_e [k,n] for every expert e.
struct GroupedGemmShape {
    std::vector<std::int64_t> rows; ///< of X, by expert; may be 0
    std::int64_t k = 0;
    std::int64_t n = 0;
    DType dtype = DType::Fp16;  ///< of X and W
    DType result = DType::Fp16; ///< of Y
};

/// The products of all experts of a layer in one launch: tensors `x` [sum of rows, k] sorted by
/// expert, `w` [experts * k, n] (a weight) and `y` [sum of rows, n].
///
/// Tiles are formed as in Gemm, with one tiling for all experts; the rows of an expert are cut into
/// equal parts. All tiles are dealt to the cores, longest first, each to the core that has least to
/// do by closed form; a core does its own by expert, column, row. The matrix of an expert without
/// rows is not read, any other once from HBM (the other parts of its rows find it in L2).
class GroupedGemm : public Operator {
  public:
    /// Throws ConfigError unless there is a row, and n is a multiple of 16.
    GroupedGemm(const config::HardwareConfig& hardware, GroupedGemmShape shape);
    [[nodiscard]] std::string_view name() const override { return "grouped-gemm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(x_.rows) * static_cast<double>(shape_.k) *
               static_cast<double>(shape_.n);
    }
    [[nodiscard]] const GemmTiling& tiling() const { return tiling_; }

  private:
    [[nodiscard]] double estimate(const GemmTiling& tiling) const;
    [[nodiscard]] TileCost cost(const GemmTiling& tiling, std::int64_t m, std::int64_t n) const {
        return tile_cost(hardware(), shape_.dtype, tiling, m, shape_.k, n);
    }
    void deal();

    GroupedGemmShape shape_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile y_;
    GemmTiling tiling_;
    std::vector<std::vector<OutputTile>> tiles_of_; ///< by AI core
};

} // namespace npusim::kernels
