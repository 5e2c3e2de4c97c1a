// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/gemm/dequantiser.h"
#include "kernels/gemm/tile_product.h"

#include <optional>
#include <vector>

namespace npusim::kernels {

/// Y [m,n] = X [m,k] W [k,n] with W = scale * integer.
struct QuantGemmShape {
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    DType dtype = DType::Fp16;  ///< of X, and of W in the cube
    DType weight = DType::Int8; ///< int8 or int4
    std::int64_t group = 128;   ///< rows of W along k that share the scales of their columns
    DType result = DType::Fp16; ///< of Y
    /// Of the scales: fp32 or dtype; none: dtype, as in npu_weight_quant_batchmatmul (torch_npu).
    std::optional<DType> scale = {};
    /// Of X, by expert, where the experts of a layer have a W each: may be 0, m is their sum.
    /// Empty: one W for all.
    std::vector<std::int64_t> rows = {};
};

/// A projection whose weights are kept in 4 or 8 bits and multiplied in 16 (W4A16, W8A16): tensors
/// `x` [m,k], `w` [experts * k, n] (a weight), `scales` [experts * k / group, n] (a weight), `y`.
///
/// The vector unit dequantises pieces [slab, n-tile] of W, one after the other to its lanes, and
/// hands them to the cube, which multiplies them by X as in Gemm.
///
/// `w` is stored as it is read: for every expert, the columns of an n-tile [k, n-tile] in one
/// piece, one n-tile behind the other. (In a row-major matrix a row of a tile in int4 is shorter
/// than a line of GM, and the rest of the line would be read in vain. Weights are reordered when a
/// model is loaded.) `packed` gives that order.
///
/// Loops: n-tiles, in them m-tiles, in them k; tiles in that order are dealt to the AI cores in
/// contiguous ranges. Where the whole panel [k, n-tile] fits L1 and it pays, it stays there for all
/// the m-tiles a core has of it (`kept`); else it is dequantised for each.
class QuantGemm : public Operator {
  public:
    /// Throws ConfigError for formats or sizes it is not made for, with those it is.
    QuantGemm(const config::HardwareConfig& hardware, QuantGemmShape shape);
    [[nodiscard]] std::string_view name() const override {
        return shape_.rows.size() > 1 ? "quant-grouped-gemm" : "quant-gemm";
    }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(std::ssize(tiles_), hardware().ai_cores);
    }
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(shape_.m) * static_cast<double>(shape_.k) *
               static_cast<double>(shape_.n);
    }

    struct Tiling : GemmTiling {
        std::int64_t left = 0; ///< of X along k, in L1: a multiple of the slab
        std::int64_t span = 0; ///< slabs whose scales are loaded at once: whole runs
        std::int64_t run = 1;  ///< slabs that are loaded into UB at once
        bool kept = false;     ///< a panel of W stays in L1 for all m-tiles
    };
    [[nodiscard]] const Tiling& tiling() const { return tiling_; }
    /// The values of `w`, given row-major [experts * k, n], in the order in which they are stored.
    [[nodiscard]] std::vector<double> packed(const std::vector<double>& w) const;

  private:
    /// Slabs of W that are dequantised before the one that is multiplied.
    static constexpr std::int64_t kAhead = 2;

    class Panels;
    class Lefts;

    [[nodiscard]] QuantFormat format() const {
        return {shape_.dtype, shape_.weight, shape_.scale.value_or(shape_.dtype), shape_.group};
    }
    [[nodiscard]] std::int64_t slabs(const Tiling& t) const { return ceil_div(shape_.k, t.slab); }
    /// Slabs of W that L1 holds.
    [[nodiscard]] std::int64_t slots(const Tiling& t) const {
        return (t.kept ? slabs(t) : 1) + kAhead;
    }
    [[nodiscard]] QuantPiece piece(const Tiling& t) const;
    [[nodiscard]] Tiling choose() const;
    /// `left` and `span` for the rest of a tiling; false where it does not fit.
    [[nodiscard]] bool complete(Tiling& tiling) const;
    struct Count {
        std::int64_t tiles = 0;
        std::int64_t panels = 0; ///< of W, [k, n-tile]
        std::int64_t m = 0;      ///< of the largest tile
    };
    [[nodiscard]] Count count(const Tiling& tiling) const;
    [[nodiscard]] double estimate(const Tiling& tiling) const;
    /// Keeps the faster of `best` and `tiling` with the best `slice`, `run` and `kept` for it.
    void try_tiling(Tiling tiling, Tiling& best, double& fastest) const;
    /// A block [rows, n-tile] of W from row `row` of an expert's panel.
    [[nodiscard]] isa::Tile
    weights(const OutputTile& tile, std::int64_t row, std::int64_t rows) const;

    QuantGemmShape shape_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile scales_;
    isa::Tile y_;
    Tiling tiling_;
    isa::Tile scratch_;
    std::vector<OutputTile> tiles_;
};

} // namespace npusim::kernels
