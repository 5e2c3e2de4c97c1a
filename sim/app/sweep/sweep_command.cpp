// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep/sweep_command.h"

#include "sim/app/arguments.h"
#include "sim/app/output.h"
#include "sim/app/run_store.h"
#include "sim/app/sweep/sweep_explain.h"
#include "sim/app/sweep/sweep_job.h"
#include "sim/app/sweep/sweep_page.h"
#include "sim/app/sweep/sweep_report.h"
#include "sim/app/sweep_slurm.h"
#include "sim/app/sweep_slurm_command.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/explore/merge.h"
#include "sim/explore/run.h"
#include "sim/explore/store.h"
#include "traces/status_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

namespace fs = std::filesystem;

using explore::SamplerKind;
using explore::Sweep;

constexpr int kInterrupted = 130; ///< as a shell has it of SIGINT

/// What every command on a sweep file takes.
struct SweepFileArguments {
    std::string file;
    std::string folder;
    std::vector<std::string> sets;
    bool other_versions = false;
    std::string format = "text";
};

struct SweepArguments : SweepFileArguments {
    std::string command; ///< as it was given
    std::size_t workers = 1;
    bool dry_run = false;
    bool resume = false;
    bool retry_failed = false;
    std::string shard = "1/1";
    std::optional<std::uint64_t> limit;
    double timeout = 0;
    double memory_gib = 0;
    std::string page;
    bool quiet = false;
};

struct SweepReportArguments : SweepFileArguments {
    std::string command;
    std::vector<std::string> conditions;
    std::string versus;
    std::string page;
    std::string svg;
};

struct ExplainArguments : SweepFileArguments {
    std::size_t most = 0;
};

struct MergeArguments {
    std::string folder;
    std::string output;
    bool other_versions = false;
};

struct DiffArguments : SweepFileArguments {
    std::string before;
    std::string by = "axes";
};

/// "0.1.0+1f8e...": results of one build are not those of another.
std::string program_version() {
    return fmt::format("{}+{:016x}", NPUSIM_VERSION, program_hash());
}

Sweep load(const SweepFileArguments& arguments) {
    std::vector<config::Override> changes;
    for (const std::string& text : arguments.sets) {
        const auto [key, value] = key_value("--set", text);
        changes.push_back({key, value});
    }
    return explore::load_sweep(arguments.file, sweep_evaluator(), changes);
}

fs::path folder_of(const SweepFileArguments& arguments) {
    return arguments.folder.empty() ? default_results(arguments.file) : fs::path(arguments.folder);
}

/// Results of any build; of `several` side by side, or of one alone.
explore::ReadOptions any_version(bool several) {
    return {.version = {}, .ignore_other_versions = several};
}

/// Results of any one build will do to be looked at, unless others are to be left out.
explore::ReadOptions reading(const SweepFileArguments& arguments) {
    return arguments.other_versions
               ? explore::ReadOptions{.version = program_version(), .ignore_other_versions = true}
               : any_version(false);
}

bool holds_results(const fs::path& folder) {
    bool any = false;
    // Of whatever version: they are not to be mixed up by accident.
    explore::for_each_record(
        folder, any_version(true), [&](const explore::Record& /*record*/) { any = true; });
    return any;
}

/// Points that a run of the sweep will look at, as far as that is known.
std::optional<std::uint64_t> expected_points(const Sweep& sweep, const explore::Shard& shard) {
    constexpr std::uint64_t most_counted = 1'000'000;
    const explore::SamplerSettings& sampler = sweep.sampler;
    std::uint64_t points = 0;
    switch (sampler.kind) {
    case SamplerKind::Grid:
        points = sweep.space.size() <= most_counted ? explore::count_feasible(sweep)
                                                    : sweep.space.size();
        break;
    case SamplerKind::Random:
    case SamplerKind::Lhs:
        points = std::min(static_cast<std::uint64_t>(sampler.points), sweep.space.size());
        break;
    case SamplerKind::Nsga2:
        points = static_cast<std::uint64_t>(sampler.population * (sampler.generations + 1));
        break;
    case SamplerKind::AskTell:
        return std::nullopt;
    }
    if (sweep.budget) {
        points = std::min(points, static_cast<std::uint64_t>(*sweep.budget));
    }
    return (points + shard.count - shard.index) / shard.count;
}

