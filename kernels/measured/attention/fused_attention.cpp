// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/attention/fused_attention.h"

#include "kernels/common/vector_tiles.h"
#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <vector>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kSide = 128; ///< CUBE_S0, CUBE_S1 and HEAD_SIZE

constexpr std::int64_t kWidestStep = 512; ///< maxima of a row in one block

// Cross-core flags, as the kernel numbers them.
constexpr std::int32_t kScoresReady = 0;
constexpr std::int32_t kScoresTaken = 1;
constexpr std::int32_t kWeightsReady = 2;
constexpr std::int32_t kWeightsTaken = 3;
constexpr std::int32_t kProductsReady = 4;
constexpr std::int32_t kProductsTaken = 5;
constexpr std::int32_t kBlockDone = 7;

std::array<Tile, 2>
pair_of(Script& s, Memory memory, DType dtype, std::int64_t rows, std::int64_t cols) {
    return {s.tile(memory, dtype, rows, cols), s.tile(memory, dtype, rows, cols)};
}

} // namespace

FusedAttention::FusedAttention(const config::HardwareConfig& hardware,
                               const FusedAttentionPlan& plan)
    : SteadyKernel(hardware), plan_(plan),
      q_(add("q", Tensor::Role::Input, DType::Fp16, plan.queries, kSide)),
      k_(add("k", Tensor::Role::Input, DType::Fp16, plan.keys, kSide)),
      v_(add("v", Tensor::Role::Input, DType::Fp16, plan.keys, kSide)),
      o_(add("o", Tensor::Role::Output, DType::Fp32, plan.queries, kSide)),
      scores_(add("scores",
                  Tensor::Role::Scratch,
                  DType::Fp32,
                  plan.cores * plan.slots * plan.tile,
                  kSide)),
      weights_(add("weights",
                   Tensor::Role::Scratch,
                   DType::Fp16,
                   plan.cores * plan.slots * plan.tile,
                   kSide)),
      products_(add(
          "products", Tensor::Role::Scratch, DType::Fp32, plan.cores * plan.slots * kSide, kSide)) {
    if (plan.tile > kWidestStep || plan.queries % kSide != 0 || plan.tile % kSide != 0 ||
        plan.keys % plan.tile != 0 || plan.keys == 0 || plan.queries == 0) {
        throw ConfigError(fmt::format("fused-attention: {} queries, {} keys in steps of {} "
                                      "(allowed: multiples of {}, whole steps of at most {})",
                                      plan.queries,
                                      plan.keys,
                                      plan.tile,
                                      kSide,
                                      kWidestStep));
    }
}

double FusedAttention::flops() const {
    return 4.0 * static_cast<double>(plan_.queries) * static_cast<double>(plan_.keys) * kSide;
}

std::int64_t FusedAttention::blocks() const {
    return plan_.queries / kSide;
}

std::int64_t FusedAttention::blocks_of(std::int64_t core) const {
    return (blocks() - core + plan_.cores - 1) / plan_.cores;
}

std::int64_t FusedAttention::parts() const {
    return plan_.tile / kSide;
}

Tile FusedAttention::slot(const Tile& queue,
                          isa::CoreId core,
                          std::int64_t step,
                          std::int64_t rows) const {
    const std::int64_t index = core.ai_core * plan_.slots + step % plan_.slots;
    return queue.block(index * rows, 0, rows, kSide);
}

isa::Program FusedAttention::program(isa::CoreId core) const {
    if (core.ai_core >= std::min(plan_.cores, blocks())) {
        return {};
    }
    return core.unit == 0 ? cube(core) : vectors(core);
}

