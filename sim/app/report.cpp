// SPDX-License-Identifier: Apache-2.0
#include "sim/app/report.h"

#include "sim/app/report_parts.h"
#include "sim/app/select_report.h"
#include "sim/app/table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>

namespace npusim::app {

namespace {

using observe::CoreStatistics;
using observe::PipeStatistics;

const PipeStatistics& statistics_of(const CoreStatistics& core, Pipe pipe) {
    return core.pipes[static_cast<std::size_t>(pipe)];
}

std::string parameters_text(const Result& result) {
    std::string text;
    for (const kernels::Parameter& parameter : result.parameters) {
        text += fmt::format("{}{}={}",
                            text.empty() ? "" : " ",
                            parameter.name,
                            kernels::parameter_text(parameter, result.values.at(parameter.name)));
    }
    return text.empty() ? "-" : text;
}

double speedup(const std::vector<Result>& results, const Result& result) {
    return static_cast<double>(results.front().statistics.total.count()) /
           static_cast<double>(result.statistics.total.count());
}

double speedup_after_launch(const std::vector<Result>& results, const Result& result) {
    return static_cast<double>(results.front().cycles_after_launch()) /
           static_cast<double>(result.cycles_after_launch());
}

/// Cycles in which neither cube nor vector executes, on the core that finished last.
std::int64_t overhead(const Result& result) {
    return (result.statistics.total - result.statistics.last().arithmetic).count();
}

double chip_utilization(const Result& result, Pipe pipe) {
    return utilization(result.statistics, pipe, result.statistics.total.count());
}

std::string kibibytes(std::int64_t bytes) {
    return fmt::format("{:.1f}", static_cast<double>(bytes) / 1024);
}

/// "busy 7140, flag 15451, ..., idle 625" in cycles for one pipe, largest stall first.
std::string pipe_text(const CoreStatistics& core, Pipe pipe, Cycles total) {
    const PipeStatistics& statistics = statistics_of(core, pipe);
    std::vector<std::pair<std::int64_t, std::string_view>> stalls;
    for (std::size_t s = 1; s < observe::kStateCount; ++s) {
        if (statistics.cycles[s] > 0) {
            stalls.emplace_back(statistics.cycles[s], observe::kStateNames[s]);
        }
    }
    std::stable_sort(stalls.begin(), stalls.end(), [](const auto& a, const auto& b) {
        return a.first > b.first;
    });
    std::string text = fmt::format("busy {}", statistics.busy());
    for (const auto& [cycles, reason] : stalls) {
        text += fmt::format(", {} {}", reason, cycles);
    }
    return text + fmt::format(", idle {}", statistics.idle(total));
}

json pipe_json(const PipeStatistics& statistics, Cycles total) {
    json stall = json::object();
    for (std::size_t s = 1; s < observe::kStateCount; ++s) {
        if (statistics.cycles[s] > 0) {
            stall[std::string(observe::kStateNames[s])] = statistics.cycles[s];
        }
    }
    return {{"busy", statistics.busy()},
            {"stall", stall},
            {"idle", statistics.idle(total)},
            {"utilization", ratio(statistics.busy(), total.count())}};
}

json pipes_json(const CoreStatistics& core, Cycles total) {
    json pipes = json::object();
    for (const Pipe pipe : core.info.pipes) {
        pipes[std::string(to_string(pipe))] = pipe_json(statistics_of(core, pipe), total);
    }
    return pipes;
}

json figures_json(const inverse::Accuracy& accuracy) {
    return {{"matrices", accuracy.matrices},
            {"rel_frobenius_median", number(accuracy.rel_frobenius_median)},
            {"rel_frobenius_max", number(accuracy.rel_frobenius_max)},
            {"snr_db_mean", number(accuracy.snr_db_mean)},
            {"snr_db_worst", number(accuracy.snr_db_worst)},
            {"non_finite", accuracy.non_finite}};
}

json accuracy_json(const Result& result) {
    if (!result.accuracy) {
        return nullptr;
    }
    json total = figures_json(*result.accuracy);
    if (result.cases.size() > 1) {
        for (const inverse::CaseAccuracy& part : result.cases) {
            json entry{{"name", part.name}};
            entry.update(figures_json(part.accuracy));
            total["cases"].push_back(entry);
        }
    }
    return total;
}

/// What the number format did, step by step.
json numerics_json(const Result& result) {
    json steps = json::array();
    for (const StepNumerics& step : result.steps) {
        steps.push_back({{"step", step.name},
                         {"peak", step.peak},
                         {"peak_code", step.peak_code},
                         {"saturated_share", step.saturated_share},
                         {"flushed_share", step.flushed_share}});
    }
    return {{"steps", steps}, {"saturated_accumulators", result.saturated_accumulators}};
}

std::string steps_text(const Result& result) {
    if (result.steps.empty()) {
        return {};
    }
    std::string text = fmt::format("{}: stored results by step\n", result.kernel);
    for (const StepNumerics& step : result.steps) {
        const std::string code = is_integer(result.problem.dtype)
                                     ? fmt::format(" as {:<6}", step.peak_code)
                                     : std::string();
        text += fmt::format("  {:<8} peak {:<10.4g}{} saturated {:<8} flushed to zero {}\n",
                            step.name,
                            step.peak,
                            code,
                            percent(step.saturated_share),
                            percent(step.flushed_share));
    }
    if (result.saturated_accumulators > 0) {
        text += fmt::format("  {} sums clamped in L0C\n", result.saturated_accumulators);
    }
    return text;
}

json energy_json(const std::optional<physical::Energy>& energy) {
    return energy ? json{{"total_uj", energy->joules() * kMicro},
                         {"mean_w", number(energy->watts())},
                         {"parts_uj", parts_json(energy->parts, kMicro)},
                         {"pipes_uj", parts_json(energy->pipes, kMicro)}}
                  : json(nullptr);
}

json area_json(const std::optional<physical::Area>& area) {
    return area ? json{{"chip_mm2", area->chip()},
                       {"ai_cores", area->ai_cores},
                       {"ai_core_mm2", physical::sum(area->ai_core)},
                       {"ai_core_parts_mm2", parts_json(area->ai_core, 1)},
                       {"l2_mm2", area->l2}}
                : json(nullptr);
}

json result_json(const std::vector<Result>& results, const Result& result) {
    const observe::RunStatistics& statistics = result.statistics;
    json cores = json::object();
    for (const CoreStatistics& core : statistics.cores) {
        cores[core.info.name] = {{"finish", core.finish.count()},
                                 {"arithmetic", core.arithmetic.count()},
                                 {"pipes", pipes_json(core, statistics.total)}};
    }
    return {{"kernel", result.kernel},
            {"hardware", result.hardware},
            {"chunk", result.problem.chunk},
            {"dtype", to_string(result.problem.dtype)},
            {"scale",
             is_integer(result.problem.dtype) ? json(to_string(result.problem.scaling))
                                              : json(nullptr)},
            {"matrices", result.problem.count},
            {"params", parameters_json(result.parameters, result.values)},
            {"cycles", statistics.total.count()},
            {"time_us", result.microseconds()},
            {"speedup", speedup(results, result)},
            {"launch_cycles", result.launch.count()},
            {"speedup_after_launch", speedup_after_launch(results, result)},
            {"last_core", statistics.last().info.name},
            {"pipes", pipes_json(statistics.last(), statistics.total)},
            {"overhead_cycles", overhead(result)},
            {"macs", statistics.macs()},
            {"gm_bytes_read", statistics.gm_bytes_read},
            {"gm_bytes_written", statistics.gm_bytes_written},
            {"hbm_bytes", statistics.hbm_bytes},
            {"roofline",
             {{"flops_per_byte", result.intensity()},
              {"gflops", result.useful_gflops()},
              {"bound_gflops", result.bound_gflops()}}},
            {"energy", energy_json(result.energy)},
            {"area", area_json(result.area)},
            {"accuracy", accuracy_json(result)},
            {"numerics", numerics_json(result)},
            {"cores", cores},
            {"config_hash", result.config_hash},
            {"version", NPUSIM_VERSION}};
}

} // namespace

std::string job_line(const Result& result) {
    return fmt::format("{}: {} matrices {}x{} {}, {:.0f} MHz",
                       result.hardware,
                       result.problem.count,
                       result.problem.chunk,
                       result.problem.chunk,
                       to_string(result.problem.dtype),
                       result.clock_mhz);
}

std::string result_spec(const Result& result) {
    return spec({&kernels::find_kernel(result.kernel), result.values});
}

std::string text_report(const std::vector<Result>& results) {
    const Result& first = results.front();
    std::string text = job_line(first) + "\n\n";
    Table table;
    const auto row = [&](const std::string& label,
                         const std::function<std::string(const Result&)>& cell) {
        std::vector<std::string> cells(results.size());
        std::transform(results.begin(), results.end(), cells.begin(), cell);
        table.row(label, std::move(cells));
    };
    row("kernel", [](const Result& r) { return r.kernel; });
    row("parameters", parameters_text);
    row("cycles", [](const Result& r) { return fmt::format("{}", r.statistics.total.count()); });
    row("time, us", [](const Result& r) { return fmt::format("{:.2f}", r.microseconds()); });
    if (results.size() > 1) {
        row("speed-up",
            [&](const Result& r) { return fmt::format("{:.2f}x", speedup(results, r)); });
    }
    row("cycles after launch",
        [](const Result& r) { return fmt::format("{}", r.cycles_after_launch()); });
    if (results.size() > 1) {
        row("speed-up after launch", [&](const Result& r) {
            return fmt::format("{:.2f}x", speedup_after_launch(results, r));
        });
    }
    row("overhead, cycles (no arithmetic)",
        [](const Result& r) { return fmt::format("{}", overhead(r)); });
    for (std::size_t p = 0; p < kPipeCount; ++p) {
        row(fmt::format("{} busy, mean of cores", kPipeNames[p]),
            [p](const Result& r) { return percent(chip_utilization(r, static_cast<Pipe>(p))); });
    }
    row("GM read, KiB", [](const Result& r) { return kibibytes(r.statistics.gm_bytes_read); });
    row("GM written, KiB",
        [](const Result& r) { return kibibytes(r.statistics.gm_bytes_written); });
    if (first.energy) {
        row("energy, uJ (estimate)",
            [](const Result& r) { return fmt::format("{:.1f}", r.energy->joules() * kMicro); });
        row("mean power, W (estimate)",
            [](const Result& r) { return fmt::format("{:.1f}", r.energy->watts()); });
        row("area, mm2 (estimate)",
            [](const Result& r) { return fmt::format("{:.1f}", r.area->chip()); });
    }
    row("roofline: useful flop/HBM byte",
        [](const Result& r) { return fmt::format("{:.2f}", r.intensity()); });
    row("roofline: GFLOP/s of bound", [](const Result& r) {
        return fmt::format("{:.1f} of {:.0f}", r.useful_gflops(), r.bound_gflops());
    });
    const auto accuracy = [&](const std::string& label, auto cell) {
        row(label, [&](const Result& r) {
            return r.accuracy ? cell(*r.accuracy) : std::string("timing only");
        });
    };
    accuracy("relative Frobenius error, worst",
             [](const auto& a) { return fmt::format("{:.3g}", a.rel_frobenius_max); });
    accuracy("SNR mean, dB", [](const auto& a) { return fmt::format("{:.1f}", a.snr_db_mean); });
    accuracy("SNR worst, dB", [](const auto& a) { return fmt::format("{:.1f}", a.snr_db_worst); });
    accuracy("non-finite matrices", [](const auto& a) { return fmt::format("{}", a.non_finite); });
    if (first.cases.size() > 1) {
        for (std::size_t c = 0; c < first.cases.size(); ++c) {
            row("error, worst: " + first.cases[c].name,
                [c](const Result& r) { return worst_text(r.cases[c].accuracy); });
        }
    }
    text += table.text();

    for (const Result& result : results) {
        const CoreStatistics& core = result.statistics.last();
        text += fmt::format(
            "\n{}: cycles of {}, the core that finished last\n", result.kernel, core.info.name);
        for (const Pipe pipe : core.info.pipes) {
            text += fmt::format(
                "  {:<8} {}\n", to_string(pipe), pipe_text(core, pipe, result.statistics.total));
        }
        text += steps_text(result);
    }
    return text;
}

std::string json_report(const std::vector<Result>& results) {
    json list = json::array();
    for (const Result& result : results) {
        list.push_back(result_json(results, result));
    }
    return json{{"results", list}}.dump(2) + "\n";
}

std::string csv_report(const std::vector<Result>& results) {
    std::string text =
        "kernel,params,hardware,chunk,dtype,matrices,cycles,time_us,speedup,speedup_after_launch,"
        "overhead_cycles,gm_bytes_read,gm_bytes_written,energy_uj,mean_power_w,area_mm2,"
        "rel_frobenius_median,rel_frobenius_max,snr_db_mean,snr_db_worst,non_finite,config_hash,"
        "version\n";
    for (const Result& r : results) {
        const auto value = [&](auto member) {
            return r.accuracy ? fmt::format("{:.6g}", static_cast<double>((*r.accuracy).*member))
                              : std::string();
        };
        text += fmt::format(
            "{},{},{},{},{},{},{},{:.4f},{:.4f},{:.4f},{},{},{},{},{},{},{},{},{},{},{},"
            "{},{}\n",
            r.kernel,
            parameters_text(r),
            r.hardware,
            r.problem.chunk,
            to_string(r.problem.dtype),
            r.problem.count,
            r.statistics.total.count(),
            r.microseconds(),
            speedup(results, r),
            speedup_after_launch(results, r),
            overhead(r),
            r.statistics.gm_bytes_read,
            r.statistics.gm_bytes_written,
            r.energy ? fmt::format("{:.6g}", r.energy->joules() * kMicro) : "",
            r.energy ? fmt::format("{:.6g}", r.energy->watts()) : "",
            r.area ? fmt::format("{:.6g}", r.area->chip()) : "",
            value(&inverse::Accuracy::rel_frobenius_median),
            value(&inverse::Accuracy::rel_frobenius_max),
            value(&inverse::Accuracy::snr_db_mean),
            value(&inverse::Accuracy::snr_db_worst),
            value(&inverse::Accuracy::non_finite),
            r.config_hash,
            NPUSIM_VERSION);
    }
    return text;
}

} // namespace npusim::app
