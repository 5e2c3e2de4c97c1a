// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/online_softmax.h"
#include "kernels/common/operator.h"

#include <vector>

namespace npusim::kernels {

/// Causal attention of whole sequences that are concatenated: a token sees itself and what is
/// before it in its own sequence.
struct FlashAttentionShape {
    std::vector<std::int64_t> lengths; ///< tokens of each sequence, at least 1
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;     ///< divides `heads`; head h uses h * kv_heads / heads
    std::int64_t key_size = 128;   ///< a multiple of 16
    std::int64_t value_size = 128; ///< a multiple of 16
    DType dtype = DType::Fp16;
    double scale = 1;
};

/// Softmax attention of prefill: tensors `q` [tokens, heads * key_size],
/// `k` [tokens, kv_heads * key_size], `v` [tokens, kv_heads * value_size] and
/// `o` [tokens, heads * value_size].
///
/// An item is a block of queries of one head; the vector cores of an AI core share its rows.
/// Blocks above the diagonal are left out. Items are dealt longest first, there and back, which
/// gives every core as many long as short ones.
class FlashAttention : public Operator {
  public:
    FlashAttention(const config::HardwareConfig& hardware, const FlashAttentionShape& shape);
    [[nodiscard]] std::string_view name() const override { return "flash-attention"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// A round is a block of keys.
    [[nodiscard]] std::int64_t rounds() const override;
    /// Products that causality leaves.
    [[nodiscard]] double flops() const override;
    [[nodiscard]] const SoftmaxTiling& tiling() const { return tiling_; }

  private:
    /// Queries of one sequence, for each head an item.
    struct QueryBlock {
        std::int64_t token = 0; ///< first of the sequence
        std::int64_t begin = 0; ///< within it
        std::int64_t rows = 0;
        [[nodiscard]] std::int64_t keys() const { return begin + rows; }
    };
    [[nodiscard]] AttentionHead head() const;
    [[nodiscard]] std::vector<QueryBlock> query_blocks() const;
    /// An item of a worker.
    struct Turn {
        const QueryBlock* block = nullptr;
        std::int64_t head = 0;
        Range steps; ///< blocks of keys, among those of all its items
    };
    [[nodiscard]] std::vector<Turn> turns(const std::vector<QueryBlock>& blocks,
                                          const Worker& worker) const;
    /// `block` and the keys it sees from `key` on.
    [[nodiscard]] AttentionItem
    item(const QueryBlock& block, std::int64_t head, std::int64_t key) const;

    FlashAttentionShape shape_;
    SoftmaxTiling tiling_;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile o_;
    isa::Tile mask_;
    AttentionScratch scratch_;
};

} // namespace npusim::kernels
