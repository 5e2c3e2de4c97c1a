// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_attention.h"

#include "kernels/attention/deal.h"
#include "kernels/attention/tiles.h"

#include <algorithm>
#include <memory>
#include <numeric>

namespace npusim::kernels {

using attention::grains;

namespace {

/// What is added to the score of new token x and row c: nothing if x is none after its own.
std::vector<float> decode_mask(const DecodeAttentionShape& shape) {
    const std::int64_t cols = grains(shape.rows());
    std::vector<float> mask(static_cast<std::size_t>(shape.query_tokens * cols), 0.0F);
    for (std::int64_t x = 0; x < shape.query_tokens; ++x) {
        std::fill_n(mask.begin() + x * cols, x * shape.group(), kMaskedScore);
    }
    return mask;
}

} // namespace

DecodeAttention::DecodeAttention(const config::HardwareConfig& hardware,
                                 const DecodeAttentionShape& shape)
    : Operator(hardware), shape_(checked(shape)), split_(choose_split(hardware, shape)),
      tiling_(
          choose_softmax_tiling(hardware, head(), shape.rows(), split_.keys, shape.query_tokens)) {
    const std::int64_t queries = std::ssize(shape.cached) * shape.query_tokens;
    const std::int64_t keys =
        std::accumulate(shape.cached.begin(), shape.cached.end(), std::int64_t{0});
    const DType dtype = shape.dtype;
    q_ = add("q", Tensor::Role::Input, dtype, queries, shape.heads * shape.key_size);
    k_ = add("k", Tensor::Role::Input, dtype, keys, shape.kv_heads * shape.key_size);
    if (!shape.value_in_key) {
        v_ = add("v", Tensor::Role::Input, dtype, keys, shape.kv_heads * shape.value_size);
    }
    if (is_split()) {
        const auto [parts, rows, cols] = partial_shape(shape, split_);
        const auto output = Tensor::Role::Output;
        partial_.o = add("partial_o", output, DType::Fp32, parts * rows, shape.value_size);
        partial_.max = add("partial_max", output, DType::Fp32, parts, cols);
        partial_.sum = add("partial_sum", output, DType::Fp32, parts, cols);
    } else {
        o_ = add("o", Tensor::Role::Output, dtype, queries, shape.heads * shape.value_size);
    }
    mask_ =
        constant("mask", DType::Fp32, shape.query_tokens, grains(shape.rows()), decode_mask(shape));
    const auto scratch = [&](const char* name, const ScratchShape& s) {
        return add(name, Tensor::Role::Scratch, s.dtype, s.rows, s.cols);
    };
    scratch_.scores = scratch("scores", scores_shape(hardware, tiling_));
    scratch_.weights = scratch("weights", weights_shape(hardware, head(), tiling_));
    scratch_.outputs = scratch("outputs", outputs_shape(hardware, head(), tiling_));
}

AttentionHead DecodeAttention::head() const {
    return {shape_.key_size, shape_.value_size, shape_.dtype, shape_.scale, shape_.value_in_key};
}

double DecodeAttention::flops() const {
    double pairs = 0;
    for (const std::int64_t cached : shape_.cached) {
        const auto m = static_cast<double>(shape_.query_tokens);
        pairs += m * (static_cast<double>(cached) - (m - 1) / 2);
    }
    return 2 * pairs * static_cast<double>(shape_.heads * (shape_.key_size + shape_.value_size));
}

std::vector<DecodeAttention::KeyPart> DecodeAttention::key_parts() const {
    const std::int64_t most = tiling_.queries * attention_lanes(hardware());
    std::vector<KeyPart> parts;
    std::int64_t first = 0;
    for (std::int64_t sequence = 0; sequence < std::ssize(shape_.cached); ++sequence) {
        const std::int64_t cached = shape_.cached[static_cast<std::size_t>(sequence)];
        for (std::int64_t part = 0; part < split_.of(cached); ++part) {
            const std::int64_t begin = part * split_.keys;
            const std::int64_t keys = std::min(split_.keys, cached - begin);
            for (std::int64_t row = 0; row < shape_.rows(); row += most) {
                parts.push_back({sequence, part, row, first + begin, begin, keys});
            }
        }
        first += cached;
    }
    std::ranges::stable_sort(parts, std::ranges::greater(), &KeyPart::keys);
    return parts;
}

AttentionItem
DecodeAttention::item(const KeyPart& part, std::int64_t kv_head, std::int64_t lane) const {
    AttentionItem item;
    item.k = k_.block(part.first, kv_head * shape_.key_size, part.keys, shape_.key_size);
    if (!shape_.value_in_key) {
        item.v = v_.block(part.first, kv_head * shape_.value_size, part.keys, shape_.value_size);
    }
    // Rows beyond the first block find the cache in L2.
    item.cold = part.row == 0 || spills(k_.bytes() + v_.bytes());
    const std::int64_t lanes = attention_lanes(hardware());
    const std::int64_t end = std::min(shape_.rows(), part.row + lanes * tiling_.queries);
    const std::int64_t share = grains(ceil_div(end - part.row, lanes));
    const std::int64_t cached = shape_.cached[static_cast<std::size_t>(part.sequence)];
    for (std::int64_t row = part.row; row < end; row += share) {
        QuerySide side;
        side.lane = ((row - part.row) / share + lane) % lanes;
        side.rows = std::min(share, end - row);
        const Range rows{row, row + side.rows};
        side.runs = decode_runs(shape_, q_, o_, part.sequence, kv_head, rows);
        side.q_cold = spills(q_.bytes());
        side.o_cold = spills(is_split() ? partial_.o.bytes() : o_.bytes());
        side.masked = cached - shape_.query_tokens - part.begin;
        side.visible = part.keys;
        side.mask = mask_.block(0, row, shape_.query_tokens, grains(side.rows));
        if (is_split()) {
            side.partial =
                partial_of(shape_, split_, partial_, part.sequence, kv_head, part.part, rows);
        }
        item.sides.push_back(std::move(side));
    }
    return item;
}

isa::Program DecodeAttention::program(isa::CoreId core) const {
    OnlineSoftmax softmax(hardware(), core, head(), tiling_, shape_.query_tokens, scratch_);
    const Worker worker = ai_core_worker(hardware(), core);
    const std::vector<KeyPart> parts = key_parts();
    const std::int64_t items = std::ssize(parts) * shape_.kv_heads;
    for (std::int64_t round = 0; round * worker.count < items; ++round) {
        const std::int64_t index = dealt_item(round, worker.count, worker.index);
        if (index >= items) {
            continue;
        }
        const KeyPart& part = parts[static_cast<std::size_t>(index / shape_.kv_heads)];
        const auto next = std::make_shared<const AttentionItem>(
            item(part, index % shape_.kv_heads, round % attention_lanes(hardware())));
        for (std::int64_t key = 0; key < part.keys; key += tiling_.block()) {
            softmax.advance(next, key);
            co_yield softmax.take();
        }
    }
    softmax.drain();
    co_yield softmax.finish();
}

} // namespace npusim::kernels