/// What a run would do.
std::string
dry_run_text(const SweepArguments& arguments, const Sweep& sweep, const explore::Shard& shard) {
    std::string text = fmt::format("{}: {} points in the space", sweep.name, sweep.space.size());
    if (const auto points = expected_points(sweep, shard)) {
        text += fmt::format(", {} to look at{}",
                            *points,
                            shard.whole() ? "" : fmt::format(" in shard {}", arguments.shard));
    }
    std::size_t there = 0;
    explore::for_each_record(folder_of(arguments),
                             {.version = program_version(), .ignore_other_versions = true},
                             [&](const explore::Record& /*record*/) { ++there; });
    text += fmt::format(", {} results in {}\n", there, folder_of(arguments).string());
    for (const explore::Axis& axis : sweep.space.axes()) {
        text += fmt::format("  {}: {} values, {} to {}\n",
                            join(axis.keys, ", "),
                            axis.size(),
                            explore::to_text(axis.levels.front().front()),
                            explore::to_text(axis.levels.back().front()));
    }
    return text;
}

/// Says how far it has come.
class SweepProgress {
  public:
    SweepProgress(std::optional<std::uint64_t> expected, bool quiet)
        : expected_(expected), quiet_(quiet) {}

    void operator()(const explore::RunProgress& progress) {
        if (quiet_ || !line_.due()) {
            return;
        }
        const std::uint64_t now = progress.done + progress.failed;
        const double rate = static_cast<double>(now) / line_.seconds();
        std::string text = fmt::format("sweep: {}", progress.finished());
        text += expected_ ? fmt::format(" of {} points", *expected_) : " points";
        text += progress.failed > 0 ? fmt::format(", {} failed", progress.failed) : "";
        text += fmt::format(", {:.3g} a second", rate);
        if (expected_ && rate > 0 && *expected_ > progress.finished()) {
            text += fmt::format(", about {:.0f} s to go",
                                static_cast<double>(*expected_ - progress.finished()) / rate);
        }
        line_.say(text);
    }
    void clear() { line_.clear(); }

  private:
    std::optional<std::uint64_t> expected_;
    bool quiet_;
    traces::StatusLine line_;
};

void print_report(const SweepReport& report, const std::string& format) {
    print(format == "json"  ? sweep_json(report)
          : format == "csv" ? sweep_csv(report)
                            : sweep_text(report));
}

/// Refuses a folder that is not there, which is a slip where results are to be read.
void check_folder(const fs::path& folder) {
    if (!fs::is_directory(folder)) {
        throw ConfigError(fmt::format("{}: no such folder", folder.string()));
    }
}

/// What is in the folder. Throws ConfigError if nothing is.
SweepReport read_report(const SweepFileArguments& arguments, const Sweep& sweep) {
    const fs::path folder = folder_of(arguments);
    check_folder(folder);
    SweepReport report = report_of(sweep, explore::records_of(sweep, folder, reading(arguments)));
    if (report.records.empty()) {
        throw ConfigError(fmt::format("{}: no results of {} (allowed: a folder in which `npusim "
                                      "sweep {}` has run, by -o)",
                                      folder.string(),
                                      sweep.file,
                                      sweep.file));
    }
    return report;
}

