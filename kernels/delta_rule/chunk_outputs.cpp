// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/chunk_outputs.h"

#include "kernels/common/hand_over.h"
#include "kernels/delta_rule/channel_products.h"
#include "kernels/delta_rule/stage.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Items in hand: loading, scaling, finishing.
constexpr std::int64_t kItems = 3;

} // namespace

ChunkOutputs::ChunkOutputs(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : DeltaOperator(hardware, shape),
      q_(add_by_token("q", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      k_(add_by_token("k", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      v_(add_by_token("v_new", Tensor::Role::Input, shape.value_heads, shape.value_size)),
      gates_(add_gates("G", Tensor::Role::Input)),
      states_(add_by_chunk("states", Tensor::Role::Input, shape.key_size, shape.value_size)),
      o_(add_by_token("o", Tensor::Role::Output, shape.value_heads, shape.value_size)),
      rows_(shape.per_channel ? ChannelProducts::kRows
                              : rows_within(working_bytes(hardware),
                                            shape.chunk,
                                            std::max(shape.chunk, shape.key_size))),
      mask_(add_mask("mask", 0, rows_)), scratch_(add("scratch",
                                                      Tensor::Role::Scratch,
                                                      DType::Fp32,
                                                      HandOver::scratch_rows(hardware, rows_),
                                                      std::max(shape.chunk, shape.key_size))) {}

/// Both units of an AI core at work on items, each a value head of a chunk.
class ChunkOutputs::Work {
  public:
    Work(const ChunkOutputs& op, isa::CoreId core)
        : op_(op), s_(op.hardware(), core), hand_over_(s_, op.hardware(), core, op.scratch_),
          multiply_(s_, op.hardware()), mask_(on_every_lane(s_, op.mask_)) {
        if (op.shape().per_channel) {
            channels_.emplace(s_, op.hardware(), core, op.scratch_, op.shape());
        } else {
            const std::int64_t widest = std::max(size(), depth());
            factors_.emplace(Factors{HeadRows(s_, op.gates_, size()),
                                     DecayMatrix(s_, size()),
                                     s_.tile(Memory::Ub, DType::Fp32, 1, size()),
                                     s_.tile(Memory::Ub, DType::Fp32, size(), kBlockFloats),
                                     s_.tile(Memory::Ub, DType::Fp32, op.rows_, widest),
                                     s_.ring(Memory::Ub, DType::Fp32, op.rows_, size(), 2)});
        }
        const auto place = [&](std::int64_t rows, std::int64_t cols) {
            return s_.tile(Memory::L1, dtype(), rows, cols);
        };
        for (std::int64_t i = 0; i < (ahead_ ? kItems : 1); ++i) {
            items_.push_back({place(size(), depth()),
                              place(size(), depth()),
                              place(size(), width()),
                              place(depth(), width()),
                              place(size(), depth()),
                              place(size(), size())});
        }
    }
    /// What `item` reads into L1.
    void load(std::int64_t item);
    /// Up to the operands of the last products.
    void prepare(std::int64_t item);
    void complete(std::int64_t item);
    /// Items by which each of these follows the one before.
    [[nodiscard]] std::int64_t lag() const { return ahead_ ? 1 : 0; }
    Stream& stream() { return s_; }

  private:
    /// Places in L1.
    struct Item {
        Tile query;
        Tile key;
        Tile value;
        Tile state;
        Tile scaled_query;
        Tile scores;
    };

    [[nodiscard]] DType dtype() const { return op_.shape().dtype; }
    [[nodiscard]] std::int64_t size() const { return op_.shape().chunk; }
    [[nodiscard]] std::int64_t depth() const { return op_.shape().key_size; }
    [[nodiscard]] std::int64_t width() const { return op_.shape().value_size; }
    [[nodiscard]] std::int64_t index(std::int64_t item) const {
        return item / op_.shape().value_heads;
    }
    [[nodiscard]] std::int64_t head(std::int64_t item) const {
        return item % op_.shape().value_heads;
    }
    [[nodiscard]] const Chunk& chunk(std::int64_t item) const {
        return op_.chunks()[static_cast<std::size_t>(index(item))];
    }
    Item& places(std::int64_t item) {
        return items_[static_cast<std::size_t>(item) % items_.size()];
    }
    /// Whether L1 holds `items` items.
    [[nodiscard]] bool fits(std::int64_t items) const {
        const std::int64_t elements = size() * (3 * depth() + size() + width()) + depth() * width();
        return items * bytes_of(dtype(), elements) <= op_.hardware().buffer(Memory::L1).size_bytes;
    }
    void prepare_by_channel(std::int64_t item);
    void scale_query(std::int64_t item, const Tile& gates);
    void scale_scores(const Tile& to, const Tile& sum, std::int64_t row, std::int64_t col);

    const ChunkOutputs& op_;
    Stream s_;
    HandOver hand_over_;
    Products multiply_;
    /// What a factor for all channels takes.
    struct Factors {
        HeadRows gates;
        DecayMatrix decay;
        Tile row;
        Tile column;
        Tile work;
        Ring products;
    };
    std::optional<Factors> factors_;
    std::optional<ChannelProducts> channels_; ///< by channel
    Tile mask_;
    Ring results_ = s_.ring(Memory::Ub, dtype(), op_.rows_, std::max(size(), depth()), 3);
    bool ahead_ = fits(kItems);
    std::vector<Item> items_;
};

void ChunkOutputs::Work::load(std::int64_t item) {
    const Chunk& now = chunk(item);
    const std::int64_t key_head = op_.key_head(head(item));
    const Item& to = places(item);
    const auto fetch = [&](const Tile& place, const Tile& tensor, std::int64_t of_head) {
        s_(isa::Copy{place.block(0, 0, now.tokens, place.cols),
                     of_tokens(tensor, now, of_head, place.cols),
                     op_.spills(tensor.bytes())});
    };
    if (!channels_) { // else they pass the vector unit
        fetch(to.query, op_.q_, key_head);
        fetch(to.key, op_.k_, key_head);
    }
    fetch(to.value, op_.v_, head(item));
    s_(isa::Copy{to.state,
                 op_.of_chunk(op_.states_, index(item), head(item), depth()),
                 op_.spills(op_.states_.bytes())});
}

/// exp(G) q.
void ChunkOutputs::Work::scale_query(std::int64_t item, const Tile& gates) {
    const Tile query = of_tokens(op_.q_, chunk(item), op_.key_head(head(item)), depth());
    s_(isa::Vexp{{factors_->row, gates}});
    s_(isa::Vbrcb{factors_->column, factors_->row});
    for (std::int64_t row = 0; row < query.rows; row += op_.rows_) {
        const std::int64_t rows = std::min(op_.rows_, query.rows - row);
        const Tile half = shaped(results_.next(), rows, depth());
        const Tile work = shaped(factors_->work, rows, depth());
        s_(isa::Copy{half, query.block(row, 0, rows, depth())});
        s_(isa::Vcast{work, half});
        by_slices<isa::Vmul>(s_, work, work, factors_->column.block(row, 0, rows, kBlockFloats));
        s_(isa::Vcast{half, work});
        hand_over_.to_cube(places(item).scaled_query.block(row, 0, rows, depth()), half);
    }
}

/// Rows of P from rows of q k^T.
void ChunkOutputs::Work::scale_scores(const Tile& to,
                                      const Tile& sum,
                                      std::int64_t row,
                                      std::int64_t col) {
    const std::int64_t rows = std::min(op_.rows_, sum.rows - row);
    const Tile product = shaped(factors_->products.next(), rows, sum.cols);
    const Tile work = shaped(factors_->work, rows, sum.cols);
    const Tile result = shaped(results_.next(), rows, sum.cols);
    hand_over_.to_vector(product, sum.block(row, 0, rows, sum.cols));
    factors_->decay(work, row, col);
    s_(isa::Vmul{{work, work, product}});
    s_(isa::Vcast{result, work});
    by_slices<isa::Vand>(
        s_, result, result, mask_.block(0, mask_column(mask_, row, col), rows, sum.cols));
    hand_over_.to_cube(to.block(row, col, rows, sum.cols), result);
}

void ChunkOutputs::Work::prepare(std::int64_t item) {
    const std::int64_t lane = item % s_.lanes();
    s_.lane(lane);
    const Item& now = places(item);
    if (channels_) {
        prepare_by_channel(item);
        return;
    }
    const Tile gates = factors_->gates.row(chunk(item), head(item), lane);
    factors_->decay.set(gates);
    scale_query(item, gates);
    // Columns beyond a short chunk are of what was there before: the mask takes them away.
    multiply_({{{now.query.block(0, 0, chunk(item).tokens, depth())}, {now.key, true}}},
              [&](const Tile& sum, std::int64_t col) {
                  for (std::int64_t row = 0; row < sum.rows; row += op_.rows_) {
                      scale_scores(now.scores, sum, row, col);
                  }
              });
}

void ChunkOutputs::Work::prepare_by_channel(std::int64_t item) {
    const Item& now = places(item);
    const Chunk& at = chunk(item);
    const std::int64_t key_head = op_.key_head(head(item));
    channels_->load(of_tokens(op_.q_, at, key_head, depth()),
                    of_tokens(op_.k_, at, key_head, depth()),
                    of_tokens(op_.gates_, at, head(item), depth()));
    const auto finish = [&](std::int64_t row, const Tile& product) {
        const Tile result = shaped(results_.next(), product.rows, size());
        s_(isa::Vcast{result, product});
        by_slices<isa::Vand>(
            s_, result, result, mask_.block(0, mask_column(mask_, row, 0), result.rows, size()));
        channels_->to_cube(now.scores.block(row, 0, result.rows, size()), result);
    };
    // The vector unit makes the operands of the next rows while the cube has these.
    Tile before{};
    for (std::int64_t row = 0; row < at.tokens; row += ChannelProducts::kRows) {
        const std::int64_t rows = std::min(ChannelProducts::kRows, at.tokens - row);
        channels_->prepare(row);
        channels_->decayed(row, now.scaled_query.block(row, 0, rows, depth()));
        const Tile product = channels_->rows(multiply_);
        if (row > 0) {
            finish(row - ChannelProducts::kRows, before);
        }
        before = product;
    }
    finish((at.tokens - 1) / ChannelProducts::kRows * ChannelProducts::kRows, before);
}

void ChunkOutputs::Work::complete(std::int64_t item) {
    const Item& now = places(item);
    const std::int64_t n = chunk(item).tokens;
    const Tile output = of_tokens(op_.o_, chunk(item), head(item), width());
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(depth())));
    multiply_({{{now.scaled_query.block(0, 0, n, depth())}, {now.state}},
               {{now.scores.block(0, 0, n, n)}, {now.value.block(0, 0, n, width())}}},
              [&](const Tile& sum, std::int64_t col) {
                  s_(isa::Fixpipe{
                      output.block(0, col, n, sum.cols), sum, op_.spills(op_.o_.bytes()), scale});
              });
}

isa::Program ChunkOutputs::program(isa::CoreId core) const {
    Work work(*this, core);
    const Range mine =
        limited(ai_core_worker(hardware(), core).of(std::ssize(chunks()) * shape().value_heads));
    const auto is_mine = [&](std::int64_t item) { return item >= mine.begin && item < mine.end; };
    for (std::int64_t item = mine.begin; item < mine.end + 2 * work.lag(); ++item) {
        if (is_mine(item)) {
            work.load(item);
        }
        if (is_mine(item - work.lag())) {
            work.prepare(item - work.lag());
        }
        if (is_mine(item - 2 * work.lag())) {
            work.complete(item - 2 * work.lag());
        }
        co_yield work.stream().take();
    }
    co_yield work.stream().finish();
}

} // namespace npusim::kernels
