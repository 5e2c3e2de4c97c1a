// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/column_sweep.h"
#include "kernels/measured/inverse/cube_column_sweep.h"
#include "kernels/measured/inverse/mxr.h"
#include "kernels/measured/inverse/neumann_product.h"
#include "kernels/measured/inverse/tile_lang_inverse.h"
#include "sim/app/validate/inverse_family.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <vector>

using namespace npusim;

namespace {

/// Matrices of `batch` as they lie in its tensor, strictly lower triangular, and their inverses.
struct Problem {
    test::Values m;
    test::Values inverse;
};

/// Forward substitution in double precision: X = I - M X, row by row.
void invert(const kernels::InverseBatch& batch, std::int64_t index, Problem& problem) {
    const std::int64_t top = index / batch.heads * batch.side;
    const std::int64_t left = index % batch.heads * batch.side;
    const auto at = [&](std::int64_t row, std::int64_t col) {
        return static_cast<std::size_t>((top + row) * batch.cols() + left + col);
    };
    for (std::int64_t row = 0; row < batch.side; ++row) {
        for (std::int64_t col = 0; col < batch.side; ++col) {
            double value = row == col ? 1 : 0;
            for (std::int64_t k = 0; k < row; ++k) {
                value -= problem.m[at(row, k)] * problem.inverse[at(k, col)];
            }
            problem.inverse[at(row, col)] = value;
        }
    }
}

Problem problem_of(const kernels::Operator& op, const kernels::InverseBatch& batch) {
    const std::int64_t size = batch.rows() * batch.cols();
    test::Values m = test::uniform(size, -0.1, 0.1);
    for (std::int64_t i = 0; i < size; ++i) {
        if (i % batch.cols() % batch.side >= i / batch.cols() % batch.side) {
            m[static_cast<std::size_t>(i)] = 0;
        }
    }
    Problem problem{test::stored(op, "m", m), test::Values(static_cast<std::size_t>(size), 0.0)};
    for (std::int64_t index = 0; index < batch.count; ++index) {
        invert(batch, index, problem);
    }
    return problem;
}

/// Relative error of the inverses a kernel finds.
double error(const kernels::Operator& op, const kernels::InverseBatch& batch) {
    const Problem problem = problem_of(op, batch);
    const test::Outcome outcome = test::run(test::hardware("ascend-910b"), op, {{"m", problem.m}});
    return test::distance(outcome.tensors.at("inverse"), problem.inverse);
}

/// Cycles from the first instruction on.
double cycles(const config::HardwareConfig& hardware, const kernels::Operator& op) {
    return static_cast<double>((app::time_operator(hardware, op).total - hardware.launch).count());
}

/// A row of a table with what the choice of a program needs.
app::Measurement row(const std::string& kernel, const std::string& algorithm) {
    app::Measurement row;
    row.kernel = kernel;
    row.algorithm = algorithm;
    row.dtype = "fp16->fp32";
    row.timing = "device";
    row.chunk = 64;
    row.batch = 40;
    return row;
}

app::MeasuredCase case_of(const app::Measurement& row) {
    static const config::HardwareConfig hardware = test::hardware("ascend-910b");
    return app::kTriangularInverseFamily.model(row, hardware);
}

/// What half precision on the way leaves.
constexpr double kHalfError = 2e-3;

} // namespace

TEST_CASE("the recursive block inverse inverts chunks of every size and layout") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    for (const std::int64_t side : {16, 32, 64, 128}) {
        for (const std::int64_t heads : {1, 4}) {
            for (const bool reuses : {false, true}) {
                CAPTURE(side, heads, reuses);
                const kernels::InverseBatch batch{
                    .count = 24, .side = side, .heads = heads, .cores = 2};
                CHECK(error(kernels::Mxr(hardware, batch, {reuses}), batch) < kHalfError);
            }
        }
    }
}

TEST_CASE(
    "the recursive block inverse takes one, two or four matrices at a time, and what is left") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    for (const std::int64_t count : {1, 2, 3, 4, 13}) {
        CAPTURE(count);
        const kernels::InverseBatch batch{.count = count, .side = 32, .cores = 2};
        CHECK(error(kernels::Mxr(hardware, batch, {}), batch) < kHalfError);
    }
}