int run_sweep_file(const SweepArguments& arguments) {
    const Sweep sweep = load(arguments);
    const explore::Shard shard = explore::parse_shard(arguments.shard);
    if (arguments.dry_run) {
        print(dry_run_text(arguments, sweep, shard));
        return kDone;
    }
    const fs::path folder = folder_of(arguments);
    if (shard.whole() && !arguments.resume && !arguments.retry_failed && holds_results(folder)) {
        throw ConfigError(fmt::format("{}: holds results (allowed: --resume to go on with them, or "
                                      "another folder by -o)",
                                      folder.string()));
    }
    constexpr double gib = 1024.0 * 1024 * 1024;
    const explore::RunOptions options{
        .folder = folder,
        .version = program_version(),
        .ignore_other_versions = arguments.other_versions,
        .retry_failed = arguments.retry_failed,
        .limit = arguments.limit,
        .shard = shard,
        .pool = {.workers = arguments.workers,
                 .timeout = std::chrono::duration<double>(arguments.timeout),
                 .memory_bytes = static_cast<std::uint64_t>(arguments.memory_gib * gib)}};
    const auto sampler =
        explore::shard_sampler(explore::make_sampler(sweep, std::cin, std::cout), sweep, shard);
    PointRunner runner(sweep);
    SweepProgress said(arguments.quiet ? std::nullopt : expected_points(sweep, shard),
                       arguments.quiet);
    const explore::RunProgress progress = explore::run_sweep(
        sweep,
        *sampler,
        [&](const explore::Point& point) { return runner(point); },
        options,
        [&](const explore::RunProgress& now, const explore::Outcome* /*outcome*/) { said(now); });
    said.clear();
    SweepReport report =
        report_of(sweep,
                  explore::records_of(sweep,
                                      folder,
                                      {.version = options.version,
                                       .ignore_other_versions = arguments.other_versions}));
    report.progress = progress;
    if (!arguments.page.empty()) {
        write_file(arguments.page, sweep_page(arguments.command, report));
    }
    if (sweep.sampler.kind != SamplerKind::AskTell) { // stdout is the other program's
        print_report(report, arguments.format);
    }
    if (progress.interrupted) {
        fmt::print(stderr,
                   "npusim: interrupted; {} points are kept in {}; the same line with --resume "
                   "goes on\n",
                   report.records.size(),
                   folder.string());
        return kInterrupted;
    }
    return progress.failed + progress.reused_failed > 0 ? kFailed : kDone;
}

int report_sweep(const SweepReportArguments& arguments) {
    const Sweep sweep = load(arguments);
    SweepReport report = read_report(arguments, sweep);
    const std::vector<std::string> names = sweep.names(sweep_evaluator());
    for (const std::string& condition : arguments.conditions) {
        report.conditions.emplace_back(condition, names);
    }
    if (!arguments.page.empty()) {
        write_file(arguments.page, sweep_page(arguments.command, report));
    }
    if (!arguments.svg.empty()) {
        write_file(arguments.svg, sweep_svg(report));
    }
    if (!arguments.versus.empty()) {
        print(versus_text(report, arguments.versus));
    } else {
        print_report(report, arguments.format);
    }
    return kDone;
}

int explain_sweep(const ExplainArguments& arguments) {
    const Sweep sweep = load(arguments);
    const SweepReport report = read_report(arguments, sweep);
    const std::vector<PointLimits> limits =
        explain_front(report, arguments.most == 0 ? report.front.size() : arguments.most);
    print(arguments.format == "json" ? explain_json(report, limits) : explain_text(report, limits));
    return kDone;
}

int merge_sweep(const MergeArguments& arguments) {
    const std::map<std::string,
                   explore::ReadSummary (*)(
                       const fs::path&, const explore::ReadOptions&, const fs::path&)>
        formats{{".csv", explore::merge_to_csv},
                {".jsonl", explore::merge_to_jsonl},
                {".sqlite", explore::merge_to_sqlite}};
    check_folder(arguments.folder);
    const fs::path output = arguments.output.empty() ? fs::path(arguments.folder) / "points.csv"
                                                     : fs::path(arguments.output);
    const auto format = formats.find(output.extension().string());
    if (format == formats.end()) {
        throw ConfigError(fmt::format("{}: (allowed: a name that ends in .csv, .jsonl or .sqlite)",
                                      output.string()));
    }
    if (explore::is_result_file(arguments.folder, output)) {
        throw ConfigError(fmt::format("{}: would be one of the results (allowed: a name that does "
                                      "not begin with results-, or another folder)",
                                      output.string()));
    }
    const explore::ReadSummary summary =
        format->second(arguments.folder, any_version(arguments.other_versions), output);
    print(fmt::format("{}: {} points", output.string(), summary.records));
    for (const auto& [count, what] : {std::pair(summary.doubled, "were there twice"),
                                      std::pair(summary.torn, "lines were cut off")}) {
        if (count > 0) {
            print(fmt::format(", {} {}", count, what));
        }
    }
    print("\n");
    return kDone;
}

