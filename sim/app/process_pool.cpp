// SPDX-License-Identifier: Apache-2.0
#include "sim/app/process_pool.h"

#include "sim/base/error.h"
#include "sim/explore/pool.h"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <exception>
#include <optional>

namespace npusim::app {

namespace {

using Task = std::function<std::string(std::size_t)>;
using Finished = std::function<void(std::size_t, const TaskOutcome&)>;

TaskOutcome attempt(const Task& task, std::size_t index) {
    try {
        return {true, false, task(index)};
    } catch (const ConfigError& error) {
        return {false, true, error.what()};
    } catch (const std::exception& error) {
        return {false, false, error.what()};
    }
}

/// First character of what a worker says of a task.
constexpr char kResult = '+';
constexpr char kRefusal = '-';

/// What else a task throws is the pool's to report.
std::string said(const Task& task, std::size_t index) {
    try {
        return kResult + task(index);
    } catch (const ConfigError& error) {
        return kRefusal + std::string(error.what());
    }
}

TaskOutcome outcome_of(const explore::Answer& answer) {
    if (answer.status != explore::Status::Done) {
        return {false, false, answer.text};
    }
    const bool done = answer.text.front() == kResult;
    return {done, !done, answer.text.substr(1)};
}

/// Runs them in a pool, unless a signal comes: which.
int run_in_pool(std::vector<TaskOutcome>& outcomes,
                std::size_t workers,
                const Task& task,
                const Finished& finished) {
    const auto work = [&](std::size_t /*worker*/, std::uint64_t index) {
        return said(task, index);
    };
    explore::Pool pool({.workers = std::min(workers, outcomes.size())}, work);
    std::size_t next = 0;
    const auto submit = [&] {
        while (next < outcomes.size() && pool.room() > 0) {
            pool.submit(next++);
        }
    };
    submit();
    while (const std::optional<explore::Answer> answer = pool.next()) {
        outcomes[answer->task] = outcome_of(*answer);
        finished(answer->task, outcomes[answer->task]);
        submit();
    }
    return pool.signal();
}

} // namespace

std::vector<TaskOutcome>
in_processes(std::size_t count, std::size_t workers, const Task& task, const Finished& finished) {
    std::vector<TaskOutcome> outcomes(count);
    if (workers <= 1 || count == 0) {
        for (std::size_t i = 0; i < count; ++i) {
            outcomes[i] = attempt(task, i);
            finished(i, outcomes[i]);
        }
    } else if (const int signal = run_in_pool(outcomes, workers, task, finished)) {
        std::raise(signal); // the pool, which held it back, has ended
    }
    return outcomes;
}

} // namespace npusim::app