TEST_CASE("the Neumann product inverts what its powers reach") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    for (const std::int64_t side : {16, 32}) {
        CAPTURE(side);
        const kernels::InverseBatch batch{.count = 5, .side = side, .cores = 2};
        CHECK(error(kernels::NeumannProduct(hardware, batch), batch) < kHalfError);
    }
}

TEST_CASE("the TileLang inverse joins blocks that vector cores invert") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    for (const std::int64_t side : {32, 64, 128}) {
        for (const bool barriers : {false, true}) {
            CAPTURE(side, barriers);
            const kernels::InverseBatch batch{.count = 6, .side = side, .cores = 2};
            CHECK(error(kernels::TileLangInverse(hardware, batch, barriers), batch) < kHalfError);
        }
    }
}

TEST_CASE("a column sweep on vector cores takes its side squared, and a pair of cores halves it") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    const auto time = [&](std::int64_t side, bool axpy, std::int64_t lanes) {
        const kernels::InverseBatch batch{.count = 2, .side = side, .cores = 1};
        return cycles(hardware, kernels::VectorColumnSweep(hardware, batch, {axpy, lanes}));
    };
    CHECK(time(64, true, 2) > 3.5 * time(32, true, 2));
    CHECK(time(64, true, 2) < 4.05 * time(32, true, 2));
    CHECK(time(32, true, 1) > 1.9 * time(32, true, 2));
    CHECK(time(32, false, 2) > time(32, true, 2));
}

TEST_CASE("a column sweep on the cube hands over once per column") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    const auto time = [&](std::int64_t count) {
        const kernels::InverseBatch batch{.count = count, .side = 32, .cores = 1};
        return cycles(hardware, kernels::CubeColumnSweep(hardware, batch));
    };
    const auto hand_over = static_cast<double>(hardware.sync.cross_core.count());
    CHECK(time(2) - time(1) > 32 * hand_over);
}

TEST_CASE("a long run of a measured inverse goes on as a short one begins") {
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    const auto time = [&](std::int64_t rounds) {
        kernels::Mxr mxr(hardware, {.count = 64, .side = 32, .cores = 2}, {});
        REQUIRE(mxr.rounds() == 8);
        mxr.stop_after(rounds);
        return cycles(hardware, mxr);
    };
    CHECK(time(8) - time(6) == Approx(time(4) - time(2)).epsilon(0.01));
}

TEST_CASE("rows of triangular inverses find their programs") {
    const auto name = [](const std::string& kernel, const std::string& algorithm) {
        return std::string(case_of(row(kernel, algorithm)).kernel->name());
    };
    CHECK(name("solve_tril", "MXR recursive block inverse (cube)") == "measured/mxr");
    CHECK(name("tri_inv_rec_unroll", "MXR with accumulator reuse") == "measured/mxr");
    CHECK(name("tri_inv_trick", "basic Neumann product inverse (cube)") ==
          "measured/neumann-product");
    CHECK(name("tri_inv_col_sweep", "column sweep, vector cores only") == "measured/column-sweep");
    CHECK(name("tri_inv_col_sweep", "column sweep, cube+vector mix") ==
          "measured/cube-column-sweep");
    CHECK(name("solve_tril", "AscendC column sweep on vector, BSND") == "measured/column-sweep");
    CHECK(name("solve_tril", "AscendC column sweep on cube, BSND") == "measured/cube-column-sweep");
    CHECK(name("solve_tril", "TileLang opt-gdn") == "measured/tile-lang-inverse");
    CHECK_FALSE(app::kTriangularInverseFamily.matches(row("solve_tril", "Triton block merge")));
    CHECK_FALSE(app::kTriangularInverseFamily.matches(row("gemm", "MXR")));
}

TEST_CASE("rows of triangular inverses that say too little are refused") {
    app::Measurement host = row("tri_inv_rec_unroll", "MXR recursive block inverse (cube)");
    host.timing = "host wrapper, launch bound";
    CHECK_THROWS_AS(case_of(host), app::NotModelled);
    app::Measurement shapeless = row("solve_tril", "MXR recursive block inverse (cube)");
    shapeless.batch.reset();
    CHECK_THROWS_AS(case_of(shapeless), app::NotModelled);
    CHECK_THROWS_AS(case_of(row("solve_tril", "torch eager loop")), app::NotModelled);
    CHECK_THROWS_AS(case_of(row("solve_tril_16_diag", "row by row on vector core")),
                    app::NotModelled);
}