/// compute_qk and compute_pv.
struct FusedAttention::CubeCore {
    CubeCore(const FusedAttention& kernel, isa::CoreId id)
        : s(kernel.hardware(), id), op(kernel), core(id),
          q(s.tile(Memory::L1, DType::Fp16, kSide, kSide)),
          k(pair_of(s, Memory::L1, DType::Fp16, kSide, kSide)),
          p(pair_of(s, Memory::L1, DType::Fp16, kSide, kSide)),
          v(pair_of(s, Memory::L1, DType::Fp16, kSide, kSide)),
          left(pair_of(s, Memory::L0a, DType::Fp16, kSide, kSide)),
          right(pair_of(s, Memory::L0b, DType::Fp16, kSide, kSide)),
          sum(pair_of(s, Memory::L0c, DType::Fp32, kSide, kSide)) {
        for (std::int32_t id_of_pair : {0, 1}) {
            s.set(Pipe::Cube, Pipe::Mte1, id_of_pair);
            s.set(Pipe::Mte1, Pipe::Mte2, id_of_pair);
            s.set(Pipe::Mte1, Pipe::Mte2, 2 + id_of_pair);
            s.set(Pipe::FixPipe, Pipe::Cube, id_of_pair);
        }
    }
    /// Leaves every flag as it was found.
    void finish() {
        for (std::int32_t id_of_pair : {0, 1}) {
            s.wait(Pipe::Cube, Pipe::Mte1, id_of_pair);
            s.wait(Pipe::Mte1, Pipe::Mte2, id_of_pair);
            s.wait(Pipe::Mte1, Pipe::Mte2, 2 + id_of_pair);
            s.wait(Pipe::FixPipe, Pipe::Cube, id_of_pair);
        }
    }
    /// A product of two tiles in L1 through the next pair of tiles in L0.
    void multiply(const Tile& c, const Tile& a, const Tile& b, bool transposed, bool accumulate) {
        s.wait(Pipe::Cube, Pipe::Mte1, half);
        s(isa::Copy{left.at(static_cast<std::size_t>(half)), a});
        s(isa::Copy{right.at(static_cast<std::size_t>(half)), b, false, transposed});
        s.order(Pipe::Mte1, Pipe::Cube, half);
        s(isa::Mmad{c,
                    left.at(static_cast<std::size_t>(half)),
                    right.at(static_cast<std::size_t>(half)),
                    accumulate});
        s.set(Pipe::Cube, Pipe::Mte1, half);
        half = 1 - half;
    }
    void scores(std::int64_t block, std::int64_t step, std::int64_t part) {
        if (part == 0 && scores_sent++ >= op.plan_.slots) {
            s.from_vectors(kScoresTaken);
        }
        const auto way = static_cast<std::size_t>(k_turn++ % 2);
        const auto id = static_cast<std::int32_t>(way);
        s.wait(Pipe::Mte1, Pipe::Mte2, id);
        if (step == 0 && part == 0) {
            s(isa::Copy{q, op.q_.block(block * kSide, 0, kSide, kSide), true});
        }
        const std::int64_t key = step * op.plan_.tile + part * kSide;
        s(isa::Copy{k[way], op.k_.block(key, 0, kSide, kSide), true});
        s.order(Pipe::Mte2, Pipe::Mte1);
        s.wait(Pipe::FixPipe, Pipe::Cube, 0);
        multiply(sum[0], q, k[way], true, false);
        s.set(Pipe::Mte1, Pipe::Mte2, id);
        s.order(Pipe::Cube, Pipe::FixPipe);
        s(isa::Fixpipe{op.slot(op.scores_, core, scores_sent - 1, op.plan_.tile)
                           .block(part * kSide, 0, kSide, kSide),
                       sum[0]});
        s.set(Pipe::FixPipe, Pipe::Cube, 0);
        if (part == op.parts() - 1) {
            s.to_vectors(Pipe::FixPipe, kScoresReady);
        }
    }
    void products(std::int64_t step, std::int64_t part) {
        if (part == 0) {
            s.from_vectors(kWeightsReady);
        }
        const auto way = static_cast<std::size_t>(pv_turn++ % 2);
        const auto id = static_cast<std::int32_t>(2 + way);
        s.wait(Pipe::Mte1, Pipe::Mte2, id);
        const std::int64_t key = step * op.plan_.tile + part * kSide;
        s(isa::Copy{v[way], op.v_.block(key, 0, kSide, kSide), true});
        s(isa::Copy{p[way],
                    op.slot(op.weights_, core, products_sent, op.plan_.tile)
                        .block(part * kSide, 0, kSide, kSide)});
        const bool last = part == op.parts() - 1;
        if (last) {
            s.to_vectors(Pipe::Mte2, kWeightsTaken);
        }
        s.order(Pipe::Mte2, Pipe::Mte1);
        if (part == 0) {
            s.wait(Pipe::FixPipe, Pipe::Cube, 1);
        }
        multiply(sum[1], p[way], v[way], false, part > 0);
        s.set(Pipe::Mte1, Pipe::Mte2, id);
        if (last) {
            if (products_sent >= op.plan_.slots) {
                s.from_vectors(kProductsTaken);
            }
            s.order(Pipe::Cube, Pipe::FixPipe);
            s(isa::Fixpipe{op.slot(op.products_, core, products_sent, kSide), sum[1]});
            s.set(Pipe::FixPipe, Pipe::Cube, 1);
            s.to_vectors(Pipe::FixPipe, kProductsReady);
            ++products_sent;
        }
    }

