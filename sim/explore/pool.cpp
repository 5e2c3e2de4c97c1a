// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/pool.h"

#include "sim/base/error.h"
#include "sim/explore/process_io.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <new>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace npusim::explore {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kQueue = 16;     ///< tasks a worker may have
constexpr double kQueueSeconds = 0.05; ///< of work that a worker has at hand

[[noreturn]] void fail(std::string_view what) {
    throw ModelError(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// Head of an answer on the pipe, followed by its text.
struct Head {
    std::uint64_t size = 0;
    Status status = Status::Done;
    double seconds = 0;
};

volatile std::sig_atomic_t signal_seen = 0;

extern "C" void on_signal(int signal) {
    signal_seen = signal;
}

/// Holds SIGINT and SIGTERM back while it lasts.
class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t held;
        ::sigemptyset(&held);
        ::sigaddset(&held, SIGINT);
        ::sigaddset(&held, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &held, &before_);
    }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;
    SignalsHeld(SignalsHeld&&) = delete;
    SignalsHeld& operator=(SignalsHeld&&) = delete;
    ~SignalsHeld() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

    /// Those that were held before.
    [[nodiscard]] const sigset_t& before() const { return before_; }

  private:
    sigset_t before_{};
};

timespec to_timespec(Seconds time) {
    const double seconds = std::max(0.0, time.count());
    const double whole = std::floor(seconds);
    return {static_cast<time_t>(whole), static_cast<long>((seconds - whole) * 1e9)};
}

/// While it lasts, SIGINT and SIGTERM are noted rather than fatal, and writing to a worker that has
/// gone is an error rather than fatal.
class Signals {
  public:
    Signals() {
        signal_seen = 0;
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            before_[i] = install(kSignals[i], kSignals[i] == SIGPIPE ? SIG_IGN : on_signal);
        }
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    Signals(Signals&&) = delete;
    Signals& operator=(Signals&&) = delete;
    ~Signals() { restore(); }

    static bool seen() { return signal_seen != 0; }
    /// poll() of the files until `limit` or a signal.
    static void wait(std::vector<pollfd>& files, std::optional<Seconds> limit) {
        const SignalsHeld held; // none may come between the look at seen() and the wait
        const timespec time = to_timespec(limit.value_or(Seconds(0)));
        if (seen() ||
            ::ppoll(files.data(), files.size(), limit ? &time : nullptr, &held.before()) < 0) {
            if (!seen() && errno != EINTR) {
                fail("cannot wait for processes");
            }
            for (pollfd& file : files) {
                file.revents = 0;
            }
        }
    }
    /// For a worker: a signal to the whole group of processes is its parent's affair.
    void leave_to_parent() const {
        restore();
        install(SIGINT, SIG_IGN);
        install(SIGTERM, SIG_IGN);
    }

  private:
    static constexpr std::array kSignals{SIGINT, SIGTERM, SIGPIPE};

    /// What was there before.
    static struct sigaction install(int signal, void (*handler)(int)) {
        struct sigaction action {};
        struct sigaction before {};
        action.sa_handler = handler;
        ::sigaction(signal, &action, &before);
        return before;
    }
    void restore() const {
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            ::sigaction(kSignals[i], &before_[i], nullptr);
        }
    }

    std::array<struct sigaction, kSignals.size()> before_{};
};

/// What `work` makes of a task.
Answer attempt(const Work& work, std::size_t worker, std::uint64_t task) {
    try {
        return {task, Status::Done, work(worker, task), 0};
    } catch (const std::bad_alloc&) {
        return {task, Status::OutOfMemory, "it wanted more memory than allowed", 0};
    } catch (const std::exception& error) {
        return {task, Status::Failed, error.what(), 0};
    }
}

Answer timed_attempt(const Work& work, std::size_t worker, std::uint64_t task) {
    const Clock::time_point start = Clock::now();
    Answer answer = attempt(work, worker, task);
    answer.seconds = Seconds(Clock::now() - start).count();
    return answer;
}

