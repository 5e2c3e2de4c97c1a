// SPDX-License-Identifier: Apache-2.0
#include "sim/app/view_command.h"

#include "sim/app/arguments.h"
#include "sim/app/job_options.h"
#include "sim/app/log.h"
#include "sim/app/output.h"
#include "sim/app/plot_input.h"
#include "sim/app/report.h"
#include "sim/app/timeline.h"
#include "sim/base/number.h"
#include "traces/gantt.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace npusim::app {

namespace {

constexpr std::size_t kPlainWidth = 100;

struct TimelineOptions : JobOptions {
    SelectionArguments selection;
    std::size_t width = 0; ///< 0: as wide as the terminal
    std::string color = "auto";
};

struct PlotOptions : JobOptions {
    SelectionArguments selection;
    std::vector<std::string> files;
    std::string output;
};

/// "" if the environment lacks it.
std::string environment(const char* name) {
    const char* const value = std::getenv(name); // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
}

bool on_terminal() {
    return isatty(STDOUT_FILENO) == 1;
}

/// Of the terminal stdout is, else what COLUMNS says, else 100.
std::size_t line_width() {
    winsize size{};
    if (on_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return std::clamp<std::size_t>(size.ws_col, traces::kNarrowest, traces::kWidest);
    }
    const std::size_t columns = number_from<std::size_t>(environment("COLUMNS")).value_or(0);
    return columns > 0 ? std::clamp(columns, traces::kNarrowest, traces::kWidest) : kPlainWidth;
}

/// A terminal that shows colours gets them, unless the user has said not to (no-color.org).
bool wants_colour(const std::string& when) {
    return when == "always" || (when == "auto" && on_terminal() &&
                                environment("NO_COLOR").empty() && environment("TERM") != "dumb");
}

/// The first AI core after launch, where nothing else is asked for.
traces::Selection shown(const SelectionArguments& arguments,
                        const config::HardwareConfig& hardware) {
    return selection(
        {arguments.window.empty() ? fmt::format("{}:", hardware.launch.count()) : arguments.window,
         arguments.cores.empty() ? "0" : arguments.cores});
}

/// Says what of the run is in sight.
void announce(const SelectionArguments& arguments,
              const config::HardwareConfig& hardware,
              const traces::TimeScale& scale) {
    fmt::print(stderr,
               "npusim: shown are {}, cycles {} to {}{}; --cores and --window show others\n",
               arguments.cores.empty() ? fmt::format("core 0 of {}", hardware.ai_cores)
                                       : "cores " + arguments.cores,
               scale.from().count(),
               scale.to().count(),
               arguments.window.empty() ? ", after launch" : "");
}

JobTimeline job_timeline(const JobOptions& options,
                         const SelectionArguments& arguments,
                         const LoadedJob& job,
                         std::size_t columns) {
    JobTimeline timeline = measure_timeline(
        job.hardware(), job.requests(), job.workload(), shown(arguments, job.hardware()), columns);
    if (!options.quiet) {
        announce(arguments, job.hardware(), timeline.scale);
    }
    return timeline;
}

int show_timeline(const TimelineOptions& options) {
    const std::size_t width = options.width == 0 ? line_width() : options.width;
    const LoadedJob job(options);
    const JobTimeline timeline =
        job_timeline(options, options.selection, job, traces::text_timeline_columns(width));
    if (options.format == "json") {
        print(timeline_json(timeline));
    } else if (options.format == "csv") {
        print(timeline_csv(timeline));
    } else {
        print(job_line(timeline.results.front()) + "\n" +
              traces::text_timeline(
                  timeline.runs, timeline.scale, {width, wants_colour(options.color)}));
    }
    return kDone;
}

std::string gantt_picture(const PlotOptions& options) {
    const LoadedJob job(options);
    const JobTimeline timeline =
        job_timeline(options, options.selection, job, traces::kGanttColumns);
    return traces::gantt_svg(job_line(timeline.results.front()),
                             timeline.runs,
                             timeline.scale,
                             job.hardware().clock_mhz);
}

std::string roofline_picture(const PlotOptions& options) {
    const LoadedJob job(options);
    std::vector<Result> results;
    for (const KernelRequest& request : job.requests()) {
        results.push_back(run(job.hardware(), request, job.workload()));
    }
    return traces::roofline_svg(roofline_of(job.hardware(), results));
}

std::string breakdown_picture(const PlotOptions& options) {
    return traces::stacked_bars_svg(layer_bars(options.files));
}

std::string pareto_picture(const PlotOptions& options) {
    return traces::pareto_svg(pareto_of(options.files));
}

/// What every command that runs kernels takes, without data.
void add_timed_job(CLI::App& command, JobOptions& options) {
    options.timing_only = true;
    add_job_options(command, options);
    command.get_option("--kernel")->required();
    add_parameter_options(command, options);
}

void add_options(CLI::App& command, TimelineOptions& options) {
    add_timed_job(command, options);
    add_selection_options(command, options.selection);
    command
        .add_option("--width",
                    options.width,
                    "letters of a line; default: as the terminal, else COLUMNS, else 100")
        ->check(CLI::Range(traces::kNarrowest, traces::kWidest));
    command
        .add_option(
            "--color", options.color, "auto, always or never; auto: on a terminal, unless NO_COLOR")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->capture_default_str();
    command.footer(
        "A row is a pipe, a letter what it mostly did in that many cycles: a capital is work, a "
        "small\nletter a wait, a dot nothing. The figure at the end is how much of what is shown "
        "the pipe is\nbusy. Default: the first AI core, from the end of launch on; several -k are "
        "drawn on one scale.\nNo data are carried. json and csv give the cycles of every column by "
        "what they went to.\n\n"
        "Examples:\n"
        "  npusim timeline -c configs/hardware/ascend-910b.yaml -k inverse/forward-substitution "
        "-k inverse/neumann\n"
        "  npusim timeline -c configs/hardware/ascend-910b.yaml -k inverse/neumann "
        "--cores core0.cube --window 6000:6080 | less -RS");
}

/// A picture `npusim plot` draws.
struct PlotKind {
    std::string name;
    std::string description;
    std::string footer;
    std::function<std::string(const PlotOptions&)> draw;
};

const std::vector<PlotKind>& plot_kinds() {
    static const std::vector<PlotKind> kinds{
        {"timeline",
         "what the pipes do, kernels one below the other on one axis of time",
         "Example:\n"
         "  npusim plot timeline -c configs/hardware/ascend-910b.yaml "
         "-k inverse/forward-substitution -k inverse/neumann -o timeline.svg",
         gantt_picture},
        {"roofline",
         "kernels under the roofs of cube, HBM and L2",
         "Example:\n"
         "  npusim plot roofline -c configs/hardware/ascend-910b.yaml "
         "-k inverse/forward-substitution -k inverse/neumann -o roofline.svg",
         roofline_picture},
        {"breakdown",
         "decoder layers by part, from files of `npusim layer --format json`",
         "Example:\n"
         "  npusim layer -c configs/hardware/ascend-910b.yaml -m qwen3.5-9b "
         "--versus forward-substitution --format json > layer.json\n"
         "  npusim plot breakdown layer.json -o layer.svg",
         breakdown_picture},
        {"pareto",
         "cycles against error and the front, from files of `npusim select --format json`",
         "Example:\n"
         "  npusim select -c configs/hardware/ascend-910b.yaml --max-error 1e-2 --format json "
         "> select.json\n"
         "  npusim plot pareto select.json -o pareto.svg",
         pareto_picture}};
    return kinds;
}

void add_options(CLI::App& command, PlotOptions& options, const PlotKind& kind) {
    if (kind.name == "timeline" || kind.name == "roofline") {
        add_timed_job(command, options);
        command.remove_option(command.get_option("--format")); // it is SVG
    } else {
        command.add_option("files", options.files, "JSON files that npusim wrote")->required();
    }
    if (kind.name == "timeline") {
        add_selection_options(command, options.selection);
    }
    command.add_option("-o,--output", options.output, "SVG file; default: stdout");
    command.footer(kind.footer);
}

int plot(const PlotKind& kind, const PlotOptions& options) {
    const std::string picture = kind.draw(options);
    if (options.output.empty()) {
        print(picture);
    } else {
        write_file(options.output, picture);
    }
    return kDone;
}

} // namespace

std::function<int()> add_timeline_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("timeline", "show what the pipes do, cycle by cycle");
    const auto options = std::make_shared<TimelineOptions>();
    add_options(*command, *options);
    return [options] {
        log::set_level(options->verbose, options->quiet);
        return show_timeline(*options);
    };
}

std::function<int()> add_plot_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("plot", "draw pictures for papers (SVG)");
    command->require_subcommand(1);
    command->footer("Pictures are vector graphics on white, in colours that people who see red and "
                    "green alike\ncan tell apart. See: npusim plot timeline --help");
    std::map<const CLI::App*, std::function<int()>> draw;
    for (const PlotKind& kind : plot_kinds()) {
        const auto options = std::make_shared<PlotOptions>();
        CLI::App* picture = command->add_subcommand(kind.name, kind.description);
        add_options(*picture, *options, kind);
        draw[picture] = [options, &kind] {
            log::set_level(options->verbose, options->quiet);
            return plot(kind, *options);
        };
    }
    return [command, draw] { return draw.at(command->get_subcommands().front())(); };
}

} // namespace npusim::app