    Script s;
    const FusedAttention& op;
    isa::CoreId core;
    Tile q;
    std::array<Tile, 2> k;
    std::array<Tile, 2> p;
    std::array<Tile, 2> v;
    std::array<Tile, 2> left;
    std::array<Tile, 2> right;
    std::array<Tile, 2> sum;
    std::int32_t half = 0;
    std::int64_t k_turn = 0;
    std::int64_t pv_turn = 0;
    std::int64_t scores_sent = 0;
    std::int64_t products_sent = 0;
};

isa::Program FusedAttention::cube(isa::CoreId core) const {
    CubeCore c(*this, core);
    std::int64_t left = limited(blocks_of(core.ai_core) * steps());
    for (std::int64_t block = core.ai_core; left > 0; block += plan_.cores) {
        const std::int64_t count = std::min(left, steps());
        left -= count;
        for (std::int64_t step = 0; step < std::min(plan_.ahead, count); ++step) {
            for (std::int64_t part = 0; part < parts(); ++part) {
                c.scores(block, step, part);
            }
            co_yield c.s.block();
        }
        for (std::int64_t step = 0; step < count; ++step) {
            for (std::int64_t part = 0; part < parts(); ++part) {
                if (step + plan_.ahead < count) {
                    c.scores(block, step + plan_.ahead, part);
                }
                c.products(step, part);
            }
            co_yield c.s.block();
        }
        c.s.from_vectors(kBlockDone); // the next block is launched when this one has ended
        co_yield c.s.block();
    }
    for (std::int64_t i = 0; i < std::min(c.scores_sent, plan_.slots); ++i) {
        c.s.from_vectors(kScoresTaken);
        c.s.from_vectors(kProductsTaken);
    }
    c.finish();
    co_yield c.s.block();
}

/// compute_p and compute_gu.
struct FusedAttention::VectorCore {
    VectorCore(const FusedAttention& kernel, isa::CoreId id)
        : s(kernel.hardware(), id), op(kernel), core(id),
          rows(kSide / kernel.hardware().vector_cores), slice_rows(rows / kernel.parts()),
          output(s.tile(Memory::Ub, DType::Fp32, rows, kSide)),
          input(pair_of(s, Memory::Ub, DType::Fp32, slice_rows, kernel.plan_.tile)),
          weights(pair_of(s, Memory::Ub, DType::Fp16, slice_rows, kernel.plan_.tile)),
          partial(s.tile(Memory::Ub, DType::Fp32, slice_rows, kernel.plan_.tile / kBlockFloats)),
          maxima(s.tile(Memory::Ub, DType::Fp32, slice_rows, kBlockFloats)),
          sums(s.tile(Memory::Ub, DType::Fp32, slice_rows, kBlockFloats)),
          blocks(s.tile(Memory::Ub, DType::Fp32, rows, kBlockFloats)),
          local_max(s.tile(Memory::Ub, DType::Fp32, 1, rows)),
          local_sum(s.tile(Memory::Ub, DType::Fp32, 1, rows)),
          peak(s.tile(Memory::Ub, DType::Fp32, 1, rows)),
          sum(s.tile(Memory::Ub, DType::Fp32, 1, rows)) {
        for (std::int64_t i = 0; i < kernel.plan_.slots; ++i) {
            factors.push_back(s.tile(Memory::Ub, DType::Fp32, 1, rows));
        }
        for (std::int32_t id_of_pair : {0, 1}) {
            s.set(Pipe::Vector, Pipe::Mte2, id_of_pair);
            s.set(Pipe::Mte3, Pipe::Vector, id_of_pair);
        }
        s(isa::Vdup{maxima, std::numeric_limits<float>::lowest()});
        s(isa::Vdup{sums, 0});
    }
    void finish() {
        for (std::int32_t id_of_pair : {0, 1}) {
            s.wait(Pipe::Vector, Pipe::Mte2, id_of_pair);
            s.wait(Pipe::Mte3, Pipe::Vector, id_of_pair);
        }
    }
    void barrier() { s.barrier(Pipe::Vector); }

