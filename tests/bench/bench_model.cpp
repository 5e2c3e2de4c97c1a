// SPDX-License-Identifier: Apache-2.0
//
// Host speed and memory of the model, each workload in a process of its own, beside a bare SystemC
// loop timed in the same run, since machines differ and are noisy.
//
//   bench_model               the tables
//   bench_model --all         the slow workloads too
//   bench_model NAME...       those alone; cube-work is the table of products and conversions,
//                             tracing that of what traces cost
//   bench_model --json        a line of JSON for each
//   bench_model --inside NAME does that one once in this process and prints nothing: for profilers
#include "kernels/gemm/gemm.h"
#include "kernels/measured/gemm/tiled_gemm.h"
#include "sim/app/job.h"
#include "sim/app/layer.h"
#include "sim/app/operator_run.h"
#include "sim/app/run_program.h"
#include "sim/model/simulation.h"
#include "tests/bench/cube_work.h"
#include "tests/bench/workload.h"
#include "tests/support/machine.h"
#include "tests/support/scratch.h"
#include "traces/trace_file.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace npusim;
using bench::Cost;
using bench::Workload;

constexpr int kRepeats = 3;
constexpr std::string_view kCubeWork = "cube-work";
constexpr std::string_view kTracing = "tracing";
constexpr std::size_t kPipes = std::size_t{24} * 12; ///< of the raw loop: a 910B's

std::int64_t count(const config::HardwareConfig& chip,
                   const std::function<isa::Program(isa::CoreId)>& program_of) {
    std::int64_t instructions = 0;
    for (const isa::CoreId core : isa::core_ids(chip)) {
        isa::Program program = program_of(core);
        while (const isa::Block* block = program.next()) {
            instructions += static_cast<std::int64_t>(block->size());
        }
    }
    return instructions;
}

/// An inverse of `matrices` chunks.
Workload inverse(const std::string& kernel,
                 const std::string& chip_name,
                 std::int64_t matrices,
                 std::int64_t chunk,
                 bool functional,
                 double most_seconds = 0,
                 const std::string& trace = "") {
    const auto plan_on = [=](const config::HardwareConfig& chip) {
        const app::KernelRequest request = app::parse_request("inverse/" + kernel, {});
        return request.kernel->plan(chip, {matrices, chunk, DType::Fp16}, request.values);
    };
    Workload result;
    result.name =
        fmt::format("{}-{}-{}{}", kernel, chip_name, chunk, functional ? "-functional" : "");
    result.what = fmt::format("{} matrices {}x{} fp16", matrices, chunk, chunk);
    result.most_seconds = most_seconds;
    result.work = [=] {
        const config::HardwareConfig chip = test::hardware(chip_name);
        const auto plan = plan_on(chip);
        functional::GlobalMemory gm;
        if (functional) {
            // A = 0: any other takes as long.
            gm = functional::make_global_memory(plan->gm_bytes(), std::byte{0});
        }
        observe::StatisticsCollector statistics;
        observe::Observers observers{&statistics};
        std::unique_ptr<observe::Observer> tracer;
        if (!trace.empty()) {
            tracer = traces::open_trace(trace, chip, {}, traces::Detail::Instructions);
            observers.push_back(tracer.get());
        }
        model::simulate(
            chip,
            {[&](isa::CoreId core) { return plan->program(core); }, functional ? &gm : nullptr},
            observers);
    };
    result.instructions = [=] {
        const config::HardwareConfig chip = test::hardware(chip_name);
        const auto plan = plan_on(chip);
        return count(chip, [&](isa::CoreId core) { return plan->program(core); });
    };
    return result;
}

using MakeOperator =
    std::function<std::unique_ptr<kernels::Operator>(const config::HardwareConfig&)>;

/// An operator on the 910B.
Workload product(std::string name,
                 std::string what,
                 const MakeOperator& make,
                 bool functional,
                 double most_seconds,
                 double most_mb) {
    Workload result{std::move(name), std::move(what), most_seconds, most_mb};
    result.work = [=] {
        const config::HardwareConfig chip = test::hardware("ascend-910b");
        const auto op = make(chip);
        if (!functional) {
            app::time_operator(chip, *op);
            return;
        }
        functional::GlobalMemory gm = functional::make_global_memory(op->gm_bytes(), std::byte{0});
        model::simulate(chip, {[&](isa::CoreId core) { return op->program(core); }, &gm}, {});
    };
    result.instructions = [=] {
        const config::HardwareConfig chip = test::hardware("ascend-910b");
        const auto op = make(chip);
        return count(chip, [&](isa::CoreId core) { return op->program(core); });
    };
    return result;
}

