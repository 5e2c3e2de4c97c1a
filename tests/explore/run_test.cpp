// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/analysis.h"
#include "sim/explore/random.h"
#include "sim/explore/run.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <csignal>
#include <limits>
#include <set>
#include <sys/wait.h>

namespace npusim::explore {
namespace {

using test::Folder;
using test::sweep_of;

Sweep grid(const Folder& folder,
           std::int64_t count,
           const std::string& constraints = "",
           const std::vector<config::Override>& overrides = {}) {
    return sweep_of(folder,
                    fmt::format("job: {{kind: x}}\n"
                                "axes: [{{key: job.n, range: {{from: 0, to: {}, step: 1}}}}]\n"
                                "constraints: [{}]\n"
                                "objectives: [{{name: cycles, direction: min}}]\n",
                                count - 1,
                                constraints),
                    overrides);
}

std::int64_t number(const Point& point) {
    return std::get<std::int64_t>(point.job.at("job.n"));
}

Results squares(const Point& point) {
    const auto n = static_cast<double>(number(point));
    return {{"cycles", n * n}, {"area", n}};
}

RunOptions options(const Folder& folder, std::size_t workers = 2) {
    return {.folder = folder / "out", .version = "1", .pool = {.workers = workers}};
}

RunProgress run(const Sweep& sweep, const RunOptions& how, const Evaluate& evaluate = squares) {
    const auto sampler = grid_sampler(sweep.space);
    return run_sweep(sweep, *sampler, evaluate, how);
}

/// Numbers of the points of a folder, of which none may be doubled: neither given twice by the
/// reader, nor done twice in the files.
std::set<std::int64_t> numbers_done(const Folder& folder) {
    std::set<std::int64_t> numbers;
    for (const Record& record : read_records(folder / "out", {})) {
        REQUIRE(record.status == Status::Done);
        const std::int64_t n = std::get<std::int64_t>(record.axes.at("job.n"));
        REQUIRE(record.objectives.at("cycles") == static_cast<double>(n * n));
        REQUIRE(numbers.insert(n).second);
    }
    return numbers;
}

} // namespace

TEST_CASE("run: every point of a grid is evaluated once and kept") {
    const Folder folder;
    const Sweep sweep = grid(folder, 500);
    std::size_t told = 0;
    const auto sampler = grid_sampler(sweep.space);
    const RunProgress progress = run_sweep(sweep,
                                           *sampler,
                                           squares,
                                           options(folder),
                                           [&](const RunProgress& now, const Outcome* outcome) {
                                               ++told;
                                               CHECK(now.finished() == told);
                                               REQUIRE(outcome != nullptr);
                                               const auto n = static_cast<double>(outcome->point);
                                               CHECK(outcome->scored == Results{{"cycles", n * n}});
                                           });
    CHECK(progress.done == 500);
    CHECK(progress.failed == 0);
    CHECK(told == 500);
    CHECK(numbers_done(folder).size() == 500);
    const Record first = read_records(folder / "out", {}).front();
    CHECK(first.hash == sweep.hash(first.id));
    CHECK(first.metrics.at("area") == static_cast<double>(first.id));
}

TEST_CASE("run: what is there is not evaluated again, nor after the axes have grown") {
    const Folder folder;
    CHECK(run(grid(folder, 50), options(folder)).done == 50);
    const RunProgress again = run(grid(folder, 50), options(folder));
    CHECK(again.reused == 50);
    CHECK(again.done == 0);
    const RunProgress more = run(grid(folder, 80), options(folder));
    CHECK(more.reused == 50);
    CHECK(more.done == 30);
    CHECK(numbers_done(folder).size() == 80);
}

TEST_CASE("run: constraints rule points out before they run; the budget holds") {
    const Folder folder;
    const Sweep sweep = grid(folder, 100, "job.n >= 40, job.n < 60");
    CHECK(count_feasible(sweep) == 20);
    const RunProgress progress = run(sweep, options(folder));
    CHECK(progress.done == 20);
    CHECK(progress.infeasible == 80);
    CHECK(*numbers_done(folder).begin() == 40);

    const Folder other;
    const Sweep limited = grid(other, 100, "", {{"budget.points", "30"}});
    CHECK(run(limited, options(other)).done == 30);
    const RunProgress again = run(limited, options(other));
    CHECK(again.reused == 30);
    CHECK(again.done == 0);
}

TEST_CASE("run: shards that share a folder take the points and the budget of one run") {
    for (const char* budget : {"1000", "31"}) {
        const Folder whole;
        const Folder parts;
        const std::vector<config::Override> limited{{"budget.points", budget}};
        const std::string odd = "job.n < 20 or job.n / 2 > job.n - 50";
        const Sweep sweep = grid(parts, 100, odd, limited);
        const RunProgress one = run(grid(whole, 100, odd, limited), options(whole));
        std::uint64_t done = 0;
        for (std::uint64_t i = 1; i <= 3; ++i) {
            RunOptions how = options(parts);
            how.shard = {i, 3};
            const auto sampler = shard_sampler(grid_sampler(sweep.space), sweep, how.shard);
            const RunProgress part = run_sweep(sweep, *sampler, squares, how);
            CHECK(part.done > 0);
            CHECK(part.reused == 0);
            done += part.done;
        }
        CHECK(done == one.done);
        CHECK(numbers_done(parts) == numbers_done(whole));
        CHECK(run(sweep, options(parts)).done == 0);
    }
}

TEST_CASE("run: a point that fails, crashes or hangs is kept as that, and can be tried again") {
    const Folder folder;
    const Sweep sweep = grid(folder, 40, "area >= 0");
    RunOptions how = options(folder);
    how.pool.timeout = std::chrono::milliseconds(300);
    const auto unwell = [](const Point& point) -> Results {
        switch (number(point)) {
        case 7:
            throw ConfigError("not on\n1 this chip");
        case 8:
            ::kill(::getpid(), SIGKILL);
            return {};
        case 9:
            ::sleep(60);
            return {};
        case 10:
            return {{"area", 1}};
        case 11:
            throw std::bad_alloc();
        default:
            return squares(point);
        }
    };
    std::map<PointId, Outcome> outcomes;
    const auto sampler = grid_sampler(sweep.space);
    const RunProgress progress =
        run_sweep(sweep, *sampler, unwell, how, [&](const RunProgress&, const Outcome* outcome) {
            outcomes[outcome->point] = *outcome;
        });
    CHECK(progress.done == 35);
    CHECK(progress.failed == 5);
    std::map<PointId, Record> records;
    for (const Record& record : read_records(folder / "out", {})) {
        records[record.id] = record;
    }
    REQUIRE(records.size() == 40);
    for (const auto& [id, record] : records) {
        CHECK(outcomes[id].status == record.status);
        CHECK(outcomes[id].message == record.message);
        CHECK(outcomes[id].scored.empty() == (record.status != Status::Done));
    }
    CHECK(records[7].status == Status::Failed);
    CHECK(records[7].message == "not on\n1 this chip");
    CHECK(records[8].status == Status::Crashed);
    CHECK(records[8].axes.at("job.n") == Value(std::int64_t{8}));
    CHECK(records[9].status == Status::Timeout);
    CHECK(records[10].message == "the evaluation gave no 'cycles'");
    CHECK(records[11].status == Status::OutOfMemory);

    CHECK(run(sweep, how).reused == 40);
    how.retry_failed = true;
    const RunProgress retried = run(sweep, how);
    CHECK(retried.reused == 35);
    CHECK(retried.done == 5);
    CHECK(numbers_done(folder).size() == 40);
}

TEST_CASE("run: a folder in use, or with results of another version, is refused") {
    const Folder folder;
    const Sweep sweep = grid(folder, 5);
    run(sweep, options(folder));
    {
        const FolderLock lock(folder / "out");
        CHECK_THROWS_WITH(run(sweep, options(folder)), Catch::Contains("in use by process"));
    }
    RunOptions newer = options(folder);
    newer.version = "2";
    CHECK_THROWS_WITH(run(sweep, newer), Catch::Contains("holds results of version 1"));
    newer.ignore_other_versions = true;
    CHECK(run(sweep, newer).done == 5);
}

TEST_CASE("run: a sampler hears what became of its points") {
    const Folder folder;
    const Sweep sweep = grid(folder, 10, "job.n != 3, area != 4");
    std::istringstream in(R"({"points": [{"job.n": 2}, {"job.n": 3}]}
{"points": [{"job.n": 4}, {"job.n": 2}]}
{"points": [{"job.n": 5}, {"job.n": 5}]}
)");
    std::ostringstream out;
    const auto sampler = ask_tell_sampler(sweep.space, sweep.objectives, in, out);
    const RunProgress progress = run_sweep(sweep, *sampler, squares, options(folder, 1));
    CHECK(progress.done == 3);
    CHECK(progress.infeasible == 1);
    CHECK(progress.reused == 1);
    std::map<std::string, int> tells;
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) {
        tells[line] += line.find("\"tell\"") == std::string::npos ? 0 : 1;
    }
    CHECK(tells[R"({"score":[4.0],"status":"scored","tell":{"job.n":2}})"] == 2);
    CHECK(tells[R"({"status":"infeasible","tell":{"job.n":3}})"] == 1);
    CHECK(tells[R"({"status":"failed","tell":{"job.n":4}})"] == 1);
    CHECK(tells[R"({"score":[25.0],"status":"scored","tell":{"job.n":5}})"] == 2);
}

