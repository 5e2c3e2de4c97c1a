// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

namespace npusim::kernels {

/// The next tokens of a batch: one when decoding, more when drafts are verified.
struct RecurrentShape {
    std::int64_t sequences = 0;
    std::int64_t tokens = 1; ///< of each sequence
    std::int64_t key_heads = 0;
    std::int64_t value_heads = 0;
    std::int64_t key_size = 128;
    std::int64_t value_size = 128;
    DType dtype = DType::Fp16;
    bool per_channel = false; ///< as in DeltaShape
};

/// The gated delta rule token by token: S = exp(g) S; S += k (beta (v - S^T k))^T;
/// o = S^T q / sqrt(key_size). Tensors `q`, `k` [sequences * tokens, key_heads * key_size], `v`,
/// `o` [sequences * tokens, value_heads * value_size], `beta`, `g` [sequences * tokens,
/// value_heads] fp32 (`g` by channel: [.., value_heads * key_size]), `state`
/// [sequences * value_heads * key_size, value_size] fp32.
///
/// On the vector unit: S of a head, or columns of it, is loaded once for all tokens. Products with
/// k and q along the columns of S are a product by a column and a fold of the rows in halves.
class RecurrentStep : public DeltaOperator {
  public:
    RecurrentStep(const config::HardwareConfig& hardware, const RecurrentShape& shape);
    [[nodiscard]] std::string_view name() const override { return "recurrent-step"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override {
        return chunk_flops(0, 3 * shape().key_size * shape().value_size);
    }

  private:
    class Work;
    /// Columns of S that UB holds twice: all of them, else a slice.
    [[nodiscard]] std::int64_t choose_columns() const;

    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile beta_;
    isa::Tile g_;
    isa::Tile state_;
    isa::Tile o_;
    std::int64_t columns_;
};

} // namespace npusim::kernels