std::unique_ptr<kernels::Operator> gemm_2048(const config::HardwareConfig& chip) {
    return std::make_unique<kernels::Gemm>(chip, kernels::GemmShape{2048, 2048, 2048});
}

std::unique_ptr<kernels::Operator> small_products(const config::HardwareConfig& chip) {
    kernels::TiledGemmPlan plan;
    plan.m = std::int64_t{256} * 64;
    plan.k = 64;
    plan.n = 128;
    plan.tile_m = 64;
    plan.tile_n = 128;
    plan.x_slab = plan.w_slab = 64;
    plan.w_per_row = true;
    plan.tiles = kernels::deal_walk(256, 1, chip.ai_cores, kernels::Walk::Rows, 1);
    return std::make_unique<kernels::TiledGemm>(chip, plan);
}

/// All layers of a decoder.
Workload
prefill(const std::string& model, std::int64_t tokens, bool sampled, double seconds, double mb) {
    Workload result{fmt::format("prefill-{}-{}{}", model, tokens, sampled ? "-sampled" : ""),
                    fmt::format("{} tokens, all layers", tokens),
                    seconds,
                    mb};
    result.work = [=] {
        app::LayerJob job;
        job.tokens = tokens;
        job.sampled = sampled;
        job.inverse = app::parse_request("inverse/neumann", {});
        const config::HardwareConfig hardware = test::hardware("ascend-910b");
        app::OperatorTimer timer(hardware);
        app::cost_of_model(
            hardware,
            config::load_model(fmt::format("{}/configs/models/{}.yaml", NPUSIM_SOURCE_DIR, model)),
            job,
            true,
            {},
            timer);
    };
    return result;
}