TEST_CASE("run: an interrupted run keeps what is finished and goes on later") {
    const Folder folder;
    const Sweep sweep = grid(folder, 400);
    const auto sampler = grid_sampler(sweep.space);
    const RunProgress progress = run_sweep(
        sweep, *sampler, squares, options(folder), [](const RunProgress& now, const Outcome*) {
            if (now.done == 100) {
                ::kill(::getpid(), SIGINT);
            }
        });
    CHECK(progress.interrupted);
    CHECK(progress.done < 400);
    const std::size_t kept = numbers_done(folder).size();
    CHECK(kept >= progress.done);
    const RunProgress rest = run(sweep, options(folder));
    CHECK_FALSE(rest.interrupted);
    CHECK(rest.reused == kept);
    CHECK(rest.done == 400 - kept);
    CHECK(numbers_done(folder).size() == 400);
}

TEST_CASE("run: can be interrupted while it only rules points out") {
    const Folder folder;
    const Sweep sweep = sweep_of(folder,
                                 "job: {}\n"
                                 "axes:\n"
                                 "  - {key: job.n, range: {from: 1, to: 100000, step: 1}}\n"
                                 "  - {key: job.m, range: {from: 1, to: 100000, step: 1}}\n"
                                 "constraints: [job.n < 0]\n"
                                 "objectives: [{name: cycles, direction: min}]\n");
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::usleep(100'000);
        ::kill(parent, SIGINT);
        ::_exit(0);
    }
    const RunProgress progress = run(sweep, options(folder));
    ::waitpid(child, nullptr, 0);
    CHECK(progress.interrupted);
    CHECK(progress.infeasible > 0);
}

