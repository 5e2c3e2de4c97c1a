// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/workload.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemc>
#include <unistd.h>

namespace npusim::bench {

namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// CPU seconds and peak memory of a child that does `work` and nothing else.
Cost in_child(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child < 0) {
        throw std::runtime_error("cannot start a process");
    }
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error("the work failed");
    }
    return {seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            static_cast<double>(usage.ru_maxrss) / 1024};
}

/// A method that wakes itself after a delay, as a pipe does, and does nothing else.
class Ticker : public sc_core::sc_module {
  public:
    Ticker(const sc_core::sc_module_name& name, std::uint64_t delay, std::int64_t wakes)
        : sc_module(name), delay_(sc_core::sc_time::from_value(delay)), left_(wakes) {
        SC_HAS_PROCESS(Ticker);
        SC_METHOD(tick);
        sensitive << wake_;
    }

  private:
    void tick() {
        if (left_-- > 0) {
            wake_.notify(delay_);
        }
    }
    sc_core::sc_time delay_;
    std::int64_t left_;
    sc_core::sc_event wake_;
};

} // namespace

Cost run(const Workload& workload, int repeats) {
    Cost best{std::numeric_limits<double>::infinity(), 0};
    for (int i = 0; i < repeats; ++i) {
        const Cost cost = in_child(workload.work);
        best.seconds = std::min(best.seconds, cost.seconds);
        best.mb = std::max(best.mb, cost.mb);
    }
    return best;
}

double raw_events_per_second(std::size_t pipes) {
    constexpr std::int64_t kEvents = 4'000'000;
    constexpr int kRepeats = 3;
    const auto wakes = kEvents / static_cast<std::int64_t>(pipes);
    double best = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
        sc_core::sc_get_curr_simcontext()->reset();
        std::vector<std::unique_ptr<Ticker>> tickers;
        for (std::size_t i = 0; i < pipes; ++i) {
            const std::string name = fmt::format("ticker{}", i);
            tickers.push_back(std::make_unique<Ticker>(
                sc_core::sc_module_name(name.c_str()), 20 + 7 * i % 90, wakes));
        }
        const std::clock_t start = std::clock();
        sc_core::sc_start();
        best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    sc_core::sc_get_curr_simcontext()->reset();
    return static_cast<double>(wakes) * static_cast<double>(pipes) / best;
}

} // namespace npusim::bench
