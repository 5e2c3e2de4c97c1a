// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

namespace npusim::kernels {

/// u = T (beta v) and w = T (beta exp(G) k), per chunk and value head. Tensors `T`
/// [chunks * value_heads * chunk, chunk], `k` [tokens, key_heads * key_size], `v`, `u`
/// [tokens, value_heads * value_size], `w` [tokens, value_heads * key_size], `beta`, `G`
/// [tokens, value_heads] fp32.
///
/// The factors scale the columns of T, which are fewer than the elements of v and k. By channel
/// (DeltaShape::per_channel), exp(G) scales k.
class WyProducts : public DeltaOperator {
  public:
    WyProducts(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] std::string_view name() const override { return "wy-products"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(std::ssize(chunks()) * shape().value_heads, hardware().ai_cores);
    }
    [[nodiscard]] double flops() const override {
        return chunk_flops(shape().key_size + shape().value_size, 0);
    }

  private:
    class Work;

    isa::Tile t_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile beta_;
    isa::Tile gates_;
    isa::Tile u_;
    isa::Tile w_;
    std::int64_t rows_; ///< of a tile of the vector unit
    isa::Tile scratch_;
};

} // namespace npusim::kernels
