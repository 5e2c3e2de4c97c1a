// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/online_softmax.h"

#include "kernels/attention/tiles.h"
#include "kernels/common/vector_tiles.h"

#include <algorithm>
#include <utility>

namespace npusim::kernels {

using attention::grains;
using isa::Tile;

namespace {

/// Tiles of scores on their way, of a vector core: a block may wait while the next one is formed.
std::int64_t score_slots(const SoftmaxTiling& tiling) {
    return 2 * tiling.chunks;
}

/// Tiles of outputs on their way: the same.
std::int64_t output_slots(const AttentionHead& head, const SoftmaxTiling& tiling) {
    return 2 * ceil_div(head.value_size, tiling.values);
}

/// Room in L0 of `count` in turn, as one dense row.
std::int64_t elements_of_slot(const config::HardwareConfig& hardware,
                              Memory memory,
                              DType dtype,
                              std::int64_t n) {
    const config::BufferConfig& buffer = hardware.buffer(memory);
    return buffer.size_bytes / n / buffer.align_bytes * buffer.align_bytes / bytes_of(dtype, 1);
}

} // namespace

ScratchShape scores_shape(const config::HardwareConfig& hardware, const SoftmaxTiling& tiling) {
    return {DType::Fp32,
            hardware.ai_cores * attention_lanes(hardware) * score_slots(tiling) * tiling.keys,
            tiling.queries};
}

ScratchShape weights_shape(const config::HardwareConfig& hardware,
                           const AttentionHead& head,
                           const SoftmaxTiling& tiling) {
    return {head.dtype, HandOver::scratch_rows(hardware, tiling.keys), tiling.queries};
}

ScratchShape outputs_shape(const config::HardwareConfig& hardware,
                           const AttentionHead& head,
                           const SoftmaxTiling& tiling) {
    return {DType::Fp32,
            hardware.ai_cores * attention_lanes(hardware) * output_slots(head, tiling) *
                tiling.queries,
            tiling.values};
}

OnlineSoftmax::OnlineSoftmax(const config::HardwareConfig& hardware,
                             isa::CoreId core,
                             const AttentionHead& head,
                             const SoftmaxTiling& tiling,
                             std::int64_t mask_rows,
                             const AttentionScratch& scratch)
    : hardware_(hardware), head_(head), t_(tiling),
      split_(hardware.link(Memory::L0c, Memory::Ub) == nullptr), s_(hardware, core),
      weight_way_(s_, hardware, core, scratch.weights),
      keys_(s_.ring(Memory::L1, head.dtype, t_.keys, head.key_size, key_slots(head, t_.chunks))),
      lefts_(s_.ring(Memory::L0a,
                     head.dtype,
                     1,
                     elements_of_slot(hardware, Memory::L0a, head.dtype, attention_slots(hardware)),
                     attention_slots(hardware))),
      rights_(s_.ring(
          Memory::L0b, head.dtype, 1, elements_of_slot(hardware, Memory::L0b, head.dtype, 2), 2)),
      products_(s_.ring(Memory::L0c, DType::Fp32, t_.keys, t_.queries, attention_slots(hardware))),
      pieces_(s_.ring(Memory::Ub, DType::Fp32, t_.result, t_.values, 2)),
      peak_(s_.tile(Memory::Ub, DType::Fp32, t_.fold, t_.queries)),
      sum_(s_.tile(Memory::Ub, DType::Fp32, t_.fold, t_.queries)),
      mask_(s_.tile(Memory::Ub, DType::Fp32, mask_rows, t_.queries)),
      divisor_(s_.tile(Memory::Ub, DType::Fp32, t_.queries, kBlockFloats)) {
    if (!head.value_in_key) {
        values_ = s_.ring(Memory::L1, head.dtype, t_.keys, t_.values, 2);
    }
    for (std::int64_t col = 0; col < head.value_size; col += t_.values) {
        outputs_.push_back(s_.tile(Memory::Ub, DType::Fp32, t_.queries, width_at(col)));
    }
    // UB is laid out alike in every vector core.
    const auto ub = [&](std::int64_t rows, std::int64_t cols, std::int64_t slots) {
        return s_.ring(Memory::Ub, DType::Fp32, rows, cols, slots);
    };
    const Ring scores = ub(t_.keys, t_.queries, t_.chunks);
    const Ring maxima = ub(1, t_.queries, 2);
    const Ring sums = ub(1, t_.queries, 2);
    const Ring factors = ub(t_.queries, kBlockFloats, 2);
    for (std::int64_t lane = 0; lane < attention_lanes(hardware); ++lane) {
        lanes_.push_back(
            {s_.ring(Memory::L1, head.dtype, t_.queries, head.key_size, 2),
             s_.ring(Memory::L1, head.dtype, t_.keys, t_.queries, t_.weight_slots(head)),
             scores,
             maxima,
             sums,
             factors,
             slots(core, lane, scratch.scores, score_slots(t_)),
             slots(core, lane, scratch.outputs, output_slots(head, t_)),
             s_.tile(Memory::L0c, DType::Fp32, t_.queries, t_.values),
             {},
             {},
             {}});
    }
}

Ring OnlineSoftmax::slots(isa::CoreId core,
                          std::int64_t lane,
                          const Tile& scratch,
                          std::int64_t count) {
    const std::int64_t workers = hardware_.ai_cores * attention_lanes(hardware_);
    const std::int64_t rows = scratch.rows / (workers * count);
    const std::int64_t first = (core.ai_core * attention_lanes(hardware_) + lane) * count;
    std::vector<Tile> tiles;
    for (std::int64_t i = 0; i < count; ++i) {
        tiles.push_back(scratch.block((first + i) * rows, 0, rows, scratch.cols));
        s_.share(tiles.back());
    }
    return Ring(std::move(tiles));
}

void OnlineSoftmax::advance(const std::shared_ptr<const AttentionItem>& item, std::int64_t begin) {
    step(make_block(item, begin));
}

void OnlineSoftmax::drain() {
    step(std::nullopt);
    step(std::nullopt);
}

OnlineSoftmax::Block OnlineSoftmax::make_block(const std::shared_ptr<const AttentionItem>& item,
                                               std::int64_t begin) const {
    Block block{item, begin, begin, {}, {}};
    for (const QuerySide& side : item->sides) {
        if (side.visible <= begin) {
            continue;
        }
        Part part;
        part.side = &side;
        part.keys = std::min(t_.block(), side.visible - begin);
        part.cols = grains(side.rows);
        part.last = begin + part.keys == side.visible;
        block.end = std::max(block.end, begin + part.keys);
        block.parts.push_back(std::move(part));
    }
    return block;
}

std::int64_t OnlineSoftmax::chunks(const Block& block) const {
    return ceil_div(block.end - block.begin, t_.keys);
}

std::int64_t OnlineSoftmax::chunk_keys(const Part& part, std::int64_t chunk) const {
    return std::clamp<std::int64_t>(part.keys - chunk * t_.keys, 0, t_.keys);
}

/// Order is chosen so that no op waits in a queue in front of one that could go on: the scores of
/// the next block are asked for first, the outputs of the block before are added when the cube has
/// had time to form them. What stays in L0C until the vector unit has room for it is taken from
/// there in time for the next product.
void OnlineSoftmax::step(std::optional<Block> next) {
    const std::int64_t here = now_ ? chunks(*now_) : 0;
    const std::int64_t there = next ? chunks(*next) : 0;
    for (std::int64_t c = 0; split_ && c < there; ++c) {
        score(*next, c);
    }
    for (std::size_t i = 0; now_ && i < now_->parts.size(); ++i) {
        find_maximum(*now_, now_->parts[i]);
    }
    if (before_ && !split_) {
        add_outputs(*before_);
    }
    for (std::int64_t c = 0; c < std::max(here, there); ++c) {
        const bool whole = c < here && !in_pieces();
        std::optional<Tile> value; // goes ahead of weights that come over GM too
        if (whole && split_) {
            value = load_values(*now_, c, 0);
        }
        for (std::size_t i = 0; c < here && i < now_->parts.size(); ++i) {
            weigh(*now_, now_->parts[i], c);
        }
        if (c < there) {
            receive(*next, c);
        }
        if (whole) {
            multiply(*now_, c, value ? *value : load_values(*now_, c, 0));
        }
    }
    if (before_ && split_) {
        add_outputs(*before_);
    }
    if (now_ && in_pieces()) {
        multiply_pieces(*now_);
    } else if (now_ && split_) {
        send_outputs(*now_);
    }
    before_ = std::move(now_);
    now_ = std::move(next);
}

void OnlineSoftmax::load_queries(const Block& block) {
    for (const Part& part : block.parts) {
        Lane& lane = lane_of(part);
        lane.q = lane.queries.next();
        for (const QueryRun& run : part.side->runs) {
            const Tile q = lane.q.block(run.row, 0, run.q.rows, head_.key_size);
            s_(isa::Copy{q, run.q, part.side->q_cold});
        }
    }
}

/// The scores [keys, queries] of a chunk, in L0C or, on a split chip, on their way from there.
void OnlineSoftmax::score(Block& block, std::int64_t chunk) {
    if (block.begin == 0 && chunk == 0) {
        load_queries(block);
    }
    const std::int64_t first = block.begin + chunk * t_.keys;
    const std::int64_t count = std::min(t_.keys, block.end - first);
    const Tile key = shaped(keys_.next(), count, head_.key_size);
    s_(isa::Copy{key, block.item->k.block(first, 0, count, head_.key_size), block.item->cold});
    block.keys.push_back(key);
    std::vector<Part*> parts;
    for (Part& part : block.parts) {
        if (const std::int64_t keys = chunk_keys(part, chunk); keys > 0) {
            part.products.push_back(shaped(products_.next(), keys, part.cols));
            parts.push_back(&part);
        }
    }
    for (std::int64_t d = 0; d < head_.key_size; d += t_.slice) {
        const std::int64_t depth = std::min(t_.slice, head_.key_size - d);
        const Tile left = shaped(lefts_.next(), count, depth);
        s_(isa::Copy{left, key.block(0, d, count, depth)});
        for (const Part* part : parts) {
            const Tile& sum = part->products.back();
            const Tile right = shaped(rights_.next(), depth, part->cols);
            s_(isa::Copy{right, lane_of(*part).q.block(0, d, part->cols, depth), false, true});
            s_(isa::Mmad{sum, shaped(left, sum.rows, depth), right, d > 0});
        }
    }
    for (std::size_t i = 0; split_ && i < parts.size(); ++i) {
        Tile& sum = parts[i]->products.back();
        const Tile slot = shaped(lane_of(*parts[i]).score_slots.next(), sum.rows, sum.cols);
        s_(isa::Fixpipe{slot, sum});
        sum = slot;
    }
}

/// Takes the scores of a chunk to the vector cores.
void OnlineSoftmax::receive(Block& block, std::int64_t chunk) {
    if (!split_) {
        score(block, chunk);
    }
    const auto at = static_cast<std::size_t>(chunk);
    for (Part& part : block.parts) {
        if (at >= part.products.size()) {
            continue;
        }
        const Tile& from = part.products[at];
        s_.lane(part.side->lane);
        part.scores.push_back(shaped(lane_of(part).scores.next(), from.rows, from.cols));
        if (split_) {
            s_(isa::Copy{part.scores.back(), from});
        } else {
            s_(isa::Fixpipe{part.scores.back(), from});
        }
    }
}

template <class Op> void OnlineSoftmax::fold(const Tile& into, const Tile& from, bool fresh) {
    for (std::int64_t row = 0; row < from.rows; row += into.rows) {
        const std::int64_t count = std::min(into.rows, from.rows - row);
        const Tile to = into.block(0, 0, count, into.cols);
        const Tile part = from.block(row, 0, count, from.cols);
        if (fresh && row == 0) {
            s_(move(to, part));
        } else {
            s_(Op{{to, to, part}});
        }
    }
}

template <class Op> void OnlineSoftmax::fold_to_row(const Tile& tile) {
    for (std::int64_t rows = tile.rows; rows > 1; rows -= rows / 2) {
        const Tile to = tile.block(0, 0, rows / 2, tile.cols);
        s_(Op{{to, to, tile.block(rows - rows / 2, 0, rows / 2, tile.cols)}});
    }
}

void OnlineSoftmax::apply_mask(const Block& block, const Part& part, std::int64_t chunk) {
    // Row 0 of the mask lets everything pass.
    const Tile& score = part.scores[static_cast<std::size_t>(chunk)];
    const std::int64_t start = block.begin + chunk * t_.keys;
    const std::int64_t row = std::max<std::int64_t>(part.side->masked + 1 - start, 0);
    if (row >= score.rows) {
        return;
    }
    const Tile& mask = part.side->mask;
    Tile& loaded = lane_of(part).mask;
    if (!(loaded == mask)) {
        s_(isa::Copy{mask_.block(0, 0, mask.rows, mask.cols), mask});
        loaded = mask;
    }
    const std::int64_t count = score.rows - row;
    const Tile to = score.block(row, 0, count, part.cols);
    const std::int64_t mask_row = start + row - part.side->masked;
    s_(isa::Vadd{{to, to, mask_.block(mask_row, 0, count, part.cols)}});
}

void OnlineSoftmax::find_maximum(const Block& block, Part& part) {
    s_.lane(part.side->lane);
    const Tile peak = shaped(peak_, std::min(t_.fold, part.keys), part.cols);
    for (std::int64_t c = 0; c < std::ssize(part.scores); ++c) {
        const Tile& score = part.scores[static_cast<std::size_t>(c)];
        if (head_.scale != 1) {
            s_(isa::Vmuls{{score, score}, static_cast<float>(head_.scale)});
        }
        apply_mask(block, part, c);
        fold<isa::Vmax>(peak, score, c == 0);
    }
    fold_to_row<isa::Vmax>(peak);
    update_maximum(block, part, shaped(peak, 1, part.cols));
}

void OnlineSoftmax::update_maximum(const Block& block, Part& part, const Tile& peak) {
    Lane& lane = lane_of(part);
    part.max = shaped(lane.maxima.next(), 1, part.cols);
    if (block.begin == 0) {
        s_(move(part.max, peak));
    } else {
        s_(isa::Vmax{{part.max, peak, lane.max}});
        s_(isa::Vsub{{peak, lane.max, part.max}});
        s_(isa::Vexp{{peak, peak}});
        part.factor = shaped(lane.factors.next(), part.cols, kBlockFloats);
        s_(isa::Vbrcb{part.factor, peak});
        const Tile sum = shaped(sum_, t_.fold, part.cols);
        s_(isa::Vmul{{sum, sum, repeated(peak, sum.rows)}});
    }
    lane.max = part.max;
}

/// Weights of a chunk, on their way to the cube.
void OnlineSoftmax::weigh(const Block& block, Part& part, std::int64_t chunk) {
    if (chunk >= std::ssize(part.scores)) {
        return;
    }
    s_.lane(part.side->lane);
    Lane& lane = lane_of(part);
    const Tile& score = part.scores[static_cast<std::size_t>(chunk)];
    s_(isa::Vsub{{score, score, repeated(part.max, score.rows)}});
    s_(isa::Vexp{{score, score}});
    // A first block of less than `fold` keys is the only one.
    const std::int64_t first_keys = std::min(t_.fold, part.side->visible);
    fold<isa::Vadd>(shaped(sum_, first_keys, part.cols), score, block.begin == 0 && chunk == 0);
    Tile weight = score;
    if (head_.dtype != DType::Fp32) {
        weight = isa::dense(Memory::Ub, head_.dtype, score.address, score.rows, score.cols);
        s_(isa::Vcast{weight, score});
    }
    part.weights.push_back(shaped(lane.weights.next(), score.rows, score.cols));
    weight_way_.to_cube(part.weights.back(), weight);
    if (part.last && chunk + 1 == std::ssize(part.scores)) {
        close(part);
    }
}

void OnlineSoftmax::close(Part& part) {
    Lane& lane = lane_of(part);
    const Tile sum = shaped(sum_, std::min(t_.fold, part.side->visible), part.cols);
    fold_to_row<isa::Vadd>(sum);
    part.sum = shaped(lane.sums.next(), 1, part.cols);
    s_(move(part.sum, shaped(sum, 1, part.cols)));
}

/// The values of a chunk in L1, columns from `col` on.
Tile OnlineSoftmax::load_values(const Block& block, std::int64_t chunk, std::int64_t col) {
    const std::int64_t width = width_at(col);
    if (!values_) {
        const Tile& key = block.keys[static_cast<std::size_t>(chunk)];
        return key.block(0, col, key.rows, width);
    }
    const std::int64_t first = block.begin + chunk * t_.keys;
    const std::int64_t count = std::min(t_.keys, block.end - first);
    const Tile value = shaped(values_->next(), count, width);
    s_(isa::Copy{value, block.item->v.block(first, col, count, width), block.item->cold});
    return value;
}

/// Outputs (+)= weights of a chunk * its values.
void OnlineSoftmax::multiply(Block& block, std::int64_t chunk, const Tile& value) {
    const auto at = static_cast<std::size_t>(chunk);
    std::vector<std::pair<Part*, Tile>> lefts;
    for (Part& part : block.parts) {
        if (at < part.weights.size()) {
            const Tile& weight = part.weights[at];
            lefts.emplace_back(&part, shaped(lefts_.next(), part.cols, weight.rows));
            s_(isa::Copy{lefts.back().second, weight, false, true});
        }
    }
    for (std::int64_t col = 0; col < value.cols; col += t_.piece) {
        const std::int64_t width = std::min(t_.piece, value.cols - col);
        const Tile right = shaped(rights_.next(), value.rows, width);
        s_(isa::Copy{right, value.block(0, col, value.rows, width)});
        for (const auto& [part, left] : lefts) {
            const Tile product = shaped(lane_of(*part).product, part->cols, value.cols);
            s_(isa::Mmad{product.block(0, col, part->cols, width),
                         left,
                         shaped(right, left.cols, width),
                         chunk > 0});
        }
    }
}

/// The same for pieces of the outputs that L0C cannot hold together.
void OnlineSoftmax::multiply_pieces(Block& block) {
    for (std::int64_t col = 0; col < head_.value_size; col += t_.values) {
        for (std::int64_t c = 0; c < chunks(block); ++c) {
            multiply(block, c, load_values(block, c, col));
        }
        send_outputs(block);
    }
}

void OnlineSoftmax::send_outputs(Block& block) {
    for (Part& part : block.parts) {
        Lane& lane = lane_of(part);
        const std::int64_t width = width_at(column_of(part.outputs.size()));
        part.outputs.push_back(shaped(lane.output_slots.next(), part.cols, width));
        s_(isa::Fixpipe{part.outputs.back(), shaped(lane.product, part.cols, width)});
    }
}

Tile OnlineSoftmax::output_of(const Part& part, std::size_t piece) const {
    return shaped(outputs_[piece], part.cols, outputs_[piece].cols);
}

/// to = what a block adds to the outputs, from `row` on.
void OnlineSoftmax::fetch(const Part& part, std::size_t piece, const Tile& to, std::int64_t row) {
    if (split_) {
        s_(isa::Copy{to, part.outputs[piece].block(row, 0, to.rows, to.cols)});
    } else {
        s_(isa::Fixpipe{to, lane_of(part).product.block(row, 0, to.rows, to.cols)});
    }
}

void OnlineSoftmax::add_outputs(const Block& block) {
    for (const Part& part : block.parts) {
        s_.lane(part.side->lane);
        for (std::size_t piece = 0; piece < outputs_.size(); ++piece) {
            add_piece(block, part, piece);
        }
        if (part.last) {
            store_outputs(part);
        }
    }
}

void OnlineSoftmax::add_piece(const Block& block, const Part& part, std::size_t piece) {
    const Tile output = output_of(part, piece);
    if (block.begin == 0) {
        fetch(part, piece, output, 0);
        return;
    }
    for (std::int64_t row = 0; row < part.cols; row += t_.result) {
        const std::int64_t count = std::min(t_.result, part.cols - row);
        const Tile added = shaped(pieces_.next(), count, output.cols);
        fetch(part, piece, added, row);
        const Tile factor = part.factor.block(row, 0, count, kBlockFloats);
        const Tile to = output.block(row, 0, count, output.cols);
        by_slices<isa::Vmul>(s_, to, to, factor);
        s_(isa::Vadd{{to, to, added}});
    }
}

void OnlineSoftmax::store_outputs(const Part& part) {
    const std::int64_t rows = part.side->rows;
    if (const auto& partial = part.side->partial) {
        s_(isa::Copy{partial->max, part.max.block(0, 0, 1, rows), part.side->o_cold});
        s_(isa::Copy{partial->sum, part.sum.block(0, 0, 1, rows), part.side->o_cold});
    } else {
        s_(isa::Vbrcb{shaped(divisor_, part.cols, kBlockFloats), part.sum});
    }
    for (std::size_t piece = 0; piece < outputs_.size(); ++piece) {
        store_piece(part, piece);
    }
}

void OnlineSoftmax::store_piece(const Part& part, std::size_t piece) {
    Tile output = output_of(part, piece);
    const std::int64_t first = column_of(piece);
    if (const auto& partial = part.side->partial) {
        const std::int64_t rows = part.side->rows;
        s_(isa::Copy{partial->o.block(0, first, rows, output.cols),
                     output.block(0, 0, rows, output.cols),
                     part.side->o_cold});
        return;
    }
    const Tile divisor = shaped(divisor_, part.cols, kBlockFloats);
    const Tile to = output.block(0, 0, part.cols, output.cols);
    by_slices<isa::Vdiv>(s_, to, to, divisor);
    if (head_.dtype != DType::Fp32) {
        const Tile narrow =
            isa::dense(Memory::Ub, head_.dtype, output.address, output.rows, output.cols);
        s_(isa::Vcast{narrow, output});
        output = narrow;
    }
    for (const QueryRun& run : part.side->runs) {
        s_(isa::Copy{run.o.block(0, first, run.o.rows, output.cols),
                     output.block(run.row, 0, run.o.rows, output.cols),
                     part.side->o_cold});
    }
}

} // namespace npusim::kernels