    /// TROWMAX and TROWSUM of whole tiles (TRowReduceOps.hpp): blocks of 8 columns to one each,
    /// until one is left. Where fewer than 8 are left before that, the kernel folds them in halves;
    /// here they lie in blocks whose rest `padded` has from the start.
    template <class Blocks> void reduce(const Tile& to, const Tile& from, const Tile& padded) {
        const auto in_blocks = [](const Tile& tile) {
            return isa::dense(tile.memory,
                              tile.dtype,
                              tile.address,
                              tile.rows * tile.cols / kBlockFloats,
                              kBlockFloats);
        };
        const std::int64_t left = from.cols / kBlockFloats;
        const Tile first = shaped(partial, from.rows, left);
        s(Blocks{{first, in_blocks(from)}});
        barrier();
        s(Blocks{{padded.block(0, 0, from.rows, left / kBlockFloats), in_blocks(first)}});
        barrier();
        s(Blocks{{to, padded}});
        barrier();
    }
    /// TROWEXPAND of `row`, then the op in place, one row at a time.
    template <class Op> void expand(const Tile& tile, const Tile& row) {
        const Tile column = blocks.block(0, 0, tile.rows, kBlockFloats);
        s(isa::Vbrcb{column, row});
        barrier();
        by_slices<Op>(s, slice_floats(s.hardware()), tile, tile, column);
    }

