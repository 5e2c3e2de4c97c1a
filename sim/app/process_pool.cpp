// SPDX-License-Identifier: Apache-2.0
#include "sim/app/process_pool.h"

#include "sim/base/error.h"
#include "sim/base/process_io.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace npusim::app {

namespace {

TaskOutcome attempt(const std::function<std::string(std::size_t)>& task, std::size_t index) {
    try {
        return {true, false, task(index)};
    } catch (const ConfigError& error) {
        return {false, true, error.what()};
    } catch (const std::exception& error) {
        return {false, false, error.what()};
    }
}

/// Head of an answer, followed by its text.
struct Answer {
    std::uint64_t size = 0;
    bool done = false;
    bool refused = false;
};

/// A child that takes indices from one pipe and writes answers to another.
class Worker {
  public:
    explicit Worker(const std::function<std::string(std::size_t)>& task) {
        std::array<int, 2> down{};
        std::array<int, 2> up{};
        if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0) {
            throw ModelError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
        }
        pid_ = ::fork();
        if (pid_ < 0) {
            throw ModelError(fmt::format("cannot start a process: {}", std::strerror(errno)));
        }
        if (pid_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            serve(down[0], up[1], task);
        }
        ::close(down[0]);
        ::close(up[1]);
        tasks_ = down[1];
        answers_ = up[0];
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    Worker(Worker&&) = delete;
    Worker& operator=(Worker&&) = delete;
    ~Worker() {
        ::close(tasks_);
        ::close(answers_);
        if (!reaped_) {
            // Later workers have inherited the pipe of its tasks, so it would not see the end.
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    [[nodiscard]] int answers() const { return answers_; }
    [[nodiscard]] std::optional<std::size_t> busy_with() const { return busy_with_; }

    bool give(std::size_t index) {
        busy_with_ = index;
        return write_all(tasks_, &index, sizeof index);
    }
    /// The answer to what was given; how the process ended if there is none.
    TaskOutcome take() {
        busy_with_.reset();
        Answer head;
        TaskOutcome outcome;
        if (read_all(answers_, &head, sizeof head)) {
            outcome.text.resize(head.size);
            if (read_all(answers_, outcome.text.data(), outcome.text.size())) {
                outcome.done = head.done;
                outcome.refused = head.refused;
                return outcome;
            }
        }
        int status = 0;
        ::waitpid(pid_, &status, 0);
        reaped_ = true;
        outcome.text = describe_end(status);
        return outcome;
    }
    [[nodiscard]] bool alive() const { return !reaped_; }

  private:
    [[noreturn]] static void
    serve(int tasks, int answers, const std::function<std::string(std::size_t)>& task) {
        std::size_t index = 0;
        while (read_all(tasks, &index, sizeof index)) {
            const TaskOutcome outcome = attempt(task, index);
            const Answer head{outcome.text.size(), outcome.done, outcome.refused};
            if (!write_all(answers, &head, sizeof head) ||
                !write_all(answers, outcome.text.data(), outcome.text.size())) {
                break;
            }
        }
        ::_exit(0); // the parent's objects are not the child's to tear down
    }

    pid_t pid_ = 0;
    int tasks_ = -1;
    int answers_ = -1;
    bool reaped_ = false;
    std::optional<std::size_t> busy_with_;
};

} // namespace

std::vector<TaskOutcome>
in_processes(std::size_t count,
             std::size_t workers,
             const std::function<std::string(std::size_t)>& task,
             const std::function<void(std::size_t, const TaskOutcome&)>& finished) {
    std::vector<TaskOutcome> outcomes(count);
    if (workers <= 1) {
        for (std::size_t i = 0; i < count; ++i) {
            outcomes[i] = attempt(task, i);
            finished(i, outcomes[i]);
        }
        return outcomes;
    }
    std::size_t next = 0;
    std::vector<std::unique_ptr<Worker>> pool;
    const auto start = [&](std::unique_ptr<Worker>& worker) {
        if (next == count) {
            worker.reset();
            return;
        }
        if (worker == nullptr || !worker->alive()) {
            worker = std::make_unique<Worker>(task);
        }
        worker->give(next++);
    };
    for (std::size_t i = 0; i < std::min(workers, count); ++i) {
        start(pool.emplace_back());
    }
    for (std::size_t done = 0; done < count;) {
        std::vector<pollfd> waiting;
        waiting.reserve(pool.size());
        for (const auto& worker : pool) {
            waiting.push_back({worker == nullptr ? -1 : worker->answers(), POLLIN, 0});
        }
        if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
            throw ModelError(fmt::format("cannot wait for processes: {}", std::strerror(errno)));
        }
        for (std::size_t i = 0; i < pool.size(); ++i) {
            if (pool[i] != nullptr && (waiting[i].revents & (POLLIN | POLLHUP)) != 0) {
                const std::size_t index = *pool[i]->busy_with();
                outcomes[index] = pool[i]->take();
                ++done;
                finished(index, outcomes[index]);
                start(pool[i]);
            }
        }
    }
    return outcomes;
}

} // namespace npusim::app
