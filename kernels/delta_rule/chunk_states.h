// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

#include <algorithm>

namespace npusim::kernels {

/// The state from chunk to chunk: v_new = u - w S and
/// S <- exp(G_last) S + k^T (exp(G_last - G) v_new). Tensors `w` [tokens, value_heads * key_size],
/// `u`, `v_new` [tokens, value_heads * value_size], `k` [tokens, key_heads * key_size], `G`
/// [tokens, value_heads] fp32, `state` [sequences * value_heads * key_size, value_size] fp32
/// (before the first token, then after the last) and `states`
/// [chunks * value_heads * key_size, value_size], S at the start of every chunk.
///
/// The chunks of a head of a sequence are a chain, so these are what AI cores share. S stays in UB
/// in fp32 and goes to the cube in dtype after each chunk. Columns of S do not depend on each
/// other: a head is done in strands of `columns()` columns, and a core of two vector units has two
/// heads in hand, one for each; while a strand is on the cube another is on the vector unit.
class ChunkStates : public DeltaOperator {
  public:
    ChunkStates(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] std::string_view name() const override { return "chunk-states"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// A round takes the heads in hand a chunk further.
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] double flops() const override {
        return chunk_flops(0, 2 * shape().key_size * shape().value_size);
    }
    /// Columns of S in a strand.
    [[nodiscard]] std::int64_t columns() const { return columns_; }

  private:
    class Scan;
    [[nodiscard]] std::int64_t choose_columns() const;
    /// Heads of sequences that an AI core does.
    [[nodiscard]] Range items(isa::CoreId core) const;
    /// Steps that they take.
    [[nodiscard]] std::int64_t steps_of(Range items) const;
    /// Chunks of a sequence.
    [[nodiscard]] Range sequence_chunks(std::int64_t sequence) const;
    /// Rows of the column that scales rows of v_new or, by channel, of S.
    [[nodiscard]] std::int64_t factor_rows() const {
        return shape().per_channel ? std::max(shape().chunk, shape().key_size) : shape().chunk;
    }

    isa::Tile w_;
    isa::Tile u_;
    isa::Tile k_;
    isa::Tile gates_;
    isa::Tile state_;
    isa::Tile v_;
    isa::Tile states_;
    std::int64_t columns_;
    isa::Tile scratch_;
};

} // namespace npusim::kernels
