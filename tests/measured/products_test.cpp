// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/attention/fused_attention.h"
#include "kernels/measured/gemm/tiled_gemm.h"
#include "kernels/measured/hand_over/hand_over_loop.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <set>

using namespace npusim;
using kernels::DealtTiles;
using kernels::FusedAttention;
using kernels::HandOverLoop;
using kernels::HandOverPlan;
using kernels::TiledGemm;
using kernels::TiledGemmPlan;
using kernels::Walk;

namespace {

test::Values transposed(const test::Values& values, std::int64_t rows, std::int64_t cols) {
    test::Values result(values.size());
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < cols; ++c) {
            result[static_cast<std::size_t>(c * rows + r)] =
                values[static_cast<std::size_t>(r * cols + c)];
        }
    }
    return result;
}

TiledGemmPlan small_plan() {
    TiledGemmPlan plan;
    plan.m = 80;
    plan.n = 96;
    plan.k = 96;
    plan.result = DType::Fp32;
    plan.tile_m = 32;
    plan.tile_n = 48;
    plan.x_slab = 64;
    plan.w_slab = 32;
    plan.slice = 16;
    plan.tiles = kernels::deal_walk(3, 2, 2, Walk::ColumnBlocks, 1);
    return plan;
}

double error_of(const TiledGemmPlan& plan) {
    const auto hardware = test::hardware("ascend-910b");
    const TiledGemm gemm(hardware, plan);
    const auto x = test::stored(gemm, "x", test::uniform(plan.m * plan.k, -1, 1, 1));
    const auto w = test::stored(gemm, "w", test::uniform(plan.k * plan.n, -1, 1, 2));
    const auto outcome = test::run(hardware, gemm, {{"x", x}, {"w", w}});
    const auto straight = plan.w_transposed ? transposed(w, plan.n, plan.k) : w;
    return test::distance(outcome.tensors.at("y"),
                          test::multiply(x, straight, plan.m, plan.k, plan.n));
}

/// Whether every tile, and each part of those in parts, is there once.
bool complete(const DealtTiles& dealt, std::int64_t rows, std::int64_t cols, std::int64_t parts) {
    std::set<std::array<std::int64_t, 3>> seen;
    std::int64_t count = 0;
    std::int64_t pieces = 0;
    for (const auto& tiles : dealt) {
        for (const auto& at : tiles) {
            seen.insert({at.row, at.col, at.part});
            ++count;
            pieces += at.part < 0 ? parts : 1;
        }
    }
    return std::ssize(seen) == count && pieces == rows * cols * parts;
}

} // namespace

TEST_CASE("tiled gemm: a product with odd edges, walked in blocks") {
    CHECK(error_of(small_plan()) < 1e-6);
}

TEST_CASE("tiled gemm: W may lie transposed") {
    TiledGemmPlan plan = small_plan();
    plan.w_transposed = true;
    CHECK(error_of(plan) < 1e-6);
}

TEST_CASE("tiled gemm: tiles may end in a barrier") {
    TiledGemmPlan plan = small_plan();
    plan.barrier_after_tile = true;
    plan.tiles = kernels::deal_runs(3, 2, 2);
    CHECK(error_of(plan) < 1e-6);
}

TEST_CASE("tiled gemm: the last tiles may be cut into parts") {
    TiledGemmPlan plan = small_plan();
    auto split = kernels::deal_sliding_window(3, 2, 5);
    CHECK(split.parts == 5);
    plan.tiles = split.tiles;
    plan.tail_parts = 3;
    plan.tiles = kernels::deal_walk(3, 2, 5, Walk::Rows, 1);
    const auto last = plan.tiles[0].back();
    plan.tiles[0].pop_back();
    for (std::int64_t part = 0; part < plan.tail_parts; ++part) {
        plan.tiles[static_cast<std::size_t>(part)].push_back({last.row, last.col, part});
    }
    CHECK(error_of(plan) < 1e-6);
}

TEST_CASE("tile orders: every tile is dealt once") {
    for (const Walk walk : {Walk::Rows, Walk::ColumnBlocks, Walk::RowBlocks}) {
        CHECK(complete(kernels::deal_walk(7, 5, 4, walk, 3), 7, 5, 1));
    }
    CHECK(complete(kernels::deal_rectangles(6, 16, 24), 6, 16, 1));
    CHECK(complete(kernels::deal_grid(8, 6, 4, 6), 8, 6, 1));
    CHECK(complete(kernels::deal_runs(7, 5, 4), 7, 5, 1));
    const auto split = kernels::deal_sliding_window(9, 8, 32);
    CHECK(split.parts == 4);
    CHECK(complete(split.tiles, 9, 8, split.parts));
}