TEST_CASE("run: killed at random moments and run again, no point is lost or doubled") {
    Random random(11);
    const auto slow = [](const Point& point) {
        ::usleep(300);
        return squares(point);
    };
    for (int round = 0; round < 4; ++round) {
        const Folder folder;
        const Sweep sweep = grid(folder, 600);
        std::size_t kept = 0;
        for (int kill = 0; kill < 4; ++kill) {
            const pid_t parent = ::fork();
            REQUIRE(parent >= 0);
            if (parent == 0) {
                run(sweep, options(folder), slow);
                ::_exit(0);
            }
            ::usleep(static_cast<useconds_t>(10'000 + random.below(40'000)));
            ::kill(parent, SIGKILL);
            ::waitpid(parent, nullptr, 0);
            // Its workers end with it; until then they hold the folder.
            while (!test::message_of([&] { const FolderLock lock(folder / "out"); }).empty()) {
                ::usleep(1000);
            }
            const std::size_t now = numbers_done(folder).size();
            CHECK(now >= kept);
            kept = now;
        }
        const RunProgress rest = run(sweep, options(folder), slow);
        CHECK(rest.reused == kept);
        CHECK(rest.done == 600 - kept);
        CHECK(numbers_done(folder).size() == 600);
        CHECK(for_each_record(folder / "out", {}, [](const Record&) {}).doubled == 0);
    }
}

TEST_CASE("run: workers killed at random moments; retried, no point is lost") {
    const Folder folder;
    const Sweep sweep = grid(folder, 300);
    const auto fatal = [](const Point& point) {
        if (point.id % 29 == 5 && point.id < 290) {
            ::kill(::getpid(), SIGKILL);
        }
        return squares(point);
    };
    const RunProgress first = run(sweep, options(folder), fatal);
    CHECK(first.done + first.failed == 300);
    CHECK(first.failed == 10);
    RunOptions again = options(folder);
    again.retry_failed = true;
    CHECK(run(sweep, again).done == 10);
    CHECK(numbers_done(folder).size() == 300);
}

