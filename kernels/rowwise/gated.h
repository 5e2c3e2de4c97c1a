// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/rowwise/vector_math.h"

namespace npusim::kernels {

/// y [rows, cols] = values * f(gate), element by element.
struct GatedShape {
    std::int64_t rows = 0;
    std::int64_t cols = 0; ///< of y; a multiple of 16
    DType dtype = DType::Fp16;
};

/// What SwiGlu and SigmoidGate have in common.
class Gated : public Operator {
  public:
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(grid_.units(), vector_workers(hardware()), grid_.tile_rows);
    }
    [[nodiscard]] const rowwise::Grid& grid() const { return grid_; }

  protected:
    enum class Function : std::uint8_t { Sigmoid, Silu };
    Gated(const config::HardwareConfig& hardware, const GatedShape& shape, Function function);

    /// Both [rows, cols] in GM, parts of larger tensors if need be.
    void gate_by(const isa::Tile& values, const isa::Tile& gate);

  private:
    struct Tiles;
    void tile(Stream& s, Tiles& tiles, const rowwise::Grid::Part& part) const;

    GatedShape shape_;
    Function function_;
    rowwise::Grid grid_;
    isa::Tile values_;
    isa::Tile gate_;
    isa::Tile y_;
};

/// Gate of a feed-forward layer (arXiv 2002.05202): tensors `x` [rows, 2 cols], gate | up, and
/// `y` = up * silu(gate) [rows, cols].
class SwiGlu : public Gated {
  public:
    SwiGlu(const config::HardwareConfig& hardware, const GatedShape& shape);
    [[nodiscard]] std::string_view name() const override { return "swiglu"; }
};

/// Output gate of attention: tensors `x`, `gate` and `y` = x * sigmoid(gate) [rows, cols].
class SigmoidGate : public Gated {
  public:
    SigmoidGate(const config::HardwareConfig& hardware, const GatedShape& shape);
    [[nodiscard]] std::string_view name() const override { return "sigmoid-gate"; }
};

} // namespace npusim::kernels
