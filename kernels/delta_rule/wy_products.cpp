// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/wy_products.h"

#include "kernels/common/hand_over.h"
#include "kernels/delta_rule/stage.h"

#include <algorithm>
#include <optional>

namespace npusim::kernels {

using isa::Tile;

WyProducts::WyProducts(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : DeltaOperator(hardware, shape),
      t_(add_by_chunk("T", Tensor::Role::Input, shape.chunk, shape.chunk)),
      k_(add_by_token("k", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      v_(add_by_token("v", Tensor::Role::Input, shape.value_heads, shape.value_size)),
      beta_(add_factors("beta", Tensor::Role::Input)), gates_(add_gates("G", Tensor::Role::Input)),
      u_(add_by_token("u", Tensor::Role::Output, shape.value_heads, shape.value_size)),
      w_(add_by_token("w", Tensor::Role::Output, shape.value_heads, shape.key_size)),
      rows_(rows_within(working_bytes(hardware), shape.chunk, shape.chunk)),
      scratch_(add("scratch",
                   Tensor::Role::Scratch,
                   shape.dtype,
                   HandOver::scratch_rows(hardware, rows_),
                   std::max(shape.chunk, shape.key_size))) {}

/// Both units of an AI core at work on items, each a value head of a chunk.
class WyProducts::Work {
  public:
    Work(const WyProducts& op, isa::CoreId core)
        : op_(op), s_(op.hardware(), core), hand_over_(s_, op.hardware(), core, op.scratch_),
          multiply_(s_, op.hardware()), strengths_(s_, op.beta_, size()) {
        if (op.shape().per_channel) {
            decayed_keys_.emplace(s_, dtype(), op.shape().key_size);
        } else {
            gates_.emplace(s_, op.gates_, size());
        }
    }
    void item(std::int64_t item);
    Stream& stream() { return s_; }

  private:
    [[nodiscard]] DType dtype() const { return op_.shape().dtype; }
    [[nodiscard]] std::int64_t size() const { return op_.shape().chunk; }
    /// The columns of T by beta, and by beta exp(G) unless k has decayed by channel.
    void scale(const Tile& t, const Tile& strength, const Tile& for_value, const Tile& for_key);
    void scale_rows(const Tile& work, const Tile& factors, const Tile& to);
    void product(const Tile& left, const Tile& right, const Tile& result);

    const WyProducts& op_;
    Stream s_;
    HandOver hand_over_;
    Products multiply_;
    HeadRows strengths_;
    std::optional<HeadRows> gates_;
    std::optional<DecayedRows> decayed_keys_; ///< by channel
    Ring keys_ = s_.ring(Memory::L1, dtype(), size(), op_.shape().key_size, 2);
    Ring values_ = s_.ring(Memory::L1, dtype(), size(), op_.shape().value_size, 2);
    Ring for_values_ = s_.ring(Memory::L1, dtype(), size(), size(), 2);
    Ring for_keys_ = s_.ring(Memory::L1, dtype(), size(), size(), 2);
    Tile decay_ = s_.tile(Memory::Ub, DType::Fp32, 1, size());
    Ring inputs_ = s_.ring(Memory::Ub, dtype(), op_.rows_, size(), 2);
    Tile work_ = s_.tile(Memory::Ub, DType::Fp32, op_.rows_, size());
    Ring results_ = s_.ring(Memory::Ub, dtype(), op_.rows_, size(), 2);
};

void WyProducts::Work::scale_rows(const Tile& work, const Tile& factors, const Tile& to) {
    by_slices<isa::Vmul>(s_, work, work, repeated(factors, work.rows));
    const Tile result = shaped(results_.next(), work.rows, size());
    s_(isa::Vcast{result, work});
    hand_over_.to_cube(to, result);
}

void WyProducts::Work::scale(const Tile& t,
                             const Tile& strength,
                             const Tile& for_value,
                             const Tile& for_key) {
    for (std::int64_t row = 0; row < t.rows; row += op_.rows_) {
        const std::int64_t rows = std::min(op_.rows_, t.rows - row);
        const Tile input = shaped(inputs_.next(), rows, size());
        const Tile work = shaped(work_, rows, size());
        s_(isa::Copy{input, t.block(row, 0, rows, size()), op_.spills(op_.t_.bytes())});
        s_(isa::Vcast{work, input});
        scale_rows(work, strength, for_value.block(row, 0, rows, size()));
        if (gates_) {
            scale_rows(work, decay_, for_key.block(row, 0, rows, size()));
        }
    }
}

void WyProducts::Work::product(const Tile& left, const Tile& right, const Tile& result) {
    // Only the tokens there are: beyond them stands what was there before.
    const std::int64_t n = result.rows;
    multiply_({{{left.block(0, 0, n, n)}, {right}}}, [&](const Tile& sum, std::int64_t col) {
        s_(isa::Fixpipe{result.block(0, col, n, sum.cols), sum, op_.spills(op_.u_.bytes())});
    });
}

void WyProducts::Work::item(std::int64_t item) {
    const std::int64_t lane = item % s_.lanes();
    s_.lane(lane);
    const std::int64_t index = item / op_.shape().value_heads;
    const std::int64_t head = item % op_.shape().value_heads;
    const Chunk& chunk = op_.chunks()[static_cast<std::size_t>(index)];
    const std::int64_t n = chunk.tokens;
    const Tile key = keys_.next().block(0, 0, n, op_.shape().key_size);
    const Tile value = values_.next().block(0, 0, n, op_.shape().value_size);
    const Tile key_in_gm = of_tokens(op_.k_, chunk, op_.key_head(head), key.cols);
    s_(isa::Copy{value, of_tokens(op_.v_, chunk, head, value.cols), op_.spills(op_.v_.bytes())});
    if (gates_) {
        s_(isa::Copy{key, key_in_gm, op_.spills(op_.k_.bytes())});
        s_(isa::Vexp{{decay_, gates_->row(chunk, head, lane)}});
    } else {
        (*decayed_keys_)(hand_over_, key, key_in_gm, of_tokens(op_.gates_, chunk, head, key.cols));
    }
    const Tile& for_value = for_values_.next();
    const Tile& for_key = gates_ ? for_keys_.next() : for_value;
    const Tile t = op_.of_chunk(op_.t_, index, head, size());
    scale(t.block(0, 0, n, size()), strengths_.row(chunk, head, lane), for_value, for_key);
    product(for_value, value, of_tokens(op_.u_, chunk, head, value.cols));
    product(for_key, key, of_tokens(op_.w_, chunk, head, key.cols));
}

isa::Program WyProducts::program(isa::CoreId core) const {
    Work work(*this, core);
    const Range mine =
        limited(ai_core_worker(hardware(), core).of(std::ssize(chunks()) * shape().value_heads));
    for (std::int64_t item = mine.begin; item < mine.end; ++item) {
        work.item(item);
        co_yield work.stream().take();
    }
    co_yield work.stream().finish();
}

} // namespace npusim::kernels
