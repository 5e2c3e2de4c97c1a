// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/online_softmax.h"

#include <vector>

namespace npusim::kernels {

/// Attention of a few new tokens of each sequence to what is cached of it.
struct DecodeAttentionShape {
    std::vector<std::int64_t> cached; ///< keys of each sequence, with those of the new tokens
    std::int64_t query_tokens = 1;    ///< new tokens of each sequence, up to its `cached`
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;     ///< divides `heads`; head h uses h * kv_heads / heads
    std::int64_t key_size = 128;   ///< a multiple of 16
    std::int64_t value_size = 128; ///< a multiple of 16
    DType dtype = DType::Fp16;
    double scale = 1;
    /// v is the first `value_size` columns of k: absorbed multi-head latent attention.
    bool value_in_key = false;
    /// That the longest cache is split into; 0: as many as keep the AI cores busy.
    std::int64_t parts = 0;

    /// Heads that share one of k and v.
    [[nodiscard]] std::int64_t group() const { return heads / kv_heads; }
    /// Rows of an item: queries that see the same cache.
    [[nodiscard]] std::int64_t rows() const { return group() * query_tokens; }
};

/// How the caches are shared out.
struct DecodeSplit {
    std::int64_t parts = 1; ///< of the longest cache
    std::int64_t keys = 0;  ///< of a part
    /// Parts of a cache of `cached` keys.
    [[nodiscard]] std::int64_t of(std::int64_t cached) const { return ceil_div(cached, keys); }
};

/// `shape`, if it is sound; throws ConfigError otherwise.
const DecodeAttentionShape& checked(const DecodeAttentionShape& shape);

/// As many parts as end soonest: rounds of items over the AI cores, times keys of a part.
DecodeSplit choose_split(const config::HardwareConfig& hardware, const DecodeAttentionShape& shape);

/// Shapes of what a split operator leaves for DecodeCombine.
struct PartialShape {
    std::int64_t parts = 0;    ///< of all sequences and kv heads
    std::int64_t rows = 0;     ///< of a part
    std::int64_t row_cols = 0; ///< the same, filled up: columns of maxima and sums
};
PartialShape partial_shape(const DecodeAttentionShape& shape, const DecodeSplit& split);

/// The part of `partial` that belongs to rows `rows` of a sequence, kv head and part.
PartialOutput partial_of(const DecodeAttentionShape& shape,
                         const DecodeSplit& split,
                         const PartialOutput& partial,
                         std::int64_t sequence,
                         std::int64_t kv_head,
                         std::int64_t part,
                         const Range& rows);

/// The places in `q` and `o` of rows of a sequence and kv head: token by token, the heads of a
/// group are neighbours.
std::vector<QueryRun> decode_runs(const DecodeAttentionShape& shape,
                                  const isa::Tile& q,
                                  const isa::Tile& o,
                                  std::int64_t sequence,
                                  std::int64_t kv_head,
                                  const Range& rows);

} // namespace npusim::kernels
