// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/rowwise/vector_math.h"

namespace npusim::kernels {

struct RotaryShape {
    std::int64_t tokens = 0;
    std::int64_t heads = 0;
    std::int64_t size = 0;   ///< of a head; a multiple of 16
    std::int64_t rotary = 0; ///< leading dimensions of a head that are rotated; a multiple of 32
    DType dtype = DType::Fp16;
};

/// Rotary position embedding (arXiv 2104.09864), halves against each other as in the Qwen models of
/// Hugging Face transformers: dimension i < rotary/2 of a head and dimension i + rotary/2 turn by
/// the angle i of their token,
///
///     y1 = x1 cos - x2 sin    y2 = x2 cos + x1 sin
///
/// and what is beyond `rotary` stays. Tensors `x` [tokens, heads * size], `cos` and `sin`
/// [tokens, rotary/2] fp32, and `y` like x.
class Rotary : public Operator {
  public:
    /// Throws ConfigError for sizes that are no such multiples.
    Rotary(const config::HardwareConfig& hardware, const RotaryShape& shape);
    [[nodiscard]] std::string_view name() const override { return "rotary"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(grid_.units(), vector_workers(hardware()), grid_.tile_rows);
    }
    /// In heads: rows are tokens, columns heads.
    [[nodiscard]] const rowwise::Grid& grid() const { return grid_; }

  private:
    struct Tiles;
    [[nodiscard]] rowwise::Grid choose() const;
    [[nodiscard]] bool fits(const rowwise::Grid& grid) const;
    /// Tokens whose angles are fetched at once.
    [[nodiscard]] std::int64_t angle_rows(std::int64_t tile_rows) const;
    /// Has the angles of `n` tokens from `row` on in UB.
    void need_angles(Stream& s, Tiles& tiles, std::int64_t row, std::int64_t n) const;
    /// From a half, [cos] and [sin], to both, [cos, cos] and [-sin, sin].
    void complete(Stream& s, const isa::Tile& cosines, const isa::Tile& sines) const;
    void tile(Stream& s, Tiles& tiles, const rowwise::Grid::Part& part) const;
    /// Rows of `x` [n, size] by the angles of the same rows of `cosines` and `sines` [n, rotary].
    void rotate(Stream& s,
                const isa::Tile& x,
                const isa::Tile& cosines,
                const isa::Tile& sines,
                const isa::Tile& work) const;

    RotaryShape shape_;
    isa::Tile x_;
    isa::Tile cos_;
    isa::Tile sin_;
    isa::Tile y_;
    rowwise::Grid grid_;
};

} // namespace npusim::kernels