TEST_CASE("tile orders: the largest grid of cores has fewest rows") {
    CHECK(std::ssize(kernels::deal_rectangles(6, 16, 24)) == 24);
    CHECK(kernels::deal_rectangles(6, 16, 24)[0].size() == 4);
    CHECK(std::ssize(kernels::deal_rectangles(31, 16, 24)) == 16);
}

TEST_CASE("hand-over loop: a product and a sum, either way round, with every kind of queue") {
    constexpr std::int64_t kSide = 128;
    const auto hardware = test::hardware("ascend-910b");
    for (const bool product_first : {true, false}) {
        for (const auto& [slots, separate] :
             {std::pair<std::int64_t, bool>{1, false}, {2, false}, {1, true}}) {
            CAPTURE(product_first, slots, separate);
            HandOverPlan plan;
            plan.task =
                product_first ? HandOverPlan::Task::MatmulAdd : HandOverPlan::Task::AddMatmul;
            plan.rounds = 3;
            plan.cores = 2;
            plan.slots = slots;
            plan.separate = separate;
            const HandOverLoop loop(hardware, plan);
            const std::int64_t rows = plan.rounds * plan.cores * kSide;
            const auto a = test::stored(loop, "a", test::uniform(rows * kSide, -1, 1, 1));
            const auto d = test::stored(loop, "d", test::uniform(rows * kSide, -1, 1, 2));
            const auto b = test::stored(loop, "b", test::uniform(kSide * kSide, -1, 1, 3));
            const auto outcome = test::run(hardware, loop, {{"a", a}, {"b", b}, {"d", d}});
            auto expected = a;
            for (std::size_t i = 0; !product_first && i < expected.size(); ++i) {
                expected[i] += d[i];
            }
            expected = test::multiply(expected, b, rows, kSide, kSide);
            for (std::size_t i = 0; product_first && i < expected.size(); ++i) {
                expected[i] += d[i];
            }
            CHECK(test::distance(outcome.tensors.at("c"), expected) < 2e-3);
        }
    }
}

TEST_CASE("hand-over loop: streams end, and two slots are not slower than one") {
    const auto hardware = test::hardware("ascend-910b");
    for (const auto task :
         {HandOverPlan::Task::StreamToVectors, HandOverPlan::Task::StreamToCube}) {
        HandOverPlan plan;
        plan.task = task;
        plan.rounds = 8;
        plan.cores = 2;
        const auto one = app::time_operator(hardware, HandOverLoop(hardware, plan));
        plan.slots = 2;
        const auto two = app::time_operator(hardware, HandOverLoop(hardware, plan));
        CHECK(two.total <= one.total);
    }
}

TEST_CASE("fused attention: softmax of scores times values, blocks over cores") {
    constexpr std::int64_t kHead = 128;
    const auto hardware = test::hardware("ascend-910b");
    const FusedAttention attention(
        hardware, {.queries = 384, .keys = 1536, .cores = 2, .tile = 256, .ahead = 2, .slots = 3});
    const auto q = test::stored(attention, "q", test::uniform(384 * kHead, -2, 2, 1));
    const auto k = test::stored(attention, "k", test::uniform(1536 * kHead, -2, 2, 2));
    const auto v = test::stored(attention, "v", test::uniform(1536 * kHead, -1, 1, 3));
    const auto outcome = test::run(hardware, attention, {{"q", q}, {"k", k}, {"v", v}});
    auto weights = test::multiply(q, transposed(k, 1536, kHead), 384, kHead, 1536);
    for (std::size_t row = 0; row < 384; ++row) {
        double sum = 0;
        for (std::size_t key = 0; key < 1536; ++key) {
            double& weight = weights[row * 1536 + key];
            weight = std::exp(weight / std::sqrt(static_cast<double>(kHead)));
            sum += weight;
        }
        for (std::size_t key = 0; key < 1536; ++key) {
            weights[row * 1536 + key] /= sum;
        }
    }
    CHECK(test::distance(outcome.tensors.at("o"), test::multiply(weights, v, 384, 1536, kHead)) <
          3e-3);
}