/// The body of a worker process: answers to tasks until no more come. After one out of memory, what
/// is left may not do for another. What gets past `attempt` ends the process, not the parent's code
/// in it.
[[noreturn]] void serve(int tasks, int answers, std::size_t worker, const Work& work) noexcept {
    std::uint64_t task = 0;
    while (read_all(tasks, &task, sizeof task)) {
        const Answer answer = timed_attempt(work, worker, task);
        const Head head{answer.text.size(), answer.status, answer.seconds};
        if (!write_all(answers, &head, sizeof head) ||
            !write_all(answers, answer.text.data(), answer.text.size()) ||
            answer.status == Status::OutOfMemory) {
            break;
        }
    }
    ::_exit(0); // the parent's objects are not the child's to tear down
}

void limit_memory(std::uint64_t bytes) {
    if (bytes > 0) {
        const rlimit limit{bytes, bytes};
        ::setrlimit(RLIMIT_AS, &limit);
    }
}

/// A worker process and the tasks it has been given. It answers them in order, so the first one is
/// the one it is at.
class Worker {
  public:
    /// `entry(tasks, answers)` is the new process.
    template <class Entry> explicit Worker(Entry entry) {
        std::array<int, 2> down{};
        std::array<int, 2> up{};
        if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0) {
            fail("cannot make a pipe");
        }
        pid_ = ::fork();
        if (pid_ < 0) {
            fail("cannot start a process");
        }
        if (pid_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            entry(down[0], up[1]);
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
        kill();
        close_pipes();
        reap();
    }

    [[nodiscard]] int answers() const { return answers_; }
    [[nodiscard]] const std::deque<std::uint64_t>& queue() const { return queue_; }
    [[nodiscard]] Seconds busy_for() const { return Clock::now() - since_; }
    void close_pipes() const {
        ::close(tasks_);
        ::close(answers_);
    }

    void give(std::uint64_t task) {
        if (queue_.empty()) {
            since_ = Clock::now();
        }
        queue_.push_back(task);
        write_all(tasks_, &task, sizeof task); // a worker that has gone shows by its answers
    }
    /// The next answer, or nothing if the process has ended.
    std::optional<Answer> take() {
        Head head;
        Answer answer;
        if (!read_all(answers_, &head, sizeof head)) {
            return std::nullopt;
        }
        answer.text.resize(head.size);
        if (!read_all(answers_, answer.text.data(), answer.text.size())) {
            return std::nullopt;
        }
        answer.task = take_task();
        answer.status = head.status;
        answer.seconds = head.seconds;
        return answer;
    }
    /// Takes the task the process is at off the queue.
    std::uint64_t take_task() {
        const std::uint64_t task = queue_.front();
        queue_.pop_front();
        since_ = Clock::now();
        return task;
    }
    void kill() const {
        if (!reaped_) {
            ::kill(pid_, SIGKILL);
        }
    }
    /// Waits for the end of the process; how it ended.
    int reap() {
        if (!reaped_) {
            while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
            }
            reaped_ = true;
        }
        return status_;
    }

  private:
    pid_t pid_ = 0;
    int tasks_ = -1;
    int answers_ = -1;
    bool reaped_ = false;
    int status_ = 0;
    Clock::time_point since_; ///< of the first task's beginning, as far as this side can tell
    std::deque<std::uint64_t> queue_;
};

} // namespace

class Pool::Workers {
  public:
    Workers(const PoolOptions& options, Work work)
        : options_(options), work_(std::move(work)),
          all_(std::max<std::size_t>(1, options.workers)) {
        for (std::size_t i = 0; i < all_.size(); ++i) {
            start(i);
        }
    }

    [[nodiscard]] std::size_t room() const {
        const std::size_t wanted = all_.size() * depth();
        return wanted - std::min(wanted, waiting_);
    }
    [[nodiscard]] bool idle() const { return waiting_ == 0; }

    void submit(std::uint64_t task) {
        ++waiting_;
        hand_over(task);
    }

    std::optional<Answer> next() {
        while (ready_.empty() && !idle() && !Signals::seen()) {
            wait();
        }
        if (ready_.empty() || Signals::seen()) {
            return std::nullopt;
        }
        Answer answer = std::move(ready_.front());
        ready_.pop_front();
        --waiting_;
        return answer;
    }