int diff_sweeps(const DiffArguments& arguments) {
    const Sweep sweep = load(arguments);
    const explore::ReadOptions any = reading(arguments);
    const bool by_hash = arguments.by == "hash";
    // By axes, records need not be points of the sweep as it is now.
    const auto read = [&](const fs::path& folder) {
        check_folder(folder);
        return by_hash ? explore::records_of(sweep, folder, any)
                       : explore::read_records(folder, any);
    };
    print(diff_text(sweep,
                    read(arguments.before),
                    read(folder_of(arguments)),
                    by_hash ? explore::MatchBy::Hash : explore::MatchBy::Axes));
    return kDone;
}

void add_file_options(CLI::App& command, SweepFileArguments& arguments, bool csv) {
    command.add_option(
        "-o,--output", arguments.folder, "folder of the results; out/NAME of FILE if left out");
    command.add_option("--set",
                       arguments.sets,
                       "override a key of the sweep file or its hardware: job.chunk=32, "
                       "sampler.points=100, hardware.ai_cores=8; repeatable");
    command.add_flag("--ignore-other-versions",
                     arguments.other_versions,
                     "leave out results of other builds rather than refuse the folder");
    add_format_option(command, arguments.format, csv);
}

CLI::App& add_own_command(CLI::App& sweep,
                          const std::string& name,
                          const std::string& what,
                          SweepFileArguments& arguments,
                          bool csv) {
    CLI::App& command = *sweep.add_subcommand(name, what);
    command.add_option("file", arguments.file, "sweep file (YAML)")->required();
    add_file_options(command, arguments, csv);
    return command;
}

std::function<int()> add_report(CLI::App& sweep, const std::string& command_line) {
    const auto arguments = std::make_shared<SweepReportArguments>();
    arguments->command = command_line;
    CLI::App& command =
        add_own_command(sweep, "report", "what came of a sweep, without running", *arguments, true);
    command.add_option(
        "--where",
        arguments->conditions,
        "a condition that best points and those of --versus satisfy, as a constraint of the "
        "file: 'error < 1e-2 and area_mm2 < 300'; repeatable");
    command.add_option("--versus",
                       arguments->versus,
                       "instead: what the values of this axis come to beside its first one, in all "
                       "and by each value of the other axes: job.kernel");
    command.add_option("--report", arguments->page, "HTML page of the points, for a browser");
    command.add_option(
        "--svg", arguments->svg, "picture of the first two objectives that are to be small");
    command.footer("Example:\n  npusim sweep report configs/sweeps/inverse-910b.yaml "
                   "--where 'error < 1e-3' --report sweep.html");
    return [arguments] { return report_sweep(*arguments); };
}

std::function<int()> add_explain(CLI::App& sweep) {
    const auto arguments = std::make_shared<ExplainArguments>();
    CLI::App& command = add_own_command(
        sweep, "explain", "what limits each point of the front, by running it", *arguments, false);
    command.add_option("--most", arguments->most, "of so many points only; 0: all")
        ->capture_default_str();
    command.footer("Example:\n  npusim sweep explain configs/sweeps/inverse-910b.yaml");
    return [arguments] { return explain_sweep(*arguments); };
}

std::function<int()> add_merge(CLI::App& sweep) {
    const auto arguments = std::make_shared<MergeArguments>();
    CLI::App& command =
        *sweep.add_subcommand("merge", "the results of a folder as one CSV, JSONL or SQLite file");
    command.add_option("folder", arguments->folder, "folder of the results")->required();
    command.add_option("-o,--output",
                       arguments->output,
                       "file that ends in .csv, .jsonl or .sqlite; points.csv in the folder if "
                       "left out");
    command.add_flag("--ignore-other-versions",
                     arguments->other_versions,
                     "take results of several builds side by side");
    command.footer("Example:\n  npusim sweep merge out/inverse-910b -o points.sqlite");
    return [arguments] { return merge_sweep(*arguments); };
}

