// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/grouped_gemm.h"
#include "kernels/moe/moe_combine.h"
#include "kernels/moe/moe_gather.h"
#include "kernels/moe/router.h"
#include "kernels/moe/routing.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <numeric>
#include <set>

using namespace npusim;
using test::Values;

namespace {

const std::vector<std::string> kMachines{"ascend-910b", "fused-local"};
const std::vector<DType> kFloats{DType::Fp32, DType::Fp16, DType::Bf16};

/// Half a unit in the last place, relative, with some room for a few roundings.
double tolerance(DType dtype) {
    return dtype == DType::Fp32 ? 1e-6 : dtype == DType::Fp16 ? 6e-4 : 5e-3;
}

Values row_of(const Values& all, std::int64_t row, std::int64_t cols) {
    return {all.begin() + row * cols, all.begin() + (row + 1) * cols};
}

/// Softmax of the `top_k` largest of a row among themselves; of equal ones the first.
Values routed(const Values& logits, std::int64_t top_k) {
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order,
                             [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    Values weights(logits.size(), 0.0);
    double sum = 0;
    for (std::int64_t i = 0; i < top_k; ++i) {
        sum += std::exp(logits[order[static_cast<std::size_t>(i)]] - logits[order[0]]);
    }
    for (std::int64_t i = 0; i < top_k; ++i) {
        const std::size_t at = order[static_cast<std::size_t>(i)];
        weights[at] = std::exp(logits[at] - logits[order[0]]) / sum;
    }
    return weights;
}

/// Runs a router and compares every weight; zeros must be zeros.
void check_router(const config::HardwareConfig& hardware,
                  const kernels::RouterShape& shape,
                  const Values& values) {
    const kernels::Router op(hardware, shape);
    const Values logits = test::stored(op, "logits", values);
    const auto outcome = test::run(hardware, op, {{"logits", logits}});
    const Values& weights = outcome.tensors.at("weights");
    for (std::int64_t token = 0; token < shape.tokens; ++token) {
        const Values got = row_of(weights, token, shape.experts);
        const Values wanted = routed(row_of(logits, token, shape.experts), shape.top_k);
        CHECK(test::distance(got, wanted) < 1e-6);
        CHECK(std::ranges::count(got, 0.0) == shape.experts - shape.top_k);
    }
}

} // namespace

TEST_CASE("routing: as even as it can be, every token at top_k different experts") {
    for (const auto& [tokens, experts, top_k] : {std::array<std::int64_t, 3>{1, 8, 2},
                                                 std::array<std::int64_t, 3>{7, 16, 3},
                                                 std::array<std::int64_t, 3>{40, 12, 12}}) {
        const auto rows = kernels::balanced_routing(tokens, experts, top_k);
        const auto source = kernels::balanced_source(tokens, experts, top_k);
        const auto expert = kernels::balanced_expert(tokens, experts, top_k);
        CHECK(std::accumulate(rows.begin(), rows.end(), std::int64_t{0}) == tokens * top_k);
        CHECK(*std::ranges::max_element(rows) - *std::ranges::min_element(rows) <= 1);
        CHECK(std::ranges::is_sorted(expert));
        std::set<std::pair<std::int64_t, std::int64_t>> pairs;
        for (std::size_t row = 0; row < source.size(); ++row) {
            pairs.emplace(expert[row], source[row]);
        }
        CHECK(std::ssize(pairs) == tokens * top_k);
        CHECK_NOTHROW(kernels::rows_of_tokens("test", source, tokens, top_k));
    }
    CHECK_THROWS_AS(kernels::balanced_routing(4, 2, 3), ConfigError);
    CHECK_THROWS_AS(kernels::rows_of_tokens("test", {0, 0, 0, 1}, 2, 2), ConfigError);
}

TEST_CASE("grouped-gemm: every expert's rows by its own matrix, some experts without rows") {
    const std::vector<std::int64_t> rows{0, 3, 17, 1, 64};
    const std::int64_t sum = 85;
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFloats) {
            for (const auto& [k, n] : {std::pair<std::int64_t, std::int64_t>{96, 80}, {200, 336}}) {
                CAPTURE(machine, to_string(dtype), k, n);
                const kernels::GroupedGemm op(hardware, {rows, k, n, dtype, DType::Fp32});
                const Values x = test::stored(op, "x", test::uniform(sum * k, -1, 1, 1));
                const Values w =
                    test::stored(op, "w", test::uniform(std::ssize(rows) * k * n, -1, 1, 2));
                const auto outcome = test::run(hardware, op, {{"x", x}, {"w", w}});
                Values wanted;
                std::int64_t row = 0;
                for (std::int64_t expert = 0; expert < std::ssize(rows); ++expert) {
                    const std::int64_t count = rows[static_cast<std::size_t>(expert)];
                    const Values part =
                        test::multiply(Values(x.begin() + row * k, x.begin() + (row + count) * k),
                                       row_of(w, expert, k * n),
                                       count,
                                       k,
                                       n);
                    wanted.insert(wanted.end(), part.begin(), part.end());
                    row += count;
                }
                CHECK(test::distance(outcome.tensors.at("y"), wanted) < 1e-6);
            }
        }
    }
    CHECK_THROWS_AS(kernels::GroupedGemm(test::hardware("fused-local"), {{0, 0}, 64, 64}),
                    ConfigError);
}

