// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/record.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace npusim::explore {

struct PoolOptions {
    std::size_t workers = 1;
    std::chrono::duration<double> timeout{0}; ///< for one task; 0: none
    std::uint64_t memory_bytes = 0;           ///< address space of a worker; 0: no limit
};

/// What became of a task.
struct Answer {
    std::uint64_t task = 0;
    Status status = Status::Done;
    std::string text; ///< the task's result; else what went wrong
    double seconds = 0;
};

/// What a worker does: the number of the worker, then that of the task.
using Work = std::function<std::string(std::size_t worker, std::uint64_t task)>;

/// Worker processes, forked from this one with all that is loaded, to which tasks are handed one
/// after the other. A task that throws, crashes, or goes past a limit is lost alone; its worker is
/// replaced. Workers end with the pool, and with this process however that ends.
///
/// While a pool exists SIGINT and SIGTERM of this process interrupt it: tasks are given up, workers
/// end. Fork only from a process with one thread. One pool at a time.
class Pool {
  public:
    /// Throws ModelError if processes cannot be started.
    Pool(const PoolOptions& options, Work work);
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    Pool(Pool&&) = delete;
    Pool& operator=(Pool&&) = delete;
    ~Pool();

    /// How many more tasks the workers can be given, so that none waits for work: a short queue
    /// each where tasks are short, otherwise one each.
    [[nodiscard]] std::size_t room() const;
    /// Whether nothing that was submitted is without an answer.
    [[nodiscard]] bool idle() const;
    /// The signal that interrupted it; 0: none.
    [[nodiscard]] int signal() const;
    [[nodiscard]] bool interrupted() const { return signal() != 0; }

    /// Hands over a task.
    void submit(std::uint64_t task);
    /// Waits for an answer. Nothing if idle or interrupted.
    std::optional<Answer> next();

  private:
    class Workers;
    std::unique_ptr<Workers> workers_;
};

} // namespace npusim::explore
