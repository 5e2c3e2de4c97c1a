// SPDX-License-Identifier: Apache-2.0
#include "sim/app/process_pool.h"
#include "sim/app/validate/calibrate.h"
#include "sim/app/validate/validate.h"
#include "sim/base/error.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <csignal>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace npusim;

namespace {

std::string file(const test::Scratch& scratch, const std::string& name, const std::string& text) {
    const auto path = scratch.path() / name;
    std::ofstream(path) << text;
    return path.string();
}

app::Comparison compared(const std::string& algorithm,
                         const std::string& group,
                         double measured,
                         double predicted,
                         const std::string& unit = "us") {
    app::Comparison row;
    row.row.kernel = std::string("k");
    row.row.platform = std::string("p");
    row.row.algorithm = algorithm;
    row.row.group = group;
    row.unit = unit;
    row.measured = measured;
    row.predicted = predicted;
    return row;
}

app::Agreement agreement_of(const std::vector<app::Comparison>& rows) {
    std::vector<const app::Comparison*> pointers;
    for (const app::Comparison& row : rows) {
        pointers.push_back(&row);
    }
    return app::agreement(pointers);
}

} // namespace

TEST_CASE("a table of measurements: quotes, empty cells, columns in any order") {
    const test::Scratch scratch;
    const auto rows =
        app::read_measurements(file(scratch,
                                    "t.csv",
                                    "id,kernel,platform,algorithm,note,measured_us,T\r\n"
                                    "a,gemm,910B2,\"x, \"\"y\"\"\",\"two\nlines\",1.5,\n"
                                    "\n"
                                    "b,gemm,910B2,z,,2,64\n"));
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].algorithm == "x, \"y\"");
    CHECK(rows[0].note == "two\nlines");
    CHECK(rows[0].us == 1.5);
    CHECK_FALSE(rows[0].t);
    CHECK(rows[1].t == 64);
}

TEST_CASE("faults of a table name file, line and column") {
    const test::Scratch scratch;
    const auto read = [&](const std::string& text) {
        return app::read_measurements(file(scratch, "t.csv", text));
    };
    const std::string head = "id,kernel,platform,algorithm,measured_us\n";
    CHECK_THROWS_WITH(read(""), Catch::Contains("t.csv:1: the table is empty"));
    CHECK_THROWS_WITH(read("id,kernel,platform\n"), Catch::Contains("no column 'algorithm'"));
    CHECK_THROWS_WITH(read(head + "a,k,p,x,1\nb,k,p,x\n"),
                      Catch::Contains("t.csv:3: 4 cells where the header has 5"));
    CHECK_THROWS_WITH(read(head + "a,k,p,x,fast\n"),
                      Catch::Contains("t.csv:2: column 'measured_us': got 'fast'"));
    CHECK_THROWS_WITH(read(head + "a,k,p,x,\n"), Catch::Contains("row 'a' has no measured value"));
    CHECK_THROWS_AS(app::read_measurements("/nowhere.csv"), ConfigError);
}

TEST_CASE("agreement: errors are of times, also where rates are given") {
    const app::Agreement a = agreement_of({compared("x", "", 100, 110),
                                           compared("y", "", 100, 80),
                                           compared("z", "", 100, 50, "GB/s")});
    CHECK(a.rows == 3);
    CHECK(a.modelled == 3);
    CHECK(a.median_abs_error == Approx(0.2));
    CHECK(a.p90_abs_error == Approx(0.2 + 0.8 * 0.8)); // between 0.2 and 1
    CHECK(a.bias == Approx(0.1));
}

TEST_CASE("agreement: what is not modelled counts in the coverage alone") {
    app::Comparison missing = compared("x", "", 100, 0);
    missing.reason = "no";
    const app::Agreement a = agreement_of({missing, compared("y", "", 100, 100)});
    CHECK(a.coverage == 0.5);
    CHECK(a.median_abs_error == 0);
}

TEST_CASE("agreement: order of algorithms in a group, of shapes of one algorithm") {
    const app::Agreement a = agreement_of({compared("x", "g", 100, 90),
                                           compared("y", "g", 200, 80),    // wrong way round
                                           compared("x", "h", 300, 400),   // right beside x in g
                                           compared("y", "h", 302, 300)}); // x, y: as good as equal
    CHECK(a.algorithm_pairs == 1);
    CHECK(a.algorithm_order == 0);
    CHECK(a.rank_tau == Approx((2.0 - 1.0) / 3.0));
}

TEST_CASE("a task that throws or takes its process down is lost alone") {
    for (const std::size_t workers : {std::size_t{2}, std::size_t{3}}) {
        std::size_t heard = 0;
        const auto outcomes = app::in_processes(
            6,
            workers,
            [](std::size_t i) -> std::string {
                if (i == 1) {
                    throw ConfigError("bad");
                }
                if (i == 2) {
                    std::raise(SIGKILL);
                }
                return fmt::format("{}", i * i);
            },
            [&](std::size_t i, const app::TaskOutcome& outcome) {
                ++heard;
                CHECK(outcome.done == (i != 1 && i != 2));
            });
        CHECK(heard == 6);
        CHECK(outcomes[5].text == "25");
        CHECK(outcomes[5].done);
        CHECK_FALSE(outcomes[1].done);
        CHECK(outcomes[1].text == "bad");
        CHECK_FALSE(outcomes[2].done);
        CHECK_THAT(outcomes[2].text, Catch::Contains("signal 9"));
    }
}

TEST_CASE("a signal ends a process whose tasks run in others as it ends any other") {
    const pid_t runner = ::fork();
    REQUIRE(runner >= 0);
    if (runner == 0) {
        std::signal(SIGTERM, SIG_DFL); // the tests have their own way
        app::in_processes(
            2,
            2,
            [](std::size_t i) -> std::string {
                if (i == 0) {
                    ::kill(::getppid(), SIGTERM);
                }
                for (;;) {
                    ::pause();
                }
            },
            [](std::size_t, const app::TaskOutcome&) {});
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(runner, &status, 0) == runner);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("every platform of the shipped table has a hardware file or a reason not to") {
    for (const app::Measurement& row :
         app::read_measurements(NPUSIM_SOURCE_DIR "/configs/calibration/measurements.csv")) {
        INFO(row.id << " " << row.platform);
        const auto name = app::hardware_of(row);
        REQUIRE(name);
        app::HardwareShelf shelf;
        CHECK(shelf.get(*name).name == *name);
    }
}

TEST_CASE("a calibration file is checked as a whole") {
    const test::Scratch scratch;
    const std::string path = file(scratch,
                                  "c.yaml",
                                  "table: t.csv\nfolds: 1\nbudget: 10\nparameters:\n"
                                  "  - {key: gm.miss_latency_cycles, min: 10, max: 5}\n"
                                  "rows:\n  - {famly: gemm}\n");
    CHECK_THROWS_WITH(app::load_calibration(path),
                      Catch::Contains("c.yaml:2:8: folds: got 1") &&
                          Catch::Contains("min 10 is not below max 5") &&
                          Catch::Contains("rows.0.famly: unknown key"));
}
