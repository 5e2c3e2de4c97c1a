// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// Sequences of one length, of `channels` each, [sequences * tokens, channels] in bf16.
struct RollingConvShape {
    std::int64_t sequences = 1;
    std::int64_t tokens = 0;
    std::int64_t channels = 6144;
};

/// Causal convolution of four taps with SiLU, a token at a time: partial sums of the next three
/// tokens are kept and rolled on. sgl-project/sgl-kernel-npu, csrc/causal_conv1d: tiling of
/// op_host/causal_conv1d_tiling_planner.h (channels in blocks of at most 4096, tokens in as many
/// blocks as there are vector cores for each), RunSeqFnRolling of op_kernel/causal_conv1d.h with
/// its flags and barriers.
///
/// A round is what a core has of a sequence. Multiply-add with accumulation (MulAddDst) is timed as
/// a multiplication and computes one; outputs have the right time, not the right values.
class RollingConv final : public SteadyKernel {
  public:
    RollingConv(const config::HardwareConfig& hardware, const RollingConvShape& shape);

    [[nodiscard]] std::string_view name() const override { return "rolling-conv"; }
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    static constexpr std::int64_t kTaps = 4;
    static constexpr std::int64_t kSlots = 5; ///< of the ring of inputs: RING_SLOTS
    struct Tiles {
        std::array<isa::Tile, kSlots> ring;
        std::array<isa::Tile, 2> out;
        std::array<isa::Tile, kTaps> weights; ///< in fp32
        std::array<isa::Tile, kTaps - 1> sums;
        isa::Tile current;
    };
    /// What a core does in a round.
    struct Piece {
        std::int64_t token = 0;
        std::int64_t tokens = 0;
        std::int64_t channel = 0;
        std::int64_t channels = 0;
    };

    [[nodiscard]] std::int64_t channel_blocks() const;
    [[nodiscard]] std::int64_t token_block() const;
    Tiles allocate(Script& s, std::int64_t channels) const;
    void start(Script& s, const Tiles& tiles, const Piece& piece) const;
    void token(Script& s, const Tiles& tiles, const Piece& piece, std::int64_t t) const;
    void roll(Script& s, const Tiles& tiles, const isa::Tile& x) const;
    void silu(Script& s, const Tiles& tiles, const isa::Tile& out) const;
    void finish(Script& s, const Tiles& tiles, const Piece& piece) const;
    [[nodiscard]] isa::Tile row(const isa::Tile& tensor, const Piece& piece, std::int64_t t) const;

    RollingConvShape shape_;
    isa::Tile x_;
    isa::Tile y_;
    isa::Tile weight_;
    isa::Tile state_;
};

} // namespace npusim::kernels
