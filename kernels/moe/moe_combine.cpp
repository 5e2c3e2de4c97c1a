// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/moe_combine.h"

#include "kernels/common/stream.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/moe/convert.h"
#include "kernels/moe/routing.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// The widest part of `cols` that an op with a factor per row takes, and that divides it.
std::int64_t part_of(std::int64_t cols, const config::HardwareConfig& hardware) {
    std::int64_t part = slice_floats(hardware);
    while (cols % part != 0) {
        part /= 2;
    }
    return part;
}

} // namespace

/// Tiles for one token, and what is done with them.
class MoeCombine::Sum {
  public:
    Sum(Stream& s, const MoeCombine& op)
        : s_(s), op_(op), part_(part_of(op.shape_.cols, op.hardware())),
          rows_(s.ring(Memory::Ub, op.shape_.dtype, 1, op.shape_.cols, kRows)),
          results_(s.ring(Memory::Ub, op.shape_.dtype, 1, op.shape_.cols, 2)),
          wide_(s.tile(Memory::Ub, DType::Fp32, 1, op.shape_.cols)),
          sum_(s.tile(Memory::Ub, DType::Fp32, 1, op.shape_.cols)),
          blocks_(s.ring(Memory::Ub, DType::Fp32, kBlockFloats, kBlockFloats, kRows)),
          kept_(op.weights_.bytes() <= s.room(Memory::Ub) / 2),
          weights_(s.ring(Memory::Ub,
                          DType::Fp32,
                          1,
                          kept_ ? op.weights_.rows : kBlockFloats,
                          kept_ ? 1 : kRows)) {
        if (kept_) {
            s_(isa::Copy{weights_.front(), weights(0, op.weights_.rows)});
        }
    }

    void operator()(std::int64_t token) {
        const std::int64_t cols = op_.shape_.cols;
        const bool cold = op_.spills(op_.rows_.bytes());
        if (op_.shape_.shared) {
            const Tile& row = rows_.next();
            s_(isa::Copy{
                row, op_.shared_.block(token, 0, 1, cols), op_.spills(op_.shared_.bytes())});
            s_(converted(sum_, row));
        }
        for (std::int64_t choice = 0; choice < op_.shape_.top_k; ++choice) {
            const std::int64_t number =
                op_.rows_of_[static_cast<std::size_t>(token * op_.shape_.top_k + choice)];
            const bool first = choice == 0 && !op_.shape_.shared;
            const Tile& row = rows_.next();
            const Tile factor = weight(number);
            s_(isa::Copy{row, op_.rows_.block(number, 0, 1, cols), cold});
            s_(converted(wide_, row));
            const Tile parts = shaped(wide_, cols / part_, part_);
            s_(isa::Vmul{{first ? shaped(sum_, parts.rows, part_) : parts, parts, factor}});
            if (!first) {
                s_(isa::Vadd{{sum_, sum_, wide_}});
            }
        }
        const Tile& result = results_.next();
        s_(converted(result, sum_));
        s_(isa::Copy{op_.y_.block(token, 0, 1, cols), result, op_.spills(op_.y_.bytes())});
    }

  private:
    /// Rows under way: more than two, since a transfer is mostly its start-up.
    static constexpr std::int64_t kRows = 4;

    /// Weights from number `first`, as a row.
    [[nodiscard]] Tile weights(std::int64_t first, std::int64_t count) const {
        return isa::dense(
            Memory::Gm, DType::Fp32, op_.weights_.address + bytes_of(DType::Fp32, first), 1, count);
    }
    /// The weight of a row as a block for each of its parts.
    Tile weight(std::int64_t number) {
        const std::int64_t first = number / kBlockFloats * kBlockFloats;
        const std::int64_t count = std::min(kBlockFloats, op_.weights_.rows - first);
        Tile near;
        if (kept_) {
            near = weights_.front().block(0, first, 1, count);
        } else {
            near = shaped(weights_.next(), 1, count);
            s_(isa::Copy{near, weights(first, count)});
        }
        const Tile blocks = shaped(blocks_.next(), count, kBlockFloats);
        s_(isa::Vbrcb{blocks, near});
        return repeated(blocks.block(number - first, 0, 1, kBlockFloats), op_.shape_.cols / part_);
    }

    Stream& s_;
    const MoeCombine& op_;
    std::int64_t part_;
    Ring rows_;
    Ring results_;
    Tile wide_;
    Tile sum_;
    Ring blocks_;
    bool kept_; ///< all weights stay in UB
    Ring weights_;
};

MoeCombine::MoeCombine(const config::HardwareConfig& hardware, const MoeCombineShape& shape)
    : Operator(hardware), shape_(shape),
      rows_(add("rows", Tensor::Role::Input, shape.dtype, shape.tokens * shape.top_k, shape.cols)),
      weights_(add("weights", Tensor::Role::Input, DType::Fp32, shape.tokens * shape.top_k, 1)),
      shared_(shape.shared
                  ? add("shared", Tensor::Role::Input, shape.dtype, shape.tokens, shape.cols)
                  : Tile{}),
      y_(add("y", Tensor::Role::Output, shape.dtype, shape.tokens, shape.cols)),
      rows_of_(rows_of_tokens("moe-combine", shape.source, shape.tokens, shape.top_k)) {
    check_cols("moe-combine", shape.cols);
}

isa::Program MoeCombine::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    const Range mine = limited(worker->of(shape_.tokens));
    if (mine.size() == 0) {
        co_return;
    }
    Stream s(hardware(), core);
    Sum sum(s, *this);
    for (std::int64_t token = mine.begin; token < mine.end; ++token) {
        sum(token);
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
