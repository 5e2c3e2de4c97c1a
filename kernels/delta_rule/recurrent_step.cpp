// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/recurrent_step.h"

#include "kernels/delta_rule/stage.h"

#include <cmath>
#include <optional>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// As a shape whose chunks are the sequences.
DeltaShape as_delta(const RecurrentShape& shape) {
    return {std::vector<std::int64_t>(static_cast<std::size_t>(shape.sequences), shape.tokens),
            shape.key_heads,
            shape.value_heads,
            shape.key_size,
            shape.value_size,
            ceil_div(shape.tokens, isa::kTransposeSide) * isa::kTransposeSide,
            shape.dtype,
            shape.per_channel};
}

} // namespace

RecurrentStep::RecurrentStep(const config::HardwareConfig& hardware, const RecurrentShape& shape)
    : DeltaOperator(hardware, as_delta(shape)),
      q_(add_by_token("q", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      k_(add_by_token("k", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      v_(add_by_token("v", Tensor::Role::Input, shape.value_heads, shape.value_size)),
      beta_(add_factors("beta", Tensor::Role::Input)), g_(add_gates("g", Tensor::Role::Input)),
      state_(add("state",
                 Tensor::Role::State,
                 DType::Fp32,
                 shape.sequences * shape.value_heads * shape.key_size,
                 shape.value_size)),
      o_(add_by_token("o", Tensor::Role::Output, shape.value_heads, shape.value_size)),
      columns_(choose_columns()) {}

std::int64_t RecurrentStep::choose_columns() const {
    const std::int64_t tokens = chunks().front().tokens;
    const std::int64_t depth = shape().key_size;
    const std::int64_t width = shape().value_size;
    const std::int64_t element = bytes_of(shape().dtype, 1);
    const std::int64_t gates = // of beta and g
        shape().per_channel ? HeadRows::bytes(shape().chunk) + 2 * tokens * depth * 4
                            : 2 * HeadRows::bytes(shape().chunk);
    const std::int64_t slice = slice_floats(hardware());
    const std::int64_t bytes = 2 * depth * width * 4 + depth * slice * 4 + // S, products
                               3 * depth * kBlockFloats * 4 +              // columns of q, k, g
                               gates + 2 * shape().chunk * kBlockFloats * 4 +
                               2 * tokens * (depth + width) * (4 + 2 * element) + 2 * width * 4;
    const bool whole = bytes <= hardware().buffer(Memory::Ub).size_bytes || width % slice != 0;
    return whole ? width : slice;
}

/// A vector core at work on items, each a head of a sequence, or columns of one.
class RecurrentStep::Work {
  public:
    Work(const RecurrentStep& op, isa::CoreId core) : op_(op), s_(op.hardware(), core) {
        if (per_channel()) {
            channels_ = s_.ring(Memory::Ub, DType::Fp32, tokens(), depth(), 2);
        } else {
            decays_.emplace(s_, op_.g_, op_.shape().chunk);
        }
    }
    [[nodiscard]] std::int64_t items() const { return op_.state_.rows / depth() * parts(); }
    /// Works on `item` while `next` is loaded; either may be kNone.
    void run(std::int64_t item, std::int64_t next);
    Stream& stream() { return s_; }

    static constexpr std::int64_t kNone = -1;

  private:
    [[nodiscard]] DType dtype() const { return op_.shape().dtype; }
    [[nodiscard]] bool per_channel() const { return op_.shape().per_channel; }
    [[nodiscard]] std::int64_t depth() const { return op_.shape().key_size; }
    [[nodiscard]] std::int64_t width() const { return op_.columns_; }
    [[nodiscard]] std::int64_t slice() const { return slice_floats(op_.hardware()); }
    [[nodiscard]] std::int64_t tokens() const { return op_.chunks().front().tokens; }
    [[nodiscard]] std::int64_t parts() const { return op_.shape().value_size / width(); }
    [[nodiscard]] std::int64_t head(std::int64_t item) const {
        return item / parts() % op_.shape().value_heads;
    }
    [[nodiscard]] const Chunk& sequence(std::int64_t item) const {
        return op_.chunks()[static_cast<std::size_t>(item / parts() / op_.shape().value_heads)];
    }
    [[nodiscard]] Tile of_state(std::int64_t item) const {
        return op_.state_.block(
            item / parts() * depth(), item % parts() * width(), depth(), width());
    }
    /// The item's part of v or o.
    [[nodiscard]] Tile of_values(const Tile& tensor, std::int64_t item) const {
        return tensor.block(sequence(item).first,
                            head(item) * op_.shape().value_size + item % parts() * width(),
                            tokens(),
                            width());
    }
    [[nodiscard]] Tile by_token(std::int64_t cols) {
        return s_.tile(Memory::Ub, DType::Fp32, tokens(), cols);
    }
    [[nodiscard]] Tile factors() {
        return s_.tile(Memory::Ub, DType::Fp32, op_.shape().chunk, kBlockFloats);
    }
    void load(std::int64_t item);
    void decay(std::int64_t t, const Tile& state);
    void token(std::int64_t t, const Tile& state);
    void times(const Tile& state, const Tile& column, const Tile& to);

    /// What is loaded for an item.
    struct Places {
        Tile state{};
        Tile q{};
        Tile k{};
        Tile v{};
        Tile g{}; ///< by channel
    };

    const RecurrentStep& op_;
    Stream s_;
    HeadRows strengths_{s_, op_.beta_, op_.shape().chunk};
    std::optional<HeadRows> decays_;
    std::optional<Ring> channels_; ///< g of a head's channels
    Ring states_ = s_.ring(Memory::Ub, DType::Fp32, depth(), width(), 2);
    Ring queries_ = s_.ring(Memory::Ub, dtype(), tokens(), depth(), 2);
    Ring keys_ = s_.ring(Memory::Ub, dtype(), tokens(), depth(), 2);
    Ring values_ = s_.ring(Memory::Ub, dtype(), tokens(), width(), 2);
    Ring results_ = s_.ring(Memory::Ub, dtype(), tokens(), width(), 2);
    Tile q_ = by_token(depth());
    Tile k_ = by_token(depth());
    Tile v_ = by_token(width());
    Tile o_ = by_token(width());
    Tile q_column_ = s_.tile(Memory::Ub, DType::Fp32, depth(), kBlockFloats);
    Tile g_column_ = s_.tile(Memory::Ub, DType::Fp32, depth(), kBlockFloats);
    Tile k_column_ = s_.tile(Memory::Ub, DType::Fp32, depth(), kBlockFloats);
    Tile strength_ = factors(); ///< a row of blocks a token
    Tile decay_ = factors();
    Tile products_ = s_.tile(Memory::Ub, DType::Fp32, depth(), std::min(slice(), width()));
    Tile change_ = s_.tile(Memory::Ub, DType::Fp32, 1, width()); ///< of what S recalls for k
    Tile row_ = s_.tile(Memory::Ub, DType::Fp32, 1, op_.shape().chunk);
    Places now_;
    Places next_;
};

void RecurrentStep::Work::load(std::int64_t item) {
    const std::int64_t key_head = op_.key_head(head(item));
    next_ = {states_.next(), queries_.next(), keys_.next(), values_.next()};
    if (per_channel()) {
        next_.g = channels_->next();
        s_(isa::Copy{next_.g, of_tokens(op_.g_, sequence(item), head(item), depth())});
    }
    s_(isa::Copy{next_.q, of_tokens(op_.q_, sequence(item), key_head, depth())});
    s_(isa::Copy{next_.k, of_tokens(op_.k_, sequence(item), key_head, depth())});
    s_(isa::Copy{next_.v, of_values(op_.v_, item)});
    s_(isa::Copy{next_.state, of_state(item), true}); // not seen since the last step
}

/// to [1,C] = the transpose of state [R,C] times a vector, given as a column of blocks.
void RecurrentStep::Work::times(const Tile& state, const Tile& column, const Tile& to) {
    for (std::int64_t col = 0; col < state.cols; col += slice()) {
        const std::int64_t cols = std::min(slice(), state.cols - col);
        const Tile product = shaped(products_, state.rows, cols);
        s_(isa::Vmul{{product, state.block(0, col, state.rows, cols), column}});
        for (std::int64_t rows = state.rows; rows > 1; rows = ceil_div(rows, 2)) {
            const std::int64_t half = ceil_div(rows, 2);
            const Tile sum = rows > 2 ? product : to.block(0, col, 1, cols);
            s_(isa::Vadd{{sum.block(0, 0, rows - half, cols),
                          product.block(0, 0, rows - half, cols),
                          product.block(half, 0, rows - half, cols)}});
        }
    }
}

void RecurrentStep::Work::decay(std::int64_t t, const Tile& state) {
    Tile factors = repeated(decay_.block(t, 0, 1, kBlockFloats), depth());
    if (per_channel()) {
        s_(isa::Vbrcb{g_column_, now_.g.block(t, 0, 1, depth())});
        factors = g_column_;
    }
    by_slices<isa::Vmul>(s_, state, state, factors);
}

void RecurrentStep::Work::token(std::int64_t t, const Tile& state) {
    const Tile strength = strength_.block(t, 0, 1, kBlockFloats);
    s_(isa::Vbrcb{k_column_, k_.block(t, 0, 1, depth())});
    s_(isa::Vbrcb{q_column_, q_.block(t, 0, 1, depth())});
    decay(t, state);
    times(state, k_column_, change_);
    s_(isa::Vsub{{change_, v_.block(t, 0, 1, width()), change_}});
    by_slices<isa::Vmul>(s_, change_, change_, strength);
    for (std::int64_t col = 0; col < width(); col += slice()) {
        const std::int64_t cols = std::min(slice(), width() - col);
        const Tile product = shaped(products_, depth(), cols);
        const Tile part = state.block(0, col, depth(), cols);
        s_(isa::Vmul{{product, repeated(change_.block(0, col, 1, cols), depth()), k_column_}});
        s_(isa::Vadd{{part, part, product}});
    }
    times(state, q_column_, o_.block(t, 0, 1, width()));
}

void RecurrentStep::Work::run(std::int64_t item, std::int64_t next) {
    now_ = next_;
    if (next != kNone) {
        load(next);
    }
    if (item == kNone) {
        return;
    }
    s_(isa::Vcast{q_, now_.q});
    s_(isa::Vcast{k_, now_.k});
    s_(isa::Vcast{v_, now_.v});
    s_(isa::Vmuls{{q_, q_}, static_cast<float>(1 / std::sqrt(static_cast<double>(depth())))});
    s_(isa::Vbrcb{strength_, strengths_.row(sequence(item), head(item), 0)});
    if (per_channel()) {
        s_(isa::Vexp{{now_.g, now_.g}});
    } else {
        s_(isa::Vexp{{row_, decays_->row(sequence(item), head(item), 0)}});
        s_(isa::Vbrcb{decay_, row_});
    }
    for (std::int64_t t = 0; t < tokens(); ++t) {
        token(t, now_.state);
    }
    const Tile& result = results_.next();
    s_(isa::Vcast{result, o_});
    s_(isa::Copy{of_values(op_.o_, item), result});
    s_(isa::Copy{of_state(item), now_.state, true});
}

isa::Program RecurrentStep::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Work work(*this, core);
    const Range mine = worker->of(work.items());
    for (std::int64_t next = mine.begin; next <= mine.end && mine.size() > 0; ++next) {
        work.run(next > mine.begin ? next - 1 : Work::kNone, next < mine.end ? next : Work::kNone);
        co_yield work.stream().take();
    }
    co_yield work.stream().finish();
}

} // namespace npusim::kernels
