// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/rowwise/vector_math.h"

#include <optional>

namespace npusim::kernels {

/// Rows of the tiles of a norm, and how many of each tensor are in UB, in turn.
struct NormTiling {
    std::int64_t rows = 0;
    std::int64_t slots = 0;
};

/// y = x / sqrt(mean of x^2 over its row + epsilon) * weight.
struct RmsNormShape {
    std::int64_t rows = 0;
    std::int64_t cols = 0; ///< a multiple of 16
    DType dtype = DType::Fp16;
    bool residual = false; ///< residual += x first, and the norm is of that sum, as stored
    bool gated = false;    ///< y *= silu(gate)
    double epsilon = 1e-6; ///< rms_norm_eps of the Qwen3 models

    /// Matrices read beside x.
    [[nodiscard]] std::int64_t seconds() const { return (residual ? 1 : 0) + (gated ? 1 : 0); }
};

/// RMSNorm over rows: tensors `x` [rows, cols], `weight` [1, cols] (one that is stored as an offset
/// from 1 has the 1 added already), `residual` [rows, cols] (a state) where asked for, `gate`
/// [rows, cols] where gated, and `y` [rows, cols].
///
/// Gated, it is the norm behind the gated delta rule (arXiv 2412.06464): a row is a head of a
/// token.
class RmsNorm : public Operator {
  public:
    RmsNorm(const config::HardwareConfig& hardware, const RmsNormShape& shape);
    [[nodiscard]] std::string_view name() const override { return "rms-norm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(shape_.rows, vector_workers(hardware()), tiling_.rows);
    }
    [[nodiscard]] const NormTiling& tiling() const { return tiling_; }

  private:
    struct Tiles;
    [[nodiscard]] NormTiling choose() const;
    [[nodiscard]] bool fits(const NormTiling& tiling) const;
    /// Rows of a tensor, in the next tile of `ring`.
    isa::Tile
    load(Stream& s, Ring& ring, const isa::Tile& tensor, std::int64_t row, std::int64_t n) const;
    void tile(Stream& s, Tiles& tiles, std::int64_t row, std::int64_t n) const;

    RmsNormShape shape_;
    isa::Tile x_;
    isa::Tile weight_;
    std::optional<isa::Tile> residual_;
    std::optional<isa::Tile> gate_;
    isa::Tile y_;
    NormTiling tiling_;
};

/// y = x / sqrt(sum of x^2 over its row + epsilon) * scale.
struct L2NormShape {
    std::int64_t rows = 0;
    std::int64_t cols = 0; ///< a multiple of 16
    DType dtype = DType::Fp16;
    double scale = 1;
    double epsilon = 1e-6; ///< of the keys and queries of Qwen3-Next
};

/// L2 norm over rows, a row being a head of a token: tensors `x` and `y` [rows, cols].
class L2Norm : public Operator {
  public:
    L2Norm(const config::HardwareConfig& hardware, const L2NormShape& shape);
    [[nodiscard]] std::string_view name() const override { return "l2-norm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(shape_.rows, vector_workers(hardware()), tiling_.rows);
    }
    [[nodiscard]] const NormTiling& tiling() const { return tiling_; }

  private:
    L2NormShape shape_;
    isa::Tile x_;
    isa::Tile y_;
    NormTiling tiling_;
};

} // namespace npusim::kernels