std::vector<Workload> workloads() {
    std::vector<Workload> all;
    for (const char* chip : {"ascend-910b", "fused-local"}) {
        for (const char* kernel : {"forward-substitution", "neumann"}) {
            all.push_back(inverse(kernel, chip, 4096, 64, false));
            all.push_back(inverse(kernel, chip, 512, 64, true));
        }
    }
    all.push_back(inverse("neumann", "ascend-910b", 16'384, 128, false, 0.5));
    all.push_back(inverse("neumann", "ascend-910b", 16'384, 128, true, 10));
    all.push_back(product("gemm-2048", "2048^3 fp16", gemm_2048, false, 0.05, 50));
    all.push_back(product("gemm-2048-functional", "2048^3 fp16", gemm_2048, true, 1, 0));
    all.push_back(
        product("small-products", "256 of 64x64x128 fp16", small_products, false, 0.02, 0));
    all.push_back(prefill("qwen3.5-0.8b", 1024, false, 0, 0));
    all.push_back(prefill("qwen3.5-27b", 131'072, true, 5, 200));
    all.push_back(prefill("qwen3.5-27b", 131'072, false, 0, 200));
    all.back().slow = true;
    return all;
}

std::string limit(double value, double most, const char* format) {
    return most > 0 ? fmt::format(fmt::runtime(format), value / most) : "-";
}

/// The cube's part of a run on data, beside what a library makes of the same host.
void cube_work(bool json) {
    constexpr double kLeastOfEigen = 0.6; ///< an Mmad should reach this
    if (!json) {
        fmt::print("\n{:<12} {:>6} {:>14} {:>9} {:>9} {:>9} {:>9}\n",
                   "product",
                   "side",
                   "Mmad, GFLOP/s",
                   "alone",
                   "Eigen",
                   "of Eigen",
                   "of limit");
    }
    const std::vector<bench::ProductSpeed> products = bench::product_speeds();
    if (!products.front().eigen) {
        fmt::print(stderr, "bench_model: built without Eigen (libeigen3-dev): no ratio to it\n");
    }
    for (const bench::ProductSpeed& speed : products) {
        const double ratio = speed.eigen ? speed.mmad / *speed.eigen : 0;
        if (json) {
            fmt::print(
                "{}\n",
                nlohmann::json{
                    {"workload", fmt::format("mmad-{}-{}", to_string(speed.dtype), speed.side)},
                    {"gflops", speed.mmad},
                    {"gflops_alone", speed.product},
                    {"of_eigen", ratio}}
                    .dump());
            continue;
        }
        fmt::print("{:<12} {:>6} {:>14.0f} {:>9.0f} {:>9} {:>9} {:>9}\n",
                   to_string(speed.dtype),
                   speed.side,
                   speed.mmad,
                   speed.product,
                   speed.eigen ? fmt::format("{:.0f}", *speed.eigen) : "-",
                   limit(ratio, 1, "{:.2f}"),
                   limit(kLeastOfEigen, ratio, "{:.2f}"));
    }
    if (!json) {
        fmt::print("\n{:<12} {:>21} {:>9}\n", "conversion", "to fp32, G values/s", "from fp32");
    }
    for (const bench::ConversionSpeed& speed : bench::conversion_speeds()) {
        if (json) {
            fmt::print(
                "{}\n",
                nlohmann::json{{"workload", fmt::format("convert-{}", to_string(speed.dtype))},
                               {"to_fp32_per_ns", speed.load},
                               {"from_fp32_per_ns", speed.store}}
                    .dump());
            continue;
        }
        fmt::print("{:<12} {:>21.1f} {:>9.1f}\n", to_string(speed.dtype), speed.load, speed.store);
    }
}

/// What a trace adds to a run.
void tracing(bool json) {
    constexpr double kMost = 2; ///< times the run without
    if (!json) {
        fmt::print("\n{:<22} {:<10} {:>9} {:>12} {:>7} {:>9} {:>7} {:>9}\n",
                   "traced run",
                   "format",
                   "CPU s",
                   "without",
                   "ratio",
                   "of limit",
                   "MB",
                   "ns/instr");
    }
    const test::Scratch scratch;
    for (const std::string kernel : {"neumann", "forward-substitution"}) {
        const auto workload = [&](const std::string& trace) {
            return inverse(kernel, "ascend-910b", 8192, 64, false, 0, trace);
        };
        const Cost without = bench::run(workload(""), kRepeats);
        const auto instructions = static_cast<double>(workload("").instructions());
        for (const std::string end : {".pftrace", ".json"}) {
            const Cost with =
                bench::run(workload((scratch.path() / ("t" + end)).string()), kRepeats);
            const double ratio = with.seconds / without.seconds;
            if (json) {
                fmt::print("{}\n",
                           nlohmann::json{{"workload", fmt::format("trace-{}{}", kernel, end)},
                                          {"cpu_seconds", with.seconds},
                                          {"peak_mb", with.mb},
                                          {"of_untraced", ratio}}
                               .dump());
                continue;
            }
            fmt::print("{:<22} {:<10} {:>9.3f} {:>12.3f} {:>7.2f} {:>9.2f} {:>7.0f} {:>9.0f}\n",
                       kernel,
                       end,
                       with.seconds,
                       without.seconds,
                       ratio,
                       ratio / kMost,
                       with.mb,
                       (with.seconds - without.seconds) / instructions * 1e9);
        }
    }
}

/// Runs a sweep with `workers` into a folder of its own; points a second, of the whole command.
double points_a_second(const std::string& file, int workers, const std::filesystem::path& folder) {
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = app::run_program({NPUSIM_BINARY,
                                           "sweep",
                                           file,
                                           "-q",
                                           "-j",
                                           std::to_string(workers),
                                           "-o",
                                           folder.string(),
                                           "--format",
                                           "json"});
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return nlohmann::json::parse(outcome.value().out)["points"]["done"].get<double>() / seconds;
}

/// Sweeps of small timing-only inverses, with one worker and with two in turns: points a second,
/// and how much of two the second one gives.
void sweeping(bool json) {
    constexpr double kLeast = 100; ///< points a second, of two workers
    constexpr double kLeastEfficiency = 0.9;
    constexpr int kTurns = 5;
    const test::Scratch scratch;
    const std::string file = (scratch.path() / "sweep.yaml").string();
    std::ofstream(file) << fmt::format(
        "name: bench\n"
        "hardware: {}/configs/hardware/ascend-910b.yaml\n"
        "job: {{kind: inverse, chunk: 64, tokens: 6144, accuracy: no}}\n"
        "axes:\n"
        "  - {{key: hardware.ai_cores, range: {{from: 1, to: 24, step: 1}}}}\n"
        "  - {{key: hardware.scalar.issue_cycles, range: {{from: 1, to: 16, step: 1}}}}\n"
        "  - {{key: hardware.launch_cycles, range: {{from: 1, to: 3, step: 1}}}}\n"
        "  - {{key: job.kernel, values: [inverse/neumann, inverse/mixed]}}\n"
        "objectives: [{{name: cycles, direction: min}}, {{name: area_mm2, direction: min}}]\n",
        NPUSIM_SOURCE_DIR);
    std::array<std::vector<double>, 2> rates;
    std::vector<double> efficiencies;
    for (int turn = 0; turn < kTurns; ++turn) {
        for (const std::size_t workers : {1U, 2U}) {
            rates[workers - 1].push_back(
                points_a_second(file,
                                static_cast<int>(workers),
                                scratch.path() / fmt::format("{}-{}", turn, workers)));
        }
        efficiencies.push_back(rates[1].back() / rates[0].back() / 2);
    }
    std::ranges::sort(efficiencies);
    const double one = std::ranges::max(rates[0]);
    const double two = std::ranges::max(rates[1]);
    const double median = efficiencies[efficiencies.size() / 2];
    if (json) {
        fmt::print("{}\n",
                   nlohmann::json{{"workload", "sweep"},
                                  {"points_per_second", two},
                                  {"efficiency", two / one / 2},
                                  {"efficiency_median", median}}
                       .dump());
        return;
    }
    fmt::print(
        "\nsweep of 3 ms points, best of {} turns: {:.0f} points/s with a worker, {:.0f} with "
        "two ({:.2f} of limit)\n"
        "efficiency of two workers: {:.2f} of the best turns ({:.2f} of limit), {:.2f} in the "
        "middle turn\n",
        kTurns,
        one,
        two,
        kLeast / two,
        two / one / 2,
        kLeastEfficiency / (two / one / 2),
        median);
}

int main_of(const std::vector<std::string>& arguments) {
    bool json = false;
    bool everything = false;
    bool inside = false;
    std::vector<std::string> names;
    for (const std::string& argument : arguments) {
        json = json || argument == "--json";
        everything = everything || argument == "--all";
        inside = inside || argument == "--inside";
        if (!argument.starts_with("--")) {
            names.push_back(argument);
        }
    }
    std::vector<Workload> chosen;
    for (const Workload& workload : workloads()) {
        if (std::ranges::find(names, workload.name) != names.end() ||
            (names.empty() && (everything || !workload.slow))) {
            chosen.push_back(workload);
        }
    }
    if (inside) {
        chosen.front().work();
        return 0;
    }
    const double raw = chosen.empty() ? 0 : bench::raw_events_per_second(kPipes);
    if (!json && !chosen.empty()) {
        fmt::print("raw SystemC: {:.2f} M timed events/s with {} processes. CPU seconds are the "
                   "least of {} runs;\n\"of limit\": 1 is what it should take at most\n\n"
                   "{:<38} {:<30} {:>9} {:>9} {:>7} {:>7} {:>9} {:>9} {:>9}\n",
                   raw / 1e6,
                   kPipes,
                   kRepeats,
                   "workload",
                   "",
                   "CPU s",
                   "of limit",
                   "MB",
                   "limit",
                   "M instr",
                   "M i/s",
                   "i/raw ev");
    }
    for (const Workload& workload : chosen) {
        const Cost cost = bench::run(workload, workload.slow ? 1 : kRepeats);
        const std::int64_t instructions = workload.instructions ? workload.instructions() : 0;
        const double rate = static_cast<double>(instructions) / cost.seconds;
        if (json) {
            fmt::print("{}\n",
                       nlohmann::json{{"workload", workload.name},
                                      {"cpu_seconds", cost.seconds},
                                      {"peak_mb", cost.mb},
                                      {"instructions", instructions},
                                      {"raw_events_per_second", raw},
                                      {"instructions_per_raw_event", rate / raw}}
                           .dump());
            continue;
        }
        fmt::print("{:<38} {:<30} {:>9.3f} {:>9} {:>7.0f} {:>7} {:>9.3f} {:>9} {:>9}\n",
                   workload.name,
                   workload.what,
                   cost.seconds,
                   limit(cost.seconds, workload.most_seconds, "{:.2f}"),
                   cost.mb,
                   limit(cost.mb, workload.most_mb, "{:.2f}"),
                   static_cast<double>(instructions) / 1e6,
                   instructions > 0 ? fmt::format("{:.2f}", rate / 1e6) : "-",
                   instructions > 0 ? fmt::format("{:.2f}", rate / raw) : "-");
    }
    if (names.empty() || std::ranges::find(names, kCubeWork) != names.end()) {
        cube_work(json);
    }
    if (names.empty() || std::ranges::find(names, kTracing) != names.end()) {
        tracing(json);
        sweeping(json);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1); // NOLINT(concurrency-mt-unsafe)
    try {
        return main_of({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_model: {}\n", error.what());
        return 1;
    }
}
