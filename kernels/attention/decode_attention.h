// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/decode_shape.h"
#include "kernels/common/operator.h"

#include <vector>

namespace npusim::kernels {

/// Softmax attention of decoding: tensors `q` [sequences * query_tokens, heads * key_size], caches
/// `k` [sum of cached, kv_heads * key_size] and `v` [.., kv_heads * value_size] (none where it lies
/// in k), and `o` [sequences * query_tokens, heads * value_size].
///
/// An item is a cache of one kv head; its rows are the new tokens times the heads that share it, so
/// the cache is read once. Where there are fewer items than AI cores, a cache is split between
/// several (FlashDecoding). There is then no `o`, but for every sequence, kv head and part in turn
/// `partial_o` [.. * rows, value_size], `partial_max` and `partial_sum` [.., rows filled up to 16],
/// for DecodeCombine. Row `token * (heads / kv_heads) + head of the group` has the query's place.
class DecodeAttention : public Operator {
  public:
    DecodeAttention(const config::HardwareConfig& hardware, const DecodeAttentionShape& shape);
    [[nodiscard]] std::string_view name() const override { return "decode-attention"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override;
    [[nodiscard]] const SoftmaxTiling& tiling() const { return tiling_; }
    /// Whether `DecodeCombine` has to follow.
    [[nodiscard]] bool is_split() const { return split_.parts > 1; }

  private:
    /// Keys of one sequence, for each kv head and block of rows an item.
    struct KeyPart {
        std::int64_t sequence = 0;
        std::int64_t part = 0;
        std::int64_t row = 0;   ///< first of the block of rows
        std::int64_t first = 0; ///< key, among all caches
        std::int64_t begin = 0; ///< the same within the sequence
        std::int64_t keys = 0;
    };
    [[nodiscard]] AttentionHead head() const;
    [[nodiscard]] std::vector<KeyPart> key_parts() const;
    /// The item whose first side is of vector core `lane`.
    [[nodiscard]] AttentionItem
    item(const KeyPart& part, std::int64_t kv_head, std::int64_t lane) const;

    DecodeAttentionShape shape_;
    DecodeSplit split_;
    SoftmaxTiling tiling_;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile o_;
    PartialOutput partial_;
    isa::Tile mask_;
    AttentionScratch scratch_;
};

} // namespace npusim::kernels