    void softmax(std::int64_t step, std::int64_t slice) {
        const Tile x = input.at(static_cast<std::size_t>(turn));
        const auto of_slice = [&](const Tile& row) {
            return row.block(0, slice * slice_rows, 1, slice_rows);
        };
        const Tile peak_now = of_slice(peak);
        const Tile sum_now = of_slice(sum);
        const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(kSide)));
        const Tile high = step == 0 ? peak_now : of_slice(local_max);
        const Tile total = step == 0 ? sum_now : of_slice(local_sum);
        const Tile factor =
            of_slice(factors[static_cast<std::size_t>(steps_seen % op.plan_.slots)]);
        reduce<isa::Vcgmax>(high, x, maxima);
        if (step > 0) {
            s(isa::Vmax{{high, high, peak_now}});
            barrier();
            s(isa::Vsub{{factor, peak_now, high}});
            barrier();
            s(isa::Vmuls{{peak_now, high}, 1});
            barrier();
        }
        expand<isa::Vsub>(x, high);
        if (step > 0) {
            s(isa::Vmuls{{factor, factor}, scale});
        }
        s(isa::Vmuls{{x, x}, scale});
        if (step > 0) {
            s(isa::Vexp{{factor, factor}});
        }
        s(isa::Vexp{{x, x}});
        s(isa::Vcast{weights.at(static_cast<std::size_t>(turn)), x});
        barrier();
        if (step > 0) {
            s(isa::Vmul{{sum_now, factor, sum_now}});
        }
        reduce<isa::Vcgadd>(total, x, sums);
        if (step > 0) {
            s(isa::Vadd{{sum_now, sum_now, total}});
        }
    }
    void weigh(std::int64_t step, std::int64_t slice) {
        s.wait(Pipe::Vector, Pipe::Mte2, turn);
        if (slice == 0) {
            s.from_cube(kScoresReady);
        }
        const Tile x = input.at(static_cast<std::size_t>(turn));
        const Tile p = weights.at(static_cast<std::size_t>(turn));
        const std::int64_t first = (core.unit - 1) * rows + slice * slice_rows;
        const Tile in = op.slot(op.scores_, core, steps_seen, op.plan_.tile);
        for (std::int64_t part = 0; part < op.parts(); ++part) {
            s(isa::Copy{x.block(0, part * kSide, slice_rows, kSide),
                        in.block(part * kSide + first, 0, slice_rows, kSide)});
        }
        const bool last = slice == op.parts() - 1;
        if (last) {
            s.to_cube(Pipe::Mte2, kScoresTaken);
        }
        s.order(Pipe::Mte2, Pipe::Vector);
        s.wait(Pipe::Mte3, Pipe::Vector, turn);
        softmax(step, slice);
        s.set(Pipe::Vector, Pipe::Mte2, turn);
        s.order(Pipe::Vector, Pipe::Mte3);
        if (slice == 0 && steps_seen >= op.plan_.slots) {
            s.from_cube(kWeightsTaken);
        }
        const Tile out = op.slot(op.weights_, core, steps_seen, op.plan_.tile);
        for (std::int64_t part = 0; part < op.parts(); ++part) {
            s(isa::Copy{out.block(part * kSide + first, 0, slice_rows, kSide),
                        p.block(0, part * kSide, slice_rows, kSide)});
        }
        s.set(Pipe::Mte3, Pipe::Vector, turn);
        if (last) {
            s.to_cube(Pipe::Mte3, kWeightsReady);
            ++steps_seen;
        }
        turn = 1 - turn;
    }
    void update(std::int64_t block, std::int64_t step, bool last) {
        s.wait(Pipe::Vector, Pipe::Mte2, turn);
        s.from_cube(kProductsReady);
        const std::int64_t first = (core.unit - 1) * rows;
        const Tile in = op.slot(op.products_, core, updates, kSide).block(first, 0, rows, kSide);
        const Tile piece = shaped(input.at(static_cast<std::size_t>(turn)), rows, kSide);
        s(isa::Copy{step == 0 ? output : piece, in});
        s.to_cube(Pipe::Mte2, kProductsTaken);
        s.order(Pipe::Mte2, Pipe::Vector);
        if (step > 0) {
            expand<isa::Vmul>(output, factors[static_cast<std::size_t>(updates % op.plan_.slots)]);
            barrier();
            s(isa::Vadd{{output, output, piece}});
        }
        if (last) {
            barrier();
            expand<isa::Vdiv>(output, sum);
        }
        s.set(Pipe::Vector, Pipe::Mte2, turn);
        if (last) {
            s.order(Pipe::Vector, Pipe::Mte3);
            s(isa::Copy{op.o_.block(block * kSide + first, 0, rows, kSide), output});
            s.order(Pipe::Mte3, Pipe::Mte2); // the next block's output
            s.to_cube(Pipe::Mte3, kBlockDone);
        }
        ++updates;
        turn = 1 - turn;
    }

    Script s;
    const FusedAttention& op;
    isa::CoreId core;
    std::int64_t rows;
    std::int64_t slice_rows;
    Tile output;
    std::array<Tile, 2> input;
    std::array<Tile, 2> weights;
    Tile partial;
    Tile maxima;
    Tile sums;
    Tile blocks;
    Tile local_max;
    Tile local_sum;
    Tile peak;
    Tile sum;
    std::vector<Tile> factors;
    std::int32_t turn = 0;
    std::int64_t steps_seen = 0;
    std::int64_t updates = 0;
};

isa::Program FusedAttention::vectors(isa::CoreId core) const {
    VectorCore v(*this, core);
    std::int64_t left = limited(blocks_of(core.ai_core) * steps());
    for (std::int64_t block = core.ai_core; left > 0; block += plan_.cores) {
        const std::int64_t count = std::min(left, steps());
        left -= count;
        for (std::int64_t step = 0; step < std::min(plan_.ahead, count); ++step) {
            for (std::int64_t slice = 0; slice < parts(); ++slice) {
                v.weigh(step, slice);
                co_yield v.s.block();
            }
        }
        for (std::int64_t step = 0; step < count; ++step) {
            for (std::int64_t slice = 0; step + plan_.ahead < count && slice < parts(); ++slice) {
                v.weigh(step + plan_.ahead, slice);
                co_yield v.s.block();
            }
            v.update(block, step, step == count - 1);
            co_yield v.s.block();
        }
    }
    for (std::int64_t i = 0; i < std::min(v.steps_seen, plan_.slots); ++i) {
        v.s.from_cube(kWeightsTaken);
    }
    v.finish();
    co_yield v.s.block();
}

} // namespace npusim::kernels