  private:
    void start(std::size_t index) {
        all_[index].reset(); // its pipes are not for the new process
        const pid_t parent = ::getpid();
        all_[index] = std::make_unique<Worker>([&](int tasks, int answers) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // NOLINT(*-vararg): no worker outlives the parent
            if (::getppid() != parent) {
                ::_exit(1);
            }
            for (const auto& other : all_) {
                if (other != nullptr) {
                    other->close_pipes();
                }
            }
            signals_.leave_to_parent();
            limit_memory(options_.memory_bytes);
            serve(tasks, answers, index, work_);
        });
    }

    /// Tasks a worker should have: the one it is at, and more where they are short, so that it
    /// does not wait for the next to arrive.
    [[nodiscard]] std::size_t depth() const {
        const double tasks = kQueueSeconds * static_cast<double>(answered_) / busy_seconds_;
        return answered_ == 0 || tasks < 1
                   ? 1
                   : static_cast<std::size_t>(std::min(tasks, static_cast<double>(kQueue)));
    }

    void hand_over(std::uint64_t task) {
        const auto worker =
            std::ranges::min_element(all_, {}, [](const auto& one) { return one->queue().size(); });
        (*worker)->give(task);
    }

    /// Until something happens: an answer, the end of a worker, a task over its time, a signal.
    void wait() {
        std::vector<pollfd> files;
        for (const auto& worker : all_) {
            files.push_back({worker->answers(), POLLIN, 0});
        }
        Signals::wait(files, time_left());
        for (std::size_t i = 0; i < all_.size(); ++i) {
            if (files[i].revents != 0) {
                receive(i);
            } else if (is_late(*all_[i])) {
                stop_late(i);
            }
        }
    }

    [[nodiscard]] bool is_late(const Worker& worker) const {
        return options_.timeout.count() > 0 && !worker.queue().empty() &&
               worker.busy_for() >= options_.timeout;
    }
    /// Until the first task will be late.
    [[nodiscard]] std::optional<Seconds> time_left() const {
        std::optional<Seconds> least;
        for (const auto& worker : all_) {
            if (options_.timeout.count() > 0 && !worker->queue().empty()) {
                const Seconds left = options_.timeout - worker->busy_for();
                least = least ? std::min(*least, left) : left;
            }
        }
        return least;
    }

    void receive(std::size_t index) {
        Worker& worker = *all_[index];
        if (std::optional<Answer> answer = worker.take()) {
            const bool out_of_memory = answer->status == Status::OutOfMemory;
            add(std::move(*answer));
            if (out_of_memory) { // and has ended
                replace(index);
            }
            return;
        }
        const Seconds busy = worker.busy_for();
        const std::string end = describe_end(worker.reap());
        if (!worker.queue().empty()) {
            add({worker.take_task(), Status::Crashed, end, busy.count()});
        }
        replace(index);
    }

    void stop_late(std::size_t index) {
        Worker& worker = *all_[index];
        const double seconds = worker.busy_for().count();
        add({worker.take_task(),
             Status::Timeout,
             fmt::format("it took longer than {} seconds", options_.timeout.count()),
             seconds});
        replace(index);
    }

    /// A new process for a worker; what was queued at it goes on elsewhere.
    void replace(std::size_t index) {
        const std::deque<std::uint64_t> left = all_[index]->queue();
        start(index);
        for (const std::uint64_t task : left) {
            hand_over(task);
        }
    }

    void add(Answer answer) {
        ++answered_;
        busy_seconds_ += answer.seconds;
        ready_.push_back(std::move(answer));
    }

    PoolOptions options_;
    Work work_;
    Signals signals_;
    std::vector<std::unique_ptr<Worker>> all_;
    std::deque<Answer> ready_;
    std::size_t waiting_ = 0; ///< tasks submitted and not answered to the caller
    std::uint64_t answered_ = 0;
    double busy_seconds_ = 0;
};

Pool::Pool(const PoolOptions& options, Work work)
    : workers_(std::make_unique<Workers>(options, std::move(work))) {}
Pool::~Pool() = default;

std::size_t Pool::room() const {
    return workers_->room();
}
bool Pool::idle() const {
    return workers_->idle();
}
int Pool::signal() const { // NOLINT(*-convert-member-functions-to-static)
    return signal_seen;
}
void Pool::submit(std::uint64_t task) {
    workers_->submit(task);
}
std::optional<Answer> Pool::next() {
    return workers_->next();
}

} // namespace npusim::explore
