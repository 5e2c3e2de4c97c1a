// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/rowwise/vector_math.h"

namespace npusim::kernels {

struct GatesShape {
    std::int64_t tokens = 0;
    std::int64_t heads = 0;    ///< value heads; a multiple of 16
    DType dtype = DType::Fp16; ///< of a and b
};

/// Write strength and decay of the gated delta rule (arXiv 2412.06464), for every token and head:
///
///     beta = sigmoid(b)    g = -exp(a_log) * softplus(a + dt_bias)
///
/// Tensors `a`, `b` [tokens, heads], `a_log`, `dt_bias` [1, heads] fp32 (weights), `beta` and `g`
/// [tokens, heads] fp32. softplus(x) = max(x, 0) + ln(1 + exp(-|x|)): without overflow, but for x
/// below about -17, where it is under 1e-7, it is 0.
class Gates : public Operator {
  public:
    Gates(const config::HardwareConfig& hardware, const GatesShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gates"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(grid_.units(), vector_workers(hardware()), grid_.tile_rows);
    }

  private:
    struct Tiles;
    [[nodiscard]] rowwise::Grid choose() const;
    /// Those of the columns of `part`. `first`: no other core has them in L2 yet.
    void spread_weights(Stream& s,
                        const Tiles& tiles,
                        const rowwise::Grid::Part& part,
                        bool first) const;
    void tile(Stream& s, Tiles& tiles, const rowwise::Grid::Part& part) const;

    GatesShape shape_;
    isa::Tile a_;
    isa::Tile b_;
    isa::Tile a_log_;
    isa::Tile dt_bias_;
    isa::Tile beta_;
    isa::Tile g_;
    rowwise::Grid grid_;
};

} // namespace npusim::kernels
