// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/pool.h"
#include "tests/support/catch.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define NPUSIM_TEST_SANITIZED // its shadow memory fits under no limit
#endif

namespace npusim::explore {
namespace {

/// The answers to tasks 0 to `count` - 1, by task.
std::map<std::uint64_t, Answer> answers_of(Pool& pool, std::uint64_t count) {
    std::map<std::uint64_t, Answer> answers;
    std::uint64_t given = 0;
    while (answers.size() < count) {
        for (; given < count && pool.room() > 0; ++given) {
            pool.submit(given);
        }
        std::optional<Answer> answer = pool.next();
        REQUIRE(answer);
        const std::uint64_t task = answer->task;
        REQUIRE(answers.emplace(task, std::move(*answer)).second); // none twice
    }
    CHECK(pool.idle());
    CHECK_FALSE(pool.next());
    return answers;
}

std::map<std::uint64_t, Answer>
answers_of(const PoolOptions& options, std::uint64_t count, const Work& work) {
    Pool pool(options, work);
    return answers_of(pool, count);
}

void wait_for_ever() {
    while (true) {
        ::pause();
    }
}

/// Whether this process has no child left.
bool is_alone() {
    return ::waitpid(-1, nullptr, WNOHANG) < 0;
}

} // namespace

TEST_CASE("pool: every task is answered once, by several processes that stay") {
    std::set<std::string> processes;
    const auto answers =
        answers_of({.workers = 3}, 500, [](std::size_t worker, std::uint64_t task) {
            ::usleep(200);
            return fmt::format("{} {} {}", task * task, worker, ::getpid());
        });
    std::map<std::string, std::string> process_of;
    for (const auto& [task, answer] : answers) {
        CHECK(answer.status == Status::Done);
        CHECK(answer.text.starts_with(std::to_string(task * task) + ' '));
        CHECK(answer.seconds >= 0.0002);
        const std::size_t first = answer.text.find(' ');
        const std::size_t second = answer.text.find(' ', first + 1);
        const std::string process = answer.text.substr(second + 1);
        processes.insert(process);
        const auto [entry, is_new] =
            process_of.emplace(answer.text.substr(first + 1, second - first - 1), process);
        CHECK(entry->second == process);
    }
    CHECK(processes.size() == 3);
    CHECK_FALSE(processes.contains(std::to_string(::getpid())));
    CHECK(is_alone());
}

TEST_CASE("pool: long answers, empty answers and thrown ones") {
    const auto answers = answers_of({.workers = 2}, 30, [](std::size_t, std::uint64_t task) {
        if (task % 3 == 0) {
            throw std::runtime_error(fmt::format("no {}", task));
        }
        return std::string(task % 3 == 1 ? 0 : 300'000, 'x');
    });
    CHECK(answers.at(3).status == Status::Failed);
    CHECK(answers.at(3).text == "no 3");
    CHECK(answers.at(4).text.empty());
    CHECK(answers.at(5).text.size() == 300'000);
}

TEST_CASE("pool: a task that takes its process down is lost alone") {
    const auto answers = answers_of({.workers = 2}, 40, [](std::size_t, std::uint64_t task) {
        switch (task % 10) {
        case 3:
            std::signal(SIGABRT, SIG_DFL);
            std::abort();
        case 6:
            ::kill(::getpid(), SIGKILL);
            break;
        case 9:
            ::_exit(7);
        default:
            break;
        }
        return std::string("well");
    });
    for (const auto& [task, answer] : answers) {
        const bool crashes = task % 10 == 3 || task % 10 == 6 || task % 10 == 9;
        CHECK(answer.status == (crashes ? Status::Crashed : Status::Done));
    }
    CHECK_THAT(answers.at(13).text, Catch::Contains("signal 6"));
    CHECK_THAT(answers.at(16).text, Catch::Contains("signal 9"));
    CHECK_THAT(answers.at(19).text, Catch::Contains("status 7"));
}

TEST_CASE("pool: a task over its time is stopped, those behind it go on") {
    const auto answers = answers_of({.workers = 2, .timeout = std::chrono::milliseconds(300)},
                                    60,
                                    [](std::size_t, std::uint64_t task) {
                                        if (task == 40 || task == 41) {
                                            wait_for_ever();
                                        }
                                        return std::string("well");
                                    });
    for (const auto& [task, answer] : answers) {
        CHECK(answer.status == (task == 40 || task == 41 ? Status::Timeout : Status::Done));
    }
    CHECK(answers.at(40).text == "it took longer than 0.3 seconds");
    CHECK(answers.at(40).seconds >= 0.3);
    CHECK(answers.at(40).seconds < 5);
}

#ifndef NPUSIM_TEST_SANITIZED
TEST_CASE("pool: a task that wants too much memory fails alone") {
    const auto answers = answers_of({.workers = 2, .memory_bytes = std::uint64_t{512} << 20},
                                    20,
                                    [](std::size_t, std::uint64_t task) {
                                        const std::vector<char> memory(
                                            std::size_t{1} << (task % 5 == 0 ? 30 : 20), 'x');
                                        return std::to_string(memory.back());
                                    });
    for (const auto& [task, answer] : answers) {
        CHECK(answer.status == (task % 5 == 0 ? Status::OutOfMemory : Status::Done));
    }
}
#endif

TEST_CASE("pool: workers killed from outside lose at most the task they are at") {
    for (int round = 0; round < 5; ++round) {
        Pool pool({.workers = 2}, [](std::size_t, std::uint64_t) {
            ::usleep(500);
            return std::to_string(::getpid());
        });
        std::size_t killed = 0;
        std::size_t crashed = 0;
        std::set<std::uint64_t> seen;
        std::uint64_t given = 0;
        while (seen.size() < 300) {
            for (; given < 300 && pool.room() > 0; ++given) {
                pool.submit(given);
            }
            const std::optional<Answer> answer = pool.next();
            REQUIRE(answer);
            CHECK(seen.insert(answer->task).second);
            crashed += answer->status == Status::Crashed ? 1U : 0U;
            if (answer->status == Status::Done && seen.size() % 50 == 0) {
                ::kill(std::stoi(answer->text), SIGKILL);
                ++killed;
            }
        }
        CHECK(killed >= 3);
        CHECK(crashed <= killed);
    }
}

TEST_CASE("pool: an interruption gives up the tasks and ends the workers") {
    for (const int signal : {SIGINT, SIGTERM}) {
        {
            Pool pool({.workers = 2}, [](std::size_t, std::uint64_t task) {
                if (task > 0) {
                    wait_for_ever();
                }
                return std::string("first");
            });
            pool.submit(0);
            pool.submit(1);
            CHECK(pool.next()->text == "first");
            CHECK_FALSE(pool.interrupted());
            ::kill(::getpid(), signal);
            CHECK_FALSE(pool.next());
            CHECK(pool.interrupted());
        }
        CHECK(is_alone());
    }
    Pool next({.workers = 1}, [](std::size_t, std::uint64_t) { return std::string("well"); });
    CHECK_FALSE(next.interrupted());
}

TEST_CASE("pool: a signal that reaches the workers too is their parent's affair") {
    const auto answers = answers_of({.workers = 2}, 4, [](std::size_t, std::uint64_t) {
        ::kill(::getpid(), SIGINT);
        ::kill(::getpid(), SIGTERM);
        return std::string("well");
    });
    for (const auto& [task, answer] : answers) {
        CHECK(answer.text == "well");
    }
}

TEST_CASE("pool: no worker outlives the process that started it") {
    std::array<int, 2> held{}; // by the process and its workers: ends when all of them have
    REQUIRE(::pipe(held.data()) == 0);
    const pid_t parent = ::fork();
    REQUIRE(parent >= 0);
    if (parent == 0) {
        Pool pool({.workers = 2}, [&](std::size_t, std::uint64_t task) {
            if (::write(held[1], "x", 1) != 1) {
                return std::string();
            }
            wait_for_ever();
            return std::to_string(task);
        });
        pool.submit(0);
        pool.submit(1);
        pool.next();
        ::_exit(1);
    }
    ::close(held[1]);
    std::array<char, 2> working{};
    CHECK(::read(held[0], working.data(), 1) == 1);
    CHECK(::read(held[0], working.data(), 1) == 1);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    pollfd end{held[0], POLLIN, 0};
    CHECK(::poll(&end, 1, 5'000) == 1);
    ::close(held[0]);
}

TEST_CASE("pool: thousands of trivial tasks are all answered") {
    constexpr std::uint64_t kTasks = 5'000;
    const auto answers = answers_of(
        {.workers = 2}, kTasks, [](std::size_t, std::uint64_t) { return std::string(); });
    CHECK(answers.size() == kTasks);
}

TEST_CASE("pool: one task each where they are long, a queue where they are short") {
    Pool pool({.workers = 2}, [](std::size_t, std::uint64_t task) {
        ::usleep(task < 5 ? 0 : 600'000);
        return std::string();
    });
    CHECK(pool.room() == 2);
    pool.submit(0);
    CHECK(pool.room() == 1);
    REQUIRE(pool.next());
    for (std::uint64_t task = 1; task < 5; ++task) {
        pool.submit(task);
        REQUIRE(pool.next());
    }
    CHECK(pool.room() > 2);
    pool.submit(5);
    REQUIRE(pool.next());
    CHECK(pool.room() == 2);
}

} // namespace npusim::explore