TEST_CASE("run: thousands of trivial points are all kept") {
    const Folder folder;
    CHECK(run(grid(folder, 5'000), options(folder)).done == 5'000);
    CHECK(numbers_done(folder).size() == 5'000);
}

TEST_CASE("run: results from before an axis was added are points of the sweep with it") {
    const Folder folder;
    const auto sweep = [&](const std::string& axes) {
        return sweep_of(folder,
                        fmt::format("job: {{kind: x, m: 7}}\n"
                                    "axes: [{}]\n"
                                    "constraints: [cycles < 100]\n"
                                    "objectives: [{{name: cycles, direction: min}}]\n",
                                    axes));
    };
    const std::string first = "{key: job.n, values: [2, 3]}";
    const Sweep before = sweep(first);
    CHECK(run(before, options(folder)).done == 2);
    const Sweep after = sweep("{key: job.m, values: [7, 8]}, " + first);
    const RunProgress progress = run(after, options(folder));
    CHECK(progress.reused == 2);
    CHECK(progress.done == 2);
    const std::vector<Record> records = records_of(after, folder / "out", {});
    REQUIRE(records.size() == 4);
    for (const Record& record : records) {
        CHECK(record.axes == after.space.settings(record.id));
    }
    // Numbers that are alike are the same value, however they are written.
    const Sweep real = sweep("{key: job.n, range: {from: 2, to: 3, step: 1.0}}");
    for (const Record& record : records_of(real, folder / "out", {})) {
        CHECK(record.axes == real.space.settings(record.id));
    }
}

TEST_CASE("run: a point without the result a constraint speaks of is no candidate, nor a fault") {
    const Folder folder;
    const Sweep sweep = grid(folder, 4, "error < 1");
    const RunProgress progress = run(sweep, options(folder), [](const Point& point) {
        Results results = squares(point);
        if (number(point) > 1) {
            results["error"] = 0.5;
        }
        return results;
    });
    CHECK(progress.done == 4);
    const std::vector<Record> records = records_of(sweep, folder / "out", {});
    const auto front = front_of(sweep, records);
    REQUIRE(front.size() == 1);
    CHECK(records[front[0]].id == 2);
    CHECK(run(sweep, options(folder)).reused == 4);
}

TEST_CASE("run: results reach the parent with every bit, those that are not finite as kept") {
    const Folder folder;
    const Sweep sweep = grid(folder, 4, "error != 1, area < 1");
    const std::vector<double> errors{
        0.1 + 0.2, 5e-324, -std::numeric_limits<double>::infinity(), std::nan("")};
    const auto sampler = grid_sampler(sweep.space);
    std::size_t told = 0;
    run_sweep(
        sweep,
        *sampler,
        [&](const Point& point) -> Results {
            return {{"cycles", 1e300 / 3}, {"error", errors[point.id]}, {"x", 1}};
        },
        options(folder),
        [&](const RunProgress&, const Outcome* outcome) {
            const double error = errors[outcome->point];
            CHECK(outcome->scored.size() == 2); // the point has no area, and x is in no constraint
            CHECK(outcome->scored.at("cycles") == 1e300 / 3);
            CHECK((std::isfinite(error) ? outcome->scored.at("error") == error
                                        : std::isnan(outcome->scored.at("error"))));
            ++told;
        });
    CHECK(told == 4);
}

TEST_CASE("run: what failed before is counted where it is not tried again") {
    const Folder folder;
    const Sweep sweep = grid(folder, 4);
    const auto fails = [](const Point& point) -> Results {
        if (number(point) == 3) {
            throw ConfigError("no room");
        }
        return squares(point);
    };
    CHECK(run(sweep, options(folder), fails).failed == 1);
    CHECK(run(sweep, options(folder), fails).reused_failed == 1);
}

TEST_CASE("run: a point that fails again is not tried once more in the same run") {
    class Insisting : public Sampler { // asks for one point, and again once it is told
      public:
        std::vector<PointId> ask(std::size_t) override {
            return asked_++ == told_ ? std::vector<PointId>{0} : std::vector<PointId>{};
        }
        void tell(PointId, const Told&) override { ++told_; }
        [[nodiscard]] bool done() const override { return told_ == 3; }

      private:
        int asked_ = 0;
        int told_ = 0;
    };
    const Folder folder;
    const Sweep sweep = grid(folder, 1);
    RunOptions how = options(folder, 1);
    how.retry_failed = true;
    Insisting sampler;
    const RunProgress progress = run_sweep(
        sweep, sampler, [](const Point&) -> Results { throw ConfigError("no room"); }, how);
    CHECK(progress.failed == 1);
    CHECK(progress.reused == 2);
}

} // namespace npusim::explore
