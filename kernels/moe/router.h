// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

namespace npusim::kernels {

class Stream;

/// Weights of `top_k` of `experts` experts for each token.
struct RouterShape {
    std::int64_t tokens = 0;
    std::int64_t experts = 0;  ///< a multiple of 16, up to 512
    std::int64_t top_k = 0;    ///< up to 16
    DType dtype = DType::Fp16; ///< of the logits
};

/// Tensors `logits` [tokens, experts] and `weights` [tokens, experts] in fp32: the softmax of the
/// top_k largest logits of a row among themselves, 0 elsewhere. (The softmax over all experts,
/// normalised anew over those that are kept, is the same.)
///
/// Exactly top_k experts are kept; of equal logits, the one with the lowest number goes first.
/// Logits must be finite and smaller than 2^70 in magnitude.
///
/// On the vector unit, top_k times for a block of tokens: the largest of each row, by folding it to
/// 64 columns; where it is; of these places the first, as the largest number counted from the end;
/// 2^100 off its logit. Tokens are dealt to the vector cores in contiguous ranges.
class Router : public Operator {
  public:
    /// Throws ConfigError for sizes it is not made for, with those it is.
    Router(const config::HardwareConfig& hardware, const RouterShape& shape);
    [[nodiscard]] std::string_view name() const override { return "router"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    class Block;

    RouterShape shape_;
    isa::Tile logits_;
    isa::Tile weights_;
    isa::Tile from_end_; ///< experts, experts - 1, .., 1
};

} // namespace npusim::kernels
