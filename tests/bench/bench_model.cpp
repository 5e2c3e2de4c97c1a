// SPDX-License-Identifier: Apache-2.0
//
// Host speed of the model: instructions a second, beside a bare SystemC loop timed in the same run,
// since machines differ and are noisy. Modelled cycles are printed only to say what was run.
//
//     workload                                  instructions   CPU s   M instr/s   of raw events
#include "sim/app/job.h"
#include "sim/model/simulation.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <systemc>
#include <vector>

namespace {

using namespace npusim;

constexpr int kRepeats = 3;

/// Least CPU seconds of kRepeats calls.
template <class F> double cpu_seconds(F work) {
    double best = 1e30;
    for (int i = 0; i < kRepeats; ++i) {
        const std::clock_t start = std::clock();
        work();
        best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return best;
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

/// Timed events a second of SystemC itself, with as many processes as `pipes` and mixed delays.
double raw_events_per_second(std::size_t pipes) {
    constexpr std::int64_t kEvents = 4'000'000;
    const auto wakes = kEvents / static_cast<std::int64_t>(pipes);
    const double seconds = cpu_seconds([&] {
        sc_core::sc_get_curr_simcontext()->reset();
        std::vector<std::unique_ptr<Ticker>> tickers;
        for (std::size_t i = 0; i < pipes; ++i) {
            const std::string name = fmt::format("ticker{}", i);
            tickers.push_back(std::make_unique<Ticker>(
                sc_core::sc_module_name(name.c_str()), 20 + 7 * i % 90, wakes));
        }
        sc_core::sc_start();
    });
    return static_cast<double>(wakes) * static_cast<double>(pipes) / seconds;
}

/// Length of all programs of a job, and the time to generate them alone.
struct Generated {
    std::int64_t instructions = 0;
    double seconds = 0;
};
Generated generate(const config::HardwareConfig& hardware,
                   const app::KernelRequest& request,
                   const kernels::Problem& problem) {
    Generated result;
    const auto plan = request.kernel->plan(hardware, problem, request.values);
    result.seconds = cpu_seconds([&] {
        result.instructions = 0;
        for (const isa::CoreId core : isa::core_ids(hardware)) {
            isa::Program program = plan->program(core);
            while (const isa::Block* block = program.next()) {
                result.instructions += static_cast<std::int64_t>(block->size());
            }
        }
    });
    return result;
}

void measure(const std::string& config,
             const std::string& kernel,
             std::int64_t count,
             bool functional,
             double raw) {
    const config::HardwareConfig hardware = config::load_hardware(
        fmt::format("{}/configs/hardware/{}.yaml", NPUSIM_SOURCE_DIR, config));
    const app::KernelRequest request = app::parse_request(kernel, {});
    const kernels::Problem problem{count, 64, DType::Fp16};
    inverse::Matrices matrices;
    if (functional) {
        matrices = inverse::load_input("random", problem.chunk, count, 1);
    }
    const auto plan = request.kernel->plan(hardware, problem, request.values);
    functional::GlobalMemory gm;
    if (functional) {
        gm = functional::make_global_memory(plan->gm_bytes());
    }
    const Generated generated = generate(hardware, request, problem);
    Cycles cycles;
    const double seconds = cpu_seconds([&] {
        observe::StatisticsCollector statistics;
        const model::Job job{[&](isa::CoreId core) { return plan->program(core); },
                             functional ? &gm : nullptr};
        cycles = model::simulate(hardware, job, {&statistics});
    });
    const double rate = static_cast<double>(generated.instructions) / seconds;
    fmt::print("{:<13} {:<29} {:>6} {:<11} {:>11} {:>10} {:>7.3f} {:>8.2f} {:>9.1f}% {:>9.3f}\n",
               config,
               kernel,
               count,
               functional ? "functional" : "timing only",
               cycles.count(),
               generated.instructions,
               seconds,
               rate / 1e6,
               100 * rate / raw,
               generated.seconds);
}

double peak_memory_mb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

} // namespace

int main() {
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1); // NOLINT(concurrency-mt-unsafe)
    const double raw = raw_events_per_second(24 * 12);
    fmt::print("raw SystemC: {:.2f} M timed events/s with 288 processes; "
               "CPU seconds are the least of {} runs\n\n",
               raw / 1e6,
               kRepeats);
    fmt::print("{:<13} {:<29} {:>6} {:<11} {:>11} {:>10} {:>7} {:>8} {:>10} {:>9}\n",
               "hardware",
               "kernel, chunk 64, fp16",
               "count",
               "mode",
               "cycles",
               "instr",
               "CPU s",
               "M i/s",
               "i/raw ev",
               "generate");
    for (const bool functional : {false, true}) {
        const std::int64_t count = functional ? 512 : 4096;
        for (const char* config : {"ascend-910b", "fused-local"}) {
            measure(config, "inverse/forward-substitution", count, functional, raw);
            measure(config, "inverse/neumann", count, functional, raw);
        }
    }
    fmt::print("\npeak memory: {:.0f} MB\n", peak_memory_mb());
    return 0;
}
