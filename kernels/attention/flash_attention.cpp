// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/flash_attention.h"

#include "kernels/attention/deal.h"
#include "kernels/attention/tiles.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <numeric>

namespace npusim::kernels {

using attention::grains;

namespace {

std::int64_t longest(const FlashAttentionShape& shape) {
    return std::ranges::max(shape.lengths);
}

/// What is added to the score of key x, counted from query 0, and query c: nothing if x <= c.
std::vector<float> causal_mask(std::int64_t side) {
    std::vector<float> mask(static_cast<std::size_t>(side * side), 0.0F);
    for (std::int64_t x = 0; x < side; ++x) {
        std::fill_n(mask.begin() + x * side, x, kMaskedScore);
    }
    return mask;
}

const FlashAttentionShape& checked(const FlashAttentionShape& shape) {
    if (shape.lengths.empty() || std::ranges::min(shape.lengths) < 1) {
        throw ConfigError("flash-attention: no tokens (allowed: sequences of at least one)");
    }
    if (shape.kv_heads < 1 || shape.heads < 1 || shape.heads % shape.kv_heads != 0) {
        throw ConfigError(fmt::format("flash-attention: {} heads for {} of k and v (allowed: a "
                                      "multiple)",
                                      shape.heads,
                                      shape.kv_heads));
    }
    return shape;
}

} // namespace

FlashAttention::FlashAttention(const config::HardwareConfig& hardware,
                               const FlashAttentionShape& shape)
    : Operator(hardware), shape_(checked(shape)),
      tiling_(choose_softmax_tiling(hardware, head(), longest(shape), longest(shape), 0)) {
    const std::int64_t tokens =
        std::accumulate(shape.lengths.begin(), shape.lengths.end(), std::int64_t{0});
    const DType dtype = shape.dtype;
    q_ = add("q", Tensor::Role::Input, dtype, tokens, shape.heads * shape.key_size);
    k_ = add("k", Tensor::Role::Input, dtype, tokens, shape.kv_heads * shape.key_size);
    v_ = add("v", Tensor::Role::Input, dtype, tokens, shape.kv_heads * shape.value_size);
    o_ = add("o", Tensor::Role::Output, dtype, tokens, shape.heads * shape.value_size);
    mask_ = constant(
        "mask", DType::Fp32, tiling_.queries, tiling_.queries, causal_mask(tiling_.queries));
    const auto scratch = [&](const char* name, const ScratchShape& s) {
        return add(name, Tensor::Role::Scratch, s.dtype, s.rows, s.cols);
    };
    scratch_.scores = scratch("scores", scores_shape(hardware, tiling_));
    scratch_.weights = scratch("weights", weights_shape(hardware, head(), tiling_));
    scratch_.outputs = scratch("outputs", outputs_shape(hardware, head(), tiling_));
}

AttentionHead FlashAttention::head() const {
    return {shape_.key_size, shape_.value_size, shape_.dtype, shape_.scale, false};
}

double FlashAttention::flops() const {
    double pairs = 0;
    for (const std::int64_t length : shape_.lengths) {
        const auto n = static_cast<double>(length);
        pairs += n * (n + 1) / 2;
    }
    return 2 * pairs * static_cast<double>(shape_.heads * (shape_.key_size + shape_.value_size));
}

std::vector<FlashAttention::QueryBlock> FlashAttention::query_blocks() const {
    const std::int64_t rows = tiling_.queries * attention_lanes(hardware());
    std::vector<QueryBlock> blocks;
    std::int64_t token = 0;
    for (const std::int64_t length : shape_.lengths) {
        for (std::int64_t begin = 0; begin < length; begin += rows) {
            blocks.push_back({token, begin, std::min(rows, length - begin)});
        }
        token += length;
    }
    std::ranges::stable_sort(blocks, std::ranges::greater(), &QueryBlock::keys);
    return blocks;
}

AttentionItem
FlashAttention::item(const QueryBlock& block, std::int64_t head, std::int64_t key) const {
    const std::int64_t kv = head * shape_.kv_heads / shape_.heads;
    AttentionItem item;
    const std::int64_t first = block.token + key;
    const std::int64_t keys = block.keys() - key;
    item.k = k_.block(first, kv * shape_.key_size, keys, shape_.key_size);
    item.v = v_.block(first, kv * shape_.value_size, keys, shape_.value_size);
    item.cold = spills(k_.bytes() + v_.bytes());
    const std::int64_t lanes = attention_lanes(hardware());
    const std::int64_t share = grains(ceil_div(block.rows, lanes));
    for (std::int64_t row = 0; row < block.rows; row += share) {
        QuerySide side;
        side.lane = row / share;
        side.rows = std::min(share, block.rows - row);
        const std::int64_t token = block.token + block.begin + row;
        side.runs.push_back(
            {0,
             q_.block(token, head * shape_.key_size, side.rows, shape_.key_size),
             o_.block(token, head * shape_.value_size, side.rows, shape_.value_size)});
        side.masked = block.begin + row - key;
        side.visible = side.masked + side.rows;
        side.mask = mask_;
        side.q_cold = spills(q_.bytes());
        side.o_cold = spills(o_.bytes());
        item.sides.push_back(std::move(side));
    }
    return item;
}

std::vector<FlashAttention::Turn> FlashAttention::turns(const std::vector<QueryBlock>& blocks,
                                                        const Worker& worker) const {
    std::vector<Turn> turns;
    const std::int64_t items = std::ssize(blocks) * shape_.heads;
    std::int64_t first = 0;
    for (std::int64_t round = 0; round * worker.count < items; ++round) {
        const std::int64_t index = dealt_item(round, worker.count, worker.index);
        if (index < items) {
            const QueryBlock& block = blocks[static_cast<std::size_t>(index / shape_.heads)];
            const std::int64_t end = first + ceil_div(block.keys(), tiling_.block());
            turns.push_back({&block, index % shape_.heads, {first, end}});
            first = end;
        }
    }
    return turns;
}

std::int64_t FlashAttention::rounds() const {
    const std::vector<QueryBlock> blocks = query_blocks();
    std::int64_t most = 0;
    for (std::int64_t index = 0; index < hardware().ai_cores; ++index) {
        const std::vector<Turn> mine = turns(blocks, {index, hardware().ai_cores});
        most = std::max(most, mine.empty() ? 0 : mine.back().steps.end);
    }
    return most;
}

isa::Program FlashAttention::program(isa::CoreId core) const {
    OnlineSoftmax softmax(hardware(), core, head(), tiling_, tiling_.queries, scratch_);
    const std::vector<QueryBlock> blocks = query_blocks();
    const std::vector<Turn> mine = turns(blocks, ai_core_worker(hardware(), core));
    const Range run = limited({0, mine.empty() ? 0 : mine.back().steps.end});
    for (const Turn& turn : mine) {
        const std::int64_t begin = std::max(run.begin, turn.steps.begin);
        const std::int64_t end = std::min(run.end, turn.steps.end);
        if (begin >= end) {
            continue;
        }
        const auto next = std::make_shared<const AttentionItem>(
            item(*turn.block, turn.head, (begin - turn.steps.begin) * tiling_.block()));
        for (std::int64_t step = begin; step < end; ++step) {
            softmax.advance(next, (step - begin) * tiling_.block());
            co_yield softmax.take();
        }
    }
    softmax.drain();
    co_yield softmax.finish();
}

} // namespace npusim::kernels
