// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

namespace npusim::kernels {

/// o = scale (exp(G_i) q S + P v_new), P_ij = <q_i, k_j> exp(G_i - G_j) for i >= j, else 0, with S
/// the state at the start of the chunk and scale = 1 / sqrt(key_size). Tensors `q`, `k`
/// [tokens, key_heads * key_size], `v_new`, `o` [tokens, value_heads * value_size], `G`
/// [tokens, value_heads] fp32, `states` [chunks * value_heads * key_size, value_size].
///
/// exp(G) scales q on the vector unit, so that both products meet in one accumulator and leave it
/// for GM. Three items are in hand where L1 holds them: the last products of one, what the vector
/// unit scales for the next, the loads of the one after.
class ChunkOutputs : public DeltaOperator {
  public:
    ChunkOutputs(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] std::string_view name() const override { return "chunk-outputs"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(std::ssize(chunks()) * shape().value_heads, hardware().ai_cores);
    }
    [[nodiscard]] double flops() const override {
        return chunk_flops(shape().key_size + shape().value_size,
                           shape().key_size * shape().value_size);
    }

  private:
    class Work;

    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile gates_;
    isa::Tile states_;
    isa::Tile o_;
    std::int64_t rows_; ///< of a tile of the vector unit
    isa::Tile mask_;
    isa::Tile scratch_;
};

} // namespace npusim::kernels
