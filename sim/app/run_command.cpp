// SPDX-License-Identifier: Apache-2.0
#include "sim/app/run_command.h"

#include "sim/app/arguments.h"
#include "sim/app/job_options.h"
#include "sim/app/log.h"
#include "sim/app/output.h"
#include "sim/app/page.h"
#include "sim/app/report.h"
#include "sim/app/select.h"
#include "sim/app/select_report.h"
#include "sim/base/error.h"
#include "sim/base/number.h"
#include "traces/progress.h"
#include "traces/status_line.h"
#include "traces/trace_file.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <memory>

namespace npusim::app {

namespace {

struct RunOptions : JobOptions {
    std::string command; ///< as it was given
    std::string output;
    std::vector<std::string> traces;
    SelectionArguments shown;
    std::string detail{traces::kDetailNames[1]};
    std::string page;
    bool check = false;
};

struct SelectOptions : JobOptions {
    std::string command; ///< as it was given
    std::string max_error;
    std::string output;
    std::string page;
};

std::string formatted(const std::vector<Result>& results, const std::string& format) {
    if (format == "json") {
        return json_report(results);
    }
    return format == "csv" ? csv_report(results) : text_report(results);
}

/// FILE for one kernel; FILE with the kernel before the extension for several.
std::filesystem::path trace_path(const std::filesystem::path& file,
                                 std::size_t kernels,
                                 const std::string& kernel,
                                 std::size_t index) {
    if (kernels == 1) {
        return file;
    }
    std::filesystem::path base = file;
    std::string extension = base.extension();
    base.replace_extension();
    if (extension == ".gz") {
        extension = base.extension().string() + extension;
        base.replace_extension();
    }
    return base.string() + "." + file_stem(kernel, index) + extension;
}

traces::Detail parse_detail(const std::string& text) {
    const auto* const at = std::ranges::find(traces::kDetailNames, text);
    return static_cast<traces::Detail>(at - traces::kDetailNames.begin());
}

/// The traces that were asked for of kernel `index`.
std::vector<std::unique_ptr<observe::Observer>>
open_traces(const RunOptions& options, const LoadedJob& job, std::size_t index) {
    std::vector<std::unique_ptr<observe::Observer>> opened;
    const std::string name(job.requests()[index].kernel->name());
    for (const std::string& file : options.traces) {
        opened.push_back(traces::open_trace(trace_path(file, job.requests().size(), name, index),
                                            job.hardware(),
                                            selection(options.shown),
                                            parse_detail(options.detail)));
    }
    return opened;
}

/// Throws ModelError if the timed run left other bytes than program order does.
void check_flags(const config::HardwareConfig& hardware,
                 const KernelRequest& request,
                 const Workload& workload,
                 const Result& result) {
    const auto expected = run_in_program_order(hardware, request, workload);
    const std::size_t bytes = expected.size() * sizeof(double);
    if (std::memcmp(expected.data(), result.inverses.data(), bytes) != 0) {
        throw ModelError(fmt::format("{}: the timed run differs from program order: a set_flag or "
                                     "wait_flag is missing",
                                     result.kernel));
    }
    log::info(result.kernel + ": same bytes as in program order");
}

int run_kernels(const RunOptions& options) {
    const LoadedJob job(options);
    const Workload workload = job.workload();
    if (!options.output.empty()) {
        prepare_folder(options.output);
    }
    std::vector<Result> results;
    std::vector<PageRecorder> pages;
    for (std::size_t i = 0; i < job.requests().size(); ++i) {
        const KernelRequest& request = job.requests()[i];
        const std::string name(request.kernel->name());
        const kernels::Problem& problem = workload.problem;
        log::info(fmt::format("{}: {} matrices of {} on {}",
                              name,
                              problem.count,
                              problem.chunk,
                              job.hardware().name));
        traces::Progress progress(
            name, problem.count * bytes_of(problem.dtype, problem.chunk * problem.chunk));
        observe::Observers observers;
        if (!options.quiet) {
            observers.push_back(&progress);
        }
        const auto traces = open_traces(options, job, i);
        for (const auto& trace : traces) {
            observers.push_back(trace.get());
        }
        if (!options.page.empty()) {
            PageRecorder& page = pages.emplace_back(job.hardware(), selection(options.shown));
            std::ranges::copy(page.observers(), std::back_inserter(observers));
        }
        results.push_back(run(job.hardware(), request, workload, observers));
        if (options.check) {
            check_flags(job.hardware(), request, workload, results.back());
        }
    }
    if (!options.output.empty()) {
        write_outputs(options.output, results);
    }
    if (!options.page.empty()) {
        write_file(options.page, run_page(job.hardware(), options.command, results, pages));
    }
    print(formatted(results, options.format));
    return kDone;
}

double parse_max_error(const std::string& text) {
    const auto value = number_from<double>(text);
    if (!value || !std::isfinite(*value) || *value <= 0) {
        throw ConfigError(fmt::format("--max-error {}: (allowed: a number above 0)", text));
    }
    return *value;
}

/// The kernels of `-k`, or all of them.
std::vector<KernelRequest> selectable(const LoadedJob& job) {
    std::vector<KernelRequest> requests = job.requests();
    if (requests.empty()) {
        for (const kernels::Kernel* kernel : kernels::registry()) {
            requests.push_back(parse_request(std::string(kernel->name()), {}));
        }
    }
    return requests;
}

int select_kernel(const SelectOptions& options) {
    const double max_error = parse_max_error(options.max_error);
    const LoadedJob job(options);
    if (!options.output.empty()) {
        prepare_folder(options.output);
    }
    traces::StatusLine status;
    const auto announce = [&](std::size_t index, std::size_t count, const Candidate& candidate) {
        const std::string text =
            fmt::format("select: {} of {}, {}", index + 1, count, spec(candidate.request));
        log::info(text);
        if (!options.quiet && !options.verbose && status.due()) {
            status.say(text);
        }
    };
    Selection selection =
        select(job.hardware(), selectable(job), job.workload(), max_error, announce);
    selection.input = options.input;
    status.clear();
    const std::map<std::string, std::string> reports{{"text", select_text(selection)},
                                                     {"json", select_json(selection)},
                                                     {"csv", select_csv(selection)}};
    if (!options.output.empty()) {
        const std::filesystem::path folder = options.output;
        write_file(folder / "results.txt", reports.at("text"));
        write_file(folder / "results.csv", reports.at("csv"));
        write_file(folder / "results.json", reports.at("json"));
    }
    if (!options.page.empty()) {
        write_file(options.page, selection_page(options.command, selection));
    }
    print(reports.at(options.format));
    return selection.choice() ? kDone : kFailed;
}

void add_options(CLI::App& command, RunOptions& options) {
    add_job_options(command, options);
    command.get_option("--kernel")->required();
    add_parameter_options(command, options);
    command.add_option(
        "-o,--output", options.output, "folder for results.{json,csv,txt} and the inverses (.npy)");
    command
        .add_option("--trace",
                    options.traces,
                    "file of the run over time; its name says the format: " +
                        traces::trace_formats() + "; repeatable")
        ->take_all();
    command.add_option(
        "--report", options.page, "HTML page of the runs, to open in a browser; needs no network");
    add_selection_options(command, options.shown, "trace-");
    command
        .add_option("--trace-detail",
                    options.detail,
                    "pipes (busy or stalled), instructions, or all (flags and dispatch too, "
                    "counters of every core)")
        ->check(CLI::IsMember(
            std::vector<std::string>(traces::kDetailNames.begin(), traces::kDetailNames.end())))
        ->capture_default_str();
    CLI::Option* timing_only = add_timing_option(command, options);
    command
        .add_flag(
            "--check",
            options.check,
            "also run in program order, without time; other bytes mean a missing flag (exit 1)")
        ->excludes(timing_only);
}

void add_options(CLI::App& command, SelectOptions& options) {
    add_job_options(command, options);
    command.get_option("--kernel")
        ->description("kernel to consider instead of all of them; parameters after a colon stay as "
                      "given: inverse/neumann:early=yes");
    command
        .add_option("--max-error",
                    options.max_error,
                    "largest relative Frobenius error of any matrix that will do, e.g. 1e-2")
        ->required();
    command.add_option("-o,--output", options.output, "folder for results.{json,csv,txt}");
    command.add_option("--report",
                       options.page,
                       "HTML page of all candidates, to open in a browser; needs no network");
    command.footer("Example:\n"
                   "  npusim select -c configs/hardware/ascend-910b.yaml --chunk 64 --dtype fp16 "
                   "--max-error 1e-2\n\n"
                   "All kernels on the whole suite take half a minute at chunk 64 and more at 128; "
                   "--count 1 takes seconds.\n"
                   "Exit code: 0 done, 1 nothing is within --max-error, 2 bad input.");
}

/// `run`, or `compare`, which takes several kernels.
std::function<int()> add_kernels_command(CLI::App& app,
                                         const std::string& name,
                                         const std::string& description,
                                         const std::string& command_line) {
    CLI::App* command = app.add_subcommand(name, description);
    const auto options = std::make_shared<RunOptions>();
    options->command = command_line;
    add_options(*command, *options);
    return [options, several = name == "compare"] {
        if (!several && options->kernels.size() != 1) {
            throw ConfigError("run takes one -k (several: npusim compare)");
        }
        log::set_level(options->verbose, options->quiet);
        return run_kernels(*options);
    };
}

} // namespace

std::function<int()> add_run_command(CLI::App& app, const std::string& command_line) {
    return add_kernels_command(app, "run", "run one kernel", command_line);
}

std::function<int()> add_compare_command(CLI::App& app, const std::string& command_line) {
    return add_kernels_command(
        app, "compare", "run several kernels on the same input, as one table", command_line);
}

std::function<int()> add_select_command(CLI::App& app, const std::string& command_line) {
    CLI::App* command = app.add_subcommand(
        "select",
        "run every kernel with many parameters; choose the fastest that is accurate enough");
    const auto options = std::make_shared<SelectOptions>();
    options->command = command_line;
    options->input = "suite";
    add_options(*command, *options);
    return [options] {
        log::set_level(options->verbose, options->quiet);
        return select_kernel(*options);
    };
}

} // namespace npusim::app