std::function<int()> add_diff(CLI::App& sweep) {
    const auto arguments = std::make_shared<DiffArguments>();
    CLI::App& command = add_own_command(
        sweep, "diff", "two folders of results of one sweep, point by point", *arguments, false);
    command.add_option("--against", arguments->before, "folder of the results before")->required();
    command
        .add_option("--by",
                    arguments->by,
                    "what makes two points the same: the values of their axes, or hash (all their "
                    "results depend on)")
        ->check(CLI::IsMember({"axes", "hash"}))
        ->capture_default_str();
    command.footer("Example:\n  npusim sweep diff configs/sweeps/inverse-910b.yaml -o out/new "
                   "--against out/old");
    return [arguments] { return diff_sweeps(*arguments); };
}

void add_run_options(CLI::App& command, SweepArguments& arguments) {
    command.add_option("file", arguments.file, "sweep file (YAML)");
    add_file_options(command, arguments, true);
    add_jobs_option(command, arguments.workers);
    command.add_flag("--dry-run", arguments.dry_run, "say what would run");
    command.add_flag("--resume", arguments.resume, "go on with the results in the folder");
    command.add_flag(
        "--retry-failed", arguments.retry_failed, "--resume, and run again what has failed");
    command
        .add_option("--shard",
                    arguments.shard,
                    "I/N: every Nth point, beginning with the Ith; shards may share a folder and "
                    "always go on with what is there")
        ->capture_default_str();
    command.add_option_function<std::uint64_t>(
        "--limit",
        [&arguments](std::uint64_t limit) { arguments.limit = limit; },
        "run so many points and stop");
    command.add_option("--timeout", arguments.timeout, "seconds for a point; 0: any time")
        ->check(CLI::Range(0.0, 1e9))
        ->capture_default_str();
    command.add_option("--memory", arguments.memory_gib, "GiB of memory for a point; 0: no limit")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
    command.add_option("--report", arguments.page, "HTML page of the points, for a browser");
    add_quiet_option(command, arguments.quiet);
    command.footer(
        "Examples:\n"
        "  npusim sweep configs/sweeps/inverse-910b.yaml --dry-run\n"
        "  npusim sweep configs/sweeps/inverse-910b.yaml -j 8 -o out/inverse --report sweep.html\n"
        "  npusim sweep configs/sweeps/inverse-910b.yaml -o out/inverse --resume --timeout 60\n"
        "  npusim sweep configs/sweeps/inverse-910b.yaml --shard 2/8\n\n"
        "The file format: configs/sweeps/README.md. Exit code: 0 done, 1 a point failed, 2 bad "
        "input,\n130 interrupted; what is finished is kept.");
}

} // namespace

std::function<int()> add_sweep_command(CLI::App& app, const std::string& command_line) {
    const auto arguments = std::make_shared<SweepArguments>();
    arguments->command = command_line;
    CLI::App& command = *app.add_subcommand(
        "sweep", "explore a space of hardware and kernels from a YAML file; Pareto front");
    add_run_options(command, *arguments);
    command.require_subcommand(0, 1);
    std::map<std::string, std::function<int()>> own{{"report", add_report(command, command_line)},
                                                    {"explain", add_explain(command)},
                                                    {"merge", add_merge(command)},
                                                    {"diff", add_diff(command)},
                                                    {"slurm", add_sweep_slurm(command)}};
    return [arguments, own = std::move(own), &command] {
        if (const auto chosen = command.get_subcommands(); !chosen.empty()) {
            return own.at(chosen.front()->get_name())();
        }
        if (arguments->file.empty()) {
            throw ConfigError("sweep: no sweep file\nsee: npusim sweep --help");
        }
        return run_sweep_file(*arguments);
    };
}

} // namespace npusim::app
