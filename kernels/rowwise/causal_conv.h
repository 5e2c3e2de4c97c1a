// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "kernels/common/stream.h"

#include <vector>

namespace npusim::kernels {

struct CausalConvShape {
    std::vector<std::int64_t> lengths; ///< tokens of each sequence
    std::int64_t channels = 0;         ///< a multiple of 16
    std::int64_t taps = 4;             ///< linear_conv_kernel_dim of Qwen3-Next
    DType dtype = DType::Fp16;
};

/// Short causal convolution along the tokens of each sequence, channel by channel, with SiLU:
///
///     y[t, c] = silu(sum over j of weight[j, c] * x[t - taps + 1 + j, c])
///
/// Tensors `x` and `y` [tokens, channels], sequence after sequence, `weight` [taps, channels], and
/// `state` [sequences * (taps - 1), channels]: the last taps - 1 inputs of each sequence, read as
/// what was before its first token and replaced by the newest.
class CausalConv : public Operator {
  public:
    /// Throws ConfigError for less than two taps.
    CausalConv(const config::HardwareConfig& hardware, CausalConvShape shape);
    [[nodiscard]] std::string_view name() const override { return "causal-conv"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(items(), vector_workers(hardware()));
    }

    /// Largest sides of a tile of y; it needs taps - 1 tokens before it as well.
    struct Tiling {
        std::int64_t tokens = 0;
        std::int64_t channels = 0;
    };
    [[nodiscard]] const Tiling& tiling() const { return tiling_; }

  private:
    struct Tiles;
    /// A tile of y.
    struct Item {
        std::int64_t sequence = 0;
        std::int64_t begin = 0; ///< token within the sequence
        std::int64_t tokens = 0;
        std::int64_t channel = 0;
        std::int64_t channels = 0;
    };
    [[nodiscard]] std::int64_t history() const { return shape_.taps - 1; }
    [[nodiscard]] Tiling choose() const;
    [[nodiscard]] bool fits(const Tiling& tiling) const;
    /// Cycles of the busiest core, about.
    [[nodiscard]] double estimate(const Tiling& tiling) const;
    [[nodiscard]] std::int64_t token_tiles(std::int64_t tokens) const;
    [[nodiscard]] std::int64_t items() const {
        return first_tile_.back() * ceil_div(shape_.channels, tiling_.channels);
    }
    /// Items are numbered channel tile by channel tile, so that a core loads weights seldom.
    [[nodiscard]] Item item(std::int64_t index) const;

    void load_weights(Stream& s, Tiles& tiles, const Item& item) const;
    isa::Tile load(Stream& s, Tiles& tiles, const Item& item) const;
    void convolve(Stream& s, const Tiles& tiles, const isa::Tile& sum, const isa::Tile& x) const;
    void tile(Stream& s, Tiles& tiles, const Item& item) const;

    CausalConvShape shape_;
    std::vector<std::int64_t> first_token_; ///< by sequence, and all tokens at the end
    isa::Tile x_;
    isa::Tile weight_;
    isa::Tile state_;
    isa::Tile y_;
    Tiling tiling_;
    std::vector<std::int64_t> first_tile_; ///< by sequence: token tiles before it; all at the end
};

} // namespace npusim::kernels
