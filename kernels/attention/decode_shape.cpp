// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_shape.h"

#include "kernels/attention/tiles.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

using attention::grains;
using isa::Tile;

namespace {

/// Keys of a part, at least: a choice, so that a part is a few blocks long.
constexpr std::int64_t kLeastPart = 512;

} // namespace

const DecodeAttentionShape& checked(const DecodeAttentionShape& shape) {
    if (shape.kv_heads < 1 || shape.heads < 1 || shape.heads % shape.kv_heads != 0) {
        throw ConfigError(fmt::format("decode-attention: {} heads for {} of k and v (allowed: a "
                                      "multiple)",
                                      shape.heads,
                                      shape.kv_heads));
    }
    if (shape.query_tokens < 1 || shape.cached.empty() ||
        std::ranges::min(shape.cached) < shape.query_tokens) {
        throw ConfigError("decode-attention: a cache is shorter than what is new in it");
    }
    if (shape.value_in_key && shape.value_size > shape.key_size) {
        throw ConfigError("decode-attention: v has more columns than k, which it lies in");
    }
    return shape;
}

DecodeSplit choose_split(const config::HardwareConfig& hardware,
                         const DecodeAttentionShape& shape) {
    const std::int64_t longest = std::ranges::max(shape.cached);
    const std::int64_t items = std::ssize(shape.cached) * shape.kv_heads;
    std::int64_t best = std::max<std::int64_t>(shape.parts, 1);
    if (shape.parts == 0 && items < hardware.ai_cores) {
        const auto time = [&](std::int64_t parts) {
            return ceil_div(items * parts, hardware.ai_cores) * ceil_div(longest, parts);
        };
        for (std::int64_t parts = 2; parts <= longest / kLeastPart; ++parts) {
            best = time(parts) < time(best) ? parts : best;
        }
    }
    DecodeSplit split;
    split.keys = grains(ceil_div(longest, best));
    split.parts = split.of(longest);
    return split;
}

PartialShape partial_shape(const DecodeAttentionShape& shape, const DecodeSplit& split) {
    return {std::ssize(shape.cached) * shape.kv_heads * split.parts,
            shape.rows(),
            grains(shape.rows())};
}

PartialOutput partial_of(const DecodeAttentionShape& shape,
                         const DecodeSplit& split,
                         const PartialOutput& partial,
                         std::int64_t sequence,
                         std::int64_t kv_head,
                         std::int64_t part,
                         const Range& rows) {
    const std::int64_t index = (sequence * shape.kv_heads + kv_head) * split.parts + part;
    return {partial.o.block(index * shape.rows() + rows.begin, 0, rows.size(), shape.value_size),
            partial.max.block(index, rows.begin, 1, rows.size()),
            partial.sum.block(index, rows.begin, 1, rows.size())};
}

std::vector<QueryRun> decode_runs(const DecodeAttentionShape& shape,
                                  const Tile& q,
                                  const Tile& o,
                                  std::int64_t sequence,
                                  std::int64_t kv_head,
                                  const Range& rows) {
    const auto heads = [&](const Tile& tensor, std::int64_t row, std::int64_t count) {
        const std::int64_t size = tensor.cols / shape.heads;
        const std::int64_t head = kv_head * shape.group() + row % shape.group();
        const std::int64_t token = sequence * shape.query_tokens + row / shape.group();
        const Tile first = tensor.block(token, head * size, 1, size);
        return isa::dense(first.memory, first.dtype, first.address, count, size);
    };
    std::vector<QueryRun> runs;
    for (std::int64_t row = rows.begin; row < rows.end;) {
        const std::int64_t count = std::min(rows.end - row, shape.group() - row % shape.group());
        runs.push_back({row - rows.begin, heads(q, row, count), heads(o, row, count)});
        row += count;
    }
    return runs;
}

} // namespace npusim::kernels