TEST_CASE("grouped-gemm: matrices in use are read from HBM once, the rest not at all") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        // 32 tokens, each at 4 of 64 experts: two rows for every expert; then all at 8 of them.
        std::vector<std::int64_t> few(64, 0);
        std::fill_n(few.begin(), 8, 16);
        for (const auto& [rows, used] :
             {std::pair{kernels::balanced_routing(32, 64, 4), 64}, std::pair{few, 8}}) {
            const kernels::GroupedGemm op(hardware, {rows, 512, 512});
            const auto statistics = app::time_operator(hardware, op);
            const std::int64_t bytes = used * 512 * 512 * 2;
            CAPTURE(machine, used, op.tiling().m, op.tiling().n);
            CHECK(statistics.hbm_bytes >=
                  bytes); // beside them a few granules that sets overflow with
            CHECK(statistics.hbm_bytes < bytes + bytes / 50);
            const auto least = static_cast<double>(bytes) / hardware.gm.hbm_fill_bytes_per_cycle;
            const auto cycles = static_cast<double>(statistics.total.count());
            CHECK(cycles > least);
            // Eight matrices are too short a run to keep all of the chip busy.
            CHECK(cycles < (used == 64 ? 1.6 : 2.5) * least);
        }
    }
}

TEST_CASE("grouped-gemm: many rows keep the cube busy, however uneven") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const kernels::GroupedGemm op(hardware,
                                      {{1000, 7, 300, 0, 900, 513, 128, 1248}, 1024, 1024});
        const auto statistics = app::time_operator(hardware, op);
        const config::CubeFormat& format = hardware.cube_format(DType::Fp16);
        const double peak = 2.0 * static_cast<double>(format.m * format.k * format.n) /
                            static_cast<double>(format.cycles_per_block) *
                            static_cast<double>(hardware.ai_cores);
        const double share = op.flops() / static_cast<double>(statistics.total.count()) / peak;
        CAPTURE(machine, op.tiling().m, op.tiling().n);
        CHECK(share < 1);
        CHECK(share > 0.5);
        if (machine == "ascend-910b") { // all else stays in its L2
            CHECK(op.tiling().m < 1000);
            constexpr std::int64_t kWeights = std::int64_t{7} * 1024 * 1024 * 2;
            CHECK(statistics.hbm_bytes >= kWeights);
            CHECK(statistics.hbm_bytes < kWeights + kWeights / 20);
        }
    }
}

TEST_CASE("router: softmax of the largest logits among themselves") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFloats) {
            for (const auto& [tokens, experts, top_k] : {std::array<std::int64_t, 3>{1, 16, 1},
                                                         std::array<std::int64_t, 3>{37, 80, 3},
                                                         std::array<std::int64_t, 3>{50, 128, 8},
                                                         std::array<std::int64_t, 3>{3, 512, 10}}) {
                CAPTURE(machine, to_string(dtype), tokens, experts, top_k);
                check_router(hardware,
                             {tokens, experts, top_k, dtype},
                             test::uniform(tokens * experts, -6, 6));
            }
        }
    }
}

TEST_CASE("router: of equal logits the first, and never more than top_k") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const std::int64_t experts : {48, 144}) {
            Values few = test::uniform(9 * experts, 0, 4);
            for (double& value : few) {
                value = std::floor(value); // one of four values
            }
            CAPTURE(machine, experts);
            check_router(hardware, {9, experts, 5, DType::Fp16}, few);
            check_router(
                hardware, {2, experts, 4}, Values(static_cast<std::size_t>(2 * experts), -3.0));
        }
        // All of them, and logits so far apart that all but one weight is next to nothing.
        check_router(hardware, {2, 16, 16}, test::uniform(32, -1, 1));
        check_router(hardware, {5, 64, 2}, test::uniform(5 * 64, -40, 40));
    }
    CHECK_THROWS_AS(kernels::Router(test::hardware("fused-local"), {1, 24, 2}), ConfigError);
    CHECK_THROWS_AS(kernels::Router(test::hardware("fused-local"), {1, 32, 33}), ConfigError);
}

