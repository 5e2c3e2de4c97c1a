// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/router.h"

#include "kernels/common/stream.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/moe/convert.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kColumns = 16; ///< experts come in multiples of it
constexpr std::int64_t kMostExperts = 512;
constexpr std::int64_t kMostChosen = 16;
/// Off the logit of an expert that has been chosen. So large that a logit is lost in it: what is
/// left is -2^100 exactly, and 2^100 times 2^-100 is 1.
constexpr float kTaken = 0x1p100F;

RouterShape checked(const RouterShape& shape) {
    if (shape.tokens <= 0 || shape.experts <= 0 || shape.experts % kColumns != 0 ||
        shape.experts > kMostExperts || shape.top_k <= 0 ||
        shape.top_k > std::min(shape.experts, kMostChosen)) {
        throw ConfigError(fmt::format("router: {} of {} experts for {} tokens (allowed: from one "
                                      "token; multiples of {} up to {} experts; 1..{} of them)",
                                      shape.top_k,
                                      shape.experts,
                                      shape.tokens,
                                      kColumns,
                                      kMostExperts,
                                      kMostChosen));
    }
    return shape;
}

} // namespace

/// Tiles for a block of tokens, and what is done with them.
class Router::Block {
  public:
    Block(Stream& s, const config::HardwareConfig& hardware, const Router& op, std::int64_t tokens)
        : s_(s), op_(op), width_(slice_floats(hardware)),
          from_end_(s.tile(Memory::Ub, DType::Fp32, 1, op.shape_.experts)), rows_([&] {
              const std::int64_t room = s.room(Memory::Ub) - kSpare;
              return std::clamp<std::int64_t>(room / row_bytes(op.shape_, width_), 1, tokens);
          }()),
          stored_(s.ring(Memory::Ub, op.shape_.dtype, rows_, op.shape_.experts, 2)),
          results_(s.ring(Memory::Ub, DType::Fp32, rows_, op.shape_.experts, 2)),
          logits_(s.tile(Memory::Ub, DType::Fp32, rows_, op.shape_.experts)),
          left_(s.tile(Memory::Ub, DType::Fp32, rows_, op.shape_.experts)),
          folded_(s.tile(Memory::Ub, DType::Fp32, rows_, std::min(width_, op.shape_.experts))),
          row_(s.tile(Memory::Ub, DType::Fp32, 1, rows_)),
          found_(s.tile(Memory::Ub, DType::Fp32, rows_, kBlockFloats)),
          largest_(s.tile(Memory::Ub, DType::Fp32, rows_, kBlockFloats)) {
        s_(isa::Copy{from_end_, op.from_end_});
    }

    [[nodiscard]] std::int64_t rows() const { return rows_; }

    /// The weights of the tokens of `logits`, to be stored in `weights`.
    void operator()(const Tile& weights, const Tile& logits) {
        const std::int64_t rows = logits.rows;
        const Tile stored = all(stored_.next(), rows);
        const Tile given = all(logits_, rows);
        const Tile left = all(left_, rows);
        const Tile result = all(results_.next(), rows);
        const Tile found = shaped(found_, rows, kBlockFloats);
        const Tile largest = shaped(largest_, rows, kBlockFloats);
        s_(isa::Copy{stored, logits});
        s_(converted(given, stored));
        s_(converted(left, stored));
        for (std::int64_t choice = 0; choice < op_.shape_.top_k; ++choice) {
            const Tile& at = choice == 0 ? largest : found;
            fold<isa::Vmax, isa::Vcmax>(left, at);
            take(left, result, at, found);
        }
        // 1 where a logit has gone, 0 elsewhere.
        s_(isa::Vsub{{left, given, left}});
        s_(isa::Vmuls{{left, left}, 1 / kTaken});
        by_slices<isa::Vsub>(s_, result, given, largest);
        s_(isa::Vexp{{result, result}});
        s_(isa::Vmul{{result, result, left}});
        fold<isa::Vadd, isa::Vcadd>(result, found);
        by_slices<isa::Vdiv>(s_, result, result, found);
        s_(isa::Copy{weights, result});
    }

