// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/key_products.h"

#include "kernels/common/hand_over.h"
#include "kernels/delta_rule/channel_products.h"
#include "kernels/delta_rule/stage.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

KeyProducts::KeyProducts(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : DeltaOperator(hardware, shape),
      k_(add_by_token("k", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      beta_(add_factors("beta", Tensor::Role::Input)), gates_(add_gates("G", Tensor::Role::Input)),
      a_(add_by_chunk("A", Tensor::Role::Output, shape.chunk, shape.chunk)),
      rows_(shape.per_channel ? ChannelProducts::kRows
                              : rows_within(working_bytes(hardware), shape.chunk, shape.chunk)),
      mask_(add_mask("mask", -1, rows_)),
      scratch_(add("scratch",
                   Tensor::Role::Scratch,
                   DType::Fp32,
                   ChannelProducts::scratch_rows(hardware, rows_),
                   ChannelProducts::scratch_cols(shape))) {}

/// Both units of an AI core at work on items, each a key head of a chunk.
class KeyProducts::Work {
  public:
    Work(const KeyProducts& op, isa::CoreId core)
        : op_(op), s_(op.hardware(), core), hand_over_(s_, op.hardware(), core, op.scratch_),
          multiply_(s_, op.hardware()), gates_(s_, op.gates_, size()),
          strengths_(s_, op.beta_, size()), decay_(s_, size()), mask_(on_every_lane(s_, op.mask_)) {
    }
    void item(std::int64_t item);
    Stream& stream() { return s_; }

  private:
    [[nodiscard]] DType dtype() const { return op_.shape().dtype; }
    [[nodiscard]] std::int64_t size() const { return op_.shape().chunk; }
    /// Part of A of a value head, from the same part of K K^T.
    void scale(std::int64_t head, const Tile& product, std::int64_t row, std::int64_t col);

    const KeyProducts& op_;
    Stream s_;
    HandOver hand_over_;
    Products multiply_;
    HeadRows gates_;
    HeadRows strengths_;
    DecayMatrix decay_;
    Tile mask_;
    Ring keys_ = s_.ring(Memory::L1, dtype(), size(), op_.shape().key_size, 2);
    Tile negated_ = s_.tile(Memory::Ub, DType::Fp32, 1, size());
    Tile column_ = s_.tile(Memory::Ub, DType::Fp32, size(), kBlockFloats); ///< -beta
    Ring products_ = s_.ring(Memory::Ub, DType::Fp32, op_.rows_, size(), 2);
    Tile work_ = s_.tile(Memory::Ub, DType::Fp32, op_.rows_, size());
    Ring results_ = s_.ring(Memory::Ub, dtype(), op_.rows_, size(), 2);
    std::int64_t index_ = 0; ///< of the chunk
    std::int64_t lane_ = 0;
};

void KeyProducts::Work::scale(std::int64_t head,
                              const Tile& product,
                              std::int64_t row,
                              std::int64_t col) {
    const Chunk& chunk = op_.chunks()[static_cast<std::size_t>(index_)];
    const std::int64_t rows = product.rows;
    const std::int64_t cols = product.cols;
    const Tile work = shaped(work_, rows, cols);
    const Tile result = shaped(results_.next(), rows, cols);
    s_(isa::Vmuls{{negated_, strengths_.row(chunk, head, lane_)}, -1});
    s_(isa::Vbrcb{column_, negated_});
    decay_.set(gates_.row(chunk, head, lane_));
    decay_(work, row, col);
    s_(isa::Vmul{{work, work, product}});
    by_slices<isa::Vmul>(s_, work, work, column_.block(row, 0, rows, kBlockFloats));
    s_(isa::Vcast{result, work});
    by_slices<isa::Vand>(
        s_, result, result, mask_.block(0, mask_column(mask_, row, col), rows, cols));
    const std::int64_t kept = std::max<std::int64_t>(chunk.tokens - row, 0);
    if (kept < rows) {
        s_(isa::Vdup{result.block(kept, 0, rows - kept, cols)});
    }
    s_(isa::Copy{op_.of_chunk(op_.a_, index_, head, size()).block(row, col, rows, cols),
                 result,
                 op_.spills(op_.a_.bytes())});
}

void KeyProducts::Work::item(std::int64_t item) {
    lane_ = item % s_.lanes();
    s_.lane(lane_);
    index_ = item / op_.shape().key_heads;
    const std::int64_t key_head = item % op_.shape().key_heads;
    const std::int64_t heads = op_.shape().value_heads / op_.shape().key_heads;
    const Chunk& chunk = op_.chunks()[static_cast<std::size_t>(index_)];
    const Tile& key = keys_.next();
    s_(isa::Copy{key.block(0, 0, chunk.tokens, key.cols),
                 of_tokens(op_.k_, chunk, key_head, key.cols),
                 op_.spills(op_.k_.bytes())});
    // Rows and columns beyond a short chunk are of what was there before; none of it is kept.
    multiply_({{{key}, {key, true}}}, [&](const Tile& sum, std::int64_t col) {
        for (std::int64_t row = 0; row < size(); row += op_.rows_) {
            const std::int64_t rows = std::min(op_.rows_, size() - row);
            const Tile product = shaped(products_.next(), rows, sum.cols);
            hand_over_.to_vector(product, sum.block(row, 0, rows, sum.cols));
            for (std::int64_t head = key_head * heads; head < (key_head + 1) * heads; ++head) {
                scale(head, product, row, col);
            }
        }
    });
}

/// The same for decay by channel; an item is a value head of a chunk.
class KeyProducts::ChannelWork {
  public:
    ChannelWork(const KeyProducts& op, isa::CoreId core)
        : op_(op), s_(op.hardware(), core), multiply_(s_, op.hardware()),
          strengths_(s_, op.beta_, size()),
          products_(s_, op.hardware(), core, op.scratch_, op.shape()),
          mask_(on_every_lane(s_, op.mask_)) {}
    void item(std::int64_t item);
    Stream& stream() { return s_; }

  private:
    [[nodiscard]] DType dtype() const { return op_.shape().dtype; }
    [[nodiscard]] std::int64_t size() const { return op_.shape().chunk; }
    /// Rows of A from those of the products; zeros where there are none.
    void finish(const Tile& to, std::int64_t row, std::int64_t tokens, const Tile& product);

    const KeyProducts& op_;
    Stream s_;
    Products multiply_;
    HeadRows strengths_;
    ChannelProducts products_;
    Tile mask_;
    Tile negated_ = s_.tile(Memory::Ub, DType::Fp32, 1, size());
    Tile column_ = s_.tile(Memory::Ub, DType::Fp32, size(), kBlockFloats); ///< -beta
    Ring results_ = s_.ring(Memory::Ub, dtype(), ChannelProducts::kRows, size(), 2);
};

void KeyProducts::ChannelWork::finish(const Tile& to,
                                      std::int64_t row,
                                      std::int64_t tokens,
                                      const Tile& product) {
    const Tile& result = results_.next();
    const std::int64_t kept = std::clamp<std::int64_t>(tokens - row, 0, result.rows);
    if (kept > 0) {
        by_slices<isa::Vmul>(
            s_, product, product, column_.block(row, 0, result.rows, kBlockFloats));
        s_(isa::Vcast{result, product});
        by_slices<isa::Vand>(
            s_, result, result, mask_.block(0, mask_column(mask_, row, 0), result.rows, size()));
    }
    if (kept < result.rows) {
        s_(isa::Vdup{result.block(kept, 0, result.rows - kept, size())});
    }
    s_(isa::Copy{to.block(row, 0, result.rows, size()), result, op_.spills(op_.a_.bytes())});
}

void KeyProducts::ChannelWork::item(std::int64_t item) {
    const std::int64_t lane = item % s_.lanes();
    s_.lane(lane);
    const std::int64_t index = item / op_.shape().value_heads;
    const std::int64_t head = item % op_.shape().value_heads;
    const std::int64_t depth = op_.shape().key_size;
    const Chunk& chunk = op_.chunks()[static_cast<std::size_t>(index)];
    const Tile keys = of_tokens(op_.k_, chunk, op_.key_head(head), depth);
    const Tile to = op_.of_chunk(op_.a_, index, head, size());
    products_.load(keys, keys, of_tokens(op_.gates_, chunk, head, depth));
    s_(isa::Vmuls{{negated_, strengths_.row(chunk, head, lane)}, -1});
    s_(isa::Vbrcb{column_, negated_});
    // The vector unit makes the operands of the next rows while the cube has these.
    Tile before{};
    for (std::int64_t row = 0; row < size(); row += ChannelProducts::kRows) {
        Tile product{};
        if (row < chunk.tokens) {
            products_.prepare(row);
            product = products_.rows(multiply_);
        }
        if (row > 0) {
            finish(to, row - ChannelProducts::kRows, chunk.tokens, before);
        }
        before = product;
    }
    finish(to, size() - ChannelProducts::kRows, chunk.tokens, before);
}

namespace {

template <class Work> isa::Program work_on(Range mine, std::unique_ptr<Work> work) {
    for (std::int64_t item = mine.begin; item < mine.end; ++item) {
        work->item(item);
        co_yield work->stream().take();
    }
    co_yield work->stream().finish();
}

} // namespace

isa::Program KeyProducts::program(isa::CoreId core) const {
    const Range mine = limited(ai_core_worker(hardware(), core).of(items()));
    return shape().per_channel ? work_on(mine, std::make_unique<ChannelWork>(*this, core))
                               : work_on(mine, std::make_unique<Work>(*this, core));
}

} // namespace npusim::kernels
