// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

namespace npusim::kernels {

/// A_ij = -beta_i <k_i, k_j> exp(G_i - G_j) for i > j, else 0, for every chunk and value head.
/// Tensors `k` [tokens, key_heads * key_size], `beta`, `G` [tokens, value_heads] fp32 and `A`
/// [chunks * value_heads * chunk, chunk]: the batch an inverse takes, T = (I - A)^-1.
///
/// By channel (DeltaShape::per_channel) the exponent is within the sum: see ChannelProducts.
/// Otherwise K K^T is one product for all value heads of a key head; the vector unit scales it.
/// What lies above the diagonal may be infinite until a mask takes it away, bit by bit.
class KeyProducts : public DeltaOperator {
  public:
    KeyProducts(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] std::string_view name() const override { return "key-products"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(items(), hardware().ai_cores);
    }
    [[nodiscard]] double flops() const override { return chunk_flops(shape().key_size, 0); }

  private:
    class Work;
    class ChannelWork;
    /// A chunk of a head.
    [[nodiscard]] std::int64_t items() const {
        return std::ssize(chunks()) *
               (shape().per_channel ? shape().value_heads : shape().key_heads);
    }

    isa::Tile k_;
    isa::Tile beta_;
    isa::Tile gates_;
    isa::Tile a_;
    std::int64_t rows_; ///< of a tile of the vector unit
    isa::Tile mask_;
    isa::Tile scratch_;
};

} // namespace npusim::kernels