  private:
    /// What is not a multiple of a token: alignment.
    static constexpr std::int64_t kSpare = 512;

    static std::int64_t row_bytes(const RouterShape& shape, std::int64_t width) {
        constexpr std::int64_t kWides = 4; // two results, logits, what is left of them
        return 2 * bytes_of(shape.dtype, shape.experts) +
               bytes_of(DType::Fp32, kWides * shape.experts + width + 1 + 2 * kBlockFloats);
    }
    [[nodiscard]] Tile all(const Tile& room, std::int64_t rows) const {
        return shaped(room, rows, op_.shape_.experts);
    }
    template <class Body> void columns(Body body) const {
        for (std::int64_t col = 0; col < op_.shape_.experts; col += width_) {
            body(col, std::min(width_, op_.shape_.experts - col));
        }
    }
    /// to [R,8] = every row of `from` reduced
    template <class Pair, class Reduce> void fold(const Tile& from, const Tile& to) {
        const std::int64_t rows = from.rows;
        const Tile row = shaped(row_, 1, rows);
        if (from.cols <= width_) {
            s_(Reduce{row, from});
        } else {
            const Tile folded = shaped(folded_, rows, width_);
            const bool pair = from.cols >= 2 * width_;
            if (pair) {
                s_(Pair{
                    {folded, from.block(0, 0, rows, width_), from.block(0, width_, rows, width_)}});
            } else {
                s_(move(folded, from.block(0, 0, rows, width_)));
            }
            columns([&](std::int64_t col, std::int64_t n) {
                if (col >= (pair ? 2 : 1) * width_) {
                    const Tile part = folded.block(0, 0, rows, n);
                    s_(Pair{{part, part, from.block(0, col, rows, n)}});
                }
            });
            s_(Reduce{row, folded});
        }
        s_(isa::Vbrcb{to, row});
    }
    /// Takes the first expert of every row of `left` whose logit is `largest` out of it. `work` and
    /// `first` are overwritten; `first` may be `largest`.
    void take(const Tile& left, const Tile& work, const Tile& largest, const Tile& first) {
        by_slices<isa::Vge>(s_, work, left, largest);
        by_slices<isa::Vmul>(s_, work, work, repeated(from_end_, work.rows));
        fold<isa::Vmax, isa::Vcmax>(work, first);
        by_slices<isa::Vge>(s_, work, work, first);
        s_(isa::Vmuls{{work, work}, kTaken});
        s_(isa::Vsub{{left, left, work}});
    }

    Stream& s_;
    const Router& op_;
    std::int64_t width_; ///< fp32 columns of a strided op
    Tile from_end_;
    std::int64_t rows_;
    Ring stored_;
    Ring results_;
    Tile logits_;
    Tile left_;
    Tile folded_;
    Tile row_;
    Tile found_;
    Tile largest_;
};

Router::Router(const config::HardwareConfig& hardware, const RouterShape& shape)
    : Operator(hardware), shape_(checked(shape)),
      logits_(add("logits", Tensor::Role::Input, shape.dtype, shape.tokens, shape.experts)),
      weights_(add("weights", Tensor::Role::Output, DType::Fp32, shape.tokens, shape.experts)),
      from_end_(constant("from-end", DType::Fp32, 1, shape.experts, [&] {
          std::vector<float> numbers;
          for (std::int64_t number = shape.experts; number > 0; --number) {
              numbers.push_back(static_cast<float>(number));
          }
          return numbers;
      }())) {}

isa::Program Router::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    const Range mine = worker->of(shape_.tokens);
    if (mine.size() == 0) {
        co_return;
    }
    Stream s(hardware(), core);
    Block block(s, hardware(), *this, mine.size());
    // Equal blocks: a last one of few tokens would cost as many ops.
    const std::int64_t blocks = ceil_div(mine.size(), block.rows());
    for (std::int64_t i = 0; i < blocks; ++i) {
        const Range part = share(mine.size(), blocks, i);
        const std::int64_t token = mine.begin + part.begin;
        block(weights_.block(token, 0, part.size(), shape_.experts),
              logits_.block(token, 0, part.size(), shape_.experts));
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
