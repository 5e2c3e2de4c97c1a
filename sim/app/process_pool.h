// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace npusim::app {

/// What became of one task: its result, or how its process ended.
struct TaskOutcome {
    bool done = false;
    bool refused = false; ///< bad input (ConfigError)
    std::string text;     ///< the result; else what went wrong
};

/// Runs `task(i)` for 0 <= i < count in `workers` child processes (one simulation each at a time;
/// SystemC allows no more) and returns what each made of it. A task that throws or takes its
/// process down is lost alone. `finished` hears what became of every task when it ends, in the
/// parent. With one worker all runs in this process. A signal that ends this process ends the
/// workers first.
std::vector<TaskOutcome>
in_processes(std::size_t count,
             std::size_t workers,
             const std::function<std::string(std::size_t)>& task,
             const std::function<void(std::size_t, const TaskOutcome&)>& finished);

} // namespace npusim::app