TEST_CASE("moe: rows gathered by expert and combined with their weights") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFloats) {
            for (const auto& [tokens, cols, experts, top_k] :
                 {std::array<std::int64_t, 4>{1, 64, 8, 2},
                  std::array<std::int64_t, 4>{37, 208, 16, 3},
                  std::array<std::int64_t, 4>{100, 128, 32, 8}}) {
                CAPTURE(machine, to_string(dtype), tokens, cols);
                const auto source = kernels::balanced_source(tokens, experts, top_k);
                const kernels::MoeGather gather(hardware, {tokens, cols, top_k, source, dtype});
                const Values x = test::stored(gather, "x", test::uniform(tokens * cols, -1, 1, 1));
                const auto gathered = test::run(hardware, gather, {{"x", x}}).tensors.at("rows");
                for (std::size_t row = 0; row < source.size(); ++row) {
                    REQUIRE(row_of(gathered, static_cast<std::int64_t>(row), cols) ==
                            row_of(x, source[row], cols));
                }
                for (const bool shared : {false, true}) {
                    const kernels::MoeCombine combine(hardware,
                                                      {tokens, cols, top_k, source, shared, dtype});
                    const Values weights =
                        test::stored(combine, "weights", test::uniform(tokens * top_k, 0, 1, 2));
                    std::map<std::string, Values> inputs{{"rows", gathered}, {"weights", weights}};
                    Values wanted(x.size(), 0.0);
                    if (shared) {
                        inputs["shared"] =
                            test::stored(combine, "shared", test::uniform(tokens * cols, -1, 1, 3));
                        wanted = inputs["shared"];
                    }
                    for (std::size_t row = 0; row < source.size(); ++row) {
                        for (std::int64_t col = 0; col < cols; ++col) {
                            const auto at = static_cast<std::size_t>(source[row] * cols + col);
                            wanted[at] += weights[row] * x[at];
                        }
                    }
                    const auto outcome = test::run(hardware, combine, inputs);
                    CHECK(test::distance(outcome.tensors.at("y"), wanted) < tolerance(dtype));
                }
            }
        }
    }
}

TEST_CASE("moe: weights that do not fit UB are read one by one") {
    const auto hardware = test::hardware("fused-local", {{"buffers.ub.size", "8KiB"}});
    const std::int64_t tokens = 150;
    const std::int64_t top_k = 8;
    const auto source = kernels::balanced_source(tokens, 32, top_k);
    const kernels::MoeCombine op(hardware, {tokens, 32, top_k, source, false, DType::Fp32});
    const Values rows = test::uniform(tokens * top_k * 32, -1, 1, 1);
    const Values weights = test::uniform(tokens * top_k, 0, 1, 2);
    const auto outcome = test::run(hardware, op, {{"rows", rows}, {"weights", weights}});
    Values wanted(static_cast<std::size_t>(tokens * 32), 0.0);
    for (std::size_t row = 0; row < source.size(); ++row) {
        for (std::size_t col = 0; col < 32; ++col) {
            wanted[static_cast<std::size_t>(source[row] * 32) + col] +=
                weights[row] * rows[row * 32 + col];
        }
    }
    CHECK(test::distance(outcome.tensors.at("y"), wanted) < 1e-6);
}

TEST_CASE("moe: gather and combine are not faster than what they move") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const auto source = kernels::balanced_source(256, 64, 8);
        const kernels::MoeGather gather(hardware, {256, 2048, 8, source});
        const kernels::MoeCombine combine(hardware, {256, 2048, 8, source});
        const auto cycles = [&](const kernels::Operator& op) {
            return static_cast<double>(app::time_operator(hardware, op).total.count());
        };
        const auto bytes = static_cast<double>(gather.tensor("rows").bytes());
        CHECK(cycles(gather) > bytes / hardware.gm.l2_write_bytes_per_cycle);
        CHECK(cycles(combine) > bytes / hardware.gm.l2_read_bytes_per_cycle);
        // Rows of 4 KiB: start-ups of transfers and the vector unit's five passes, not more.
        CHECK(cycles(gather) < 6 * bytes / hardware.gm.l2_write_bytes_per_cycle);
        CHECK(cycles(combine) < 12 * bytes / hardware.gm.l2_read_bytes_per_cycle);
    }
}
