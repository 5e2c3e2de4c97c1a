// SPDX-License-Identifier: Apache-2.0
#include "sim/app/study_command.h"

#include "sim/app/arguments.h"
#include "sim/app/job_options.h"
#include "sim/app/log.h"
#include "sim/app/output.h"
#include "sim/app/speed.h"
#include "sim/app/study.h"
#include "sim/app/study_report.h"
#include "traces/status_line.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <limits>
#include <memory>

namespace npusim::app {

namespace {

/// The command line of `study`.
struct StudyArguments {
    std::string name;
    std::string config = NPUSIM_SOURCE_DIR "/configs/hardware/fused-local.yaml"; // every format
    std::int64_t count = 64;
    std::int64_t seed = 1;
    std::string format = "text";
    std::string output;
    bool verbose = false;
};

std::vector<std::string> study_names() {
    std::vector<std::string> names(kStudyNames.begin(), kStudyNames.end());
    names.emplace_back("all");
    return names;
}

/// 1 if something is not as published, after saying so.
int study(const StudyArguments& arguments) {
    const config::HardwareConfig hardware = config::load_hardware(arguments.config);
    std::vector<Study> studies;
    for (const std::string_view name : kStudyNames) {
        if (arguments.name == name || arguments.name == "all") {
            studies.push_back(load_study(
                fmt::format(NPUSIM_SOURCE_DIR "/kernels/inverse/studies/{}.yaml", name)));
        }
    }
    if (!arguments.output.empty()) {
        prepare_folder(arguments.output);
    }
    run_studies(studies,
                hardware,
                {arguments.count, static_cast<std::uint64_t>(arguments.seed), &log::info});
    const std::string text = study_text(studies, hardware.name);
    const std::string json = study_json(arguments.name, studies, hardware.name);
    const std::string csv = study_csv(studies);
    if (!arguments.output.empty()) {
        const std::string stem = arguments.output + "/study-" + arguments.name;
        write_file(stem + ".txt", text);
        write_file(stem + ".json", json);
        write_file(stem + ".csv", csv);
    }
    const std::string& report = arguments.format == "json"  ? json
                                : arguments.format == "csv" ? csv
                                                            : text;
    print(report);
    const std::vector<std::string> off = differences(studies);
    for (const std::string& line : off) {
        log::error(line);
    }
    return off.empty() ? kDone : kFailed;
}

/// The command line of `speed`.
struct SpeedArguments {
    std::string config;
    std::string dtype = "fp16";
    std::int64_t tokens = 1 << 18;
    std::vector<std::string> sets;
    std::string format = "text";
    bool quiet = false;
};

int speed(const SpeedArguments& arguments) {
    traces::StatusLine status;
    const Speed result = measure_speed(load_hardware(arguments.config, arguments.sets),
                                       parse_dtype(arguments.dtype),
                                       arguments.tokens,
                                       announcer(status, "speed", arguments.quiet));
    status.clear();
    print(arguments.format == "json" ? speed_json(result) : speed_text(result));
    return kDone;
}

void add_options(CLI::App& command, SpeedArguments& arguments) {
    add_config_option(command, arguments.config);
    command.add_option("--dtype", arguments.dtype, "operands: " + dtype_names())
        ->capture_default_str();
    command
        .add_option(
            "--tokens", arguments.tokens, "tokens times heads: what each chunk size cuts up")
        ->check(CLI::Range(std::int64_t{128}, std::int64_t{1} << 24))
        ->capture_default_str();
    add_set_option(command, arguments.sets);
    add_format_option(command, arguments.format, false);
    add_quiet_option(command, arguments.quiet);
    command.footer("Example:\n  npusim speed -c configs/hardware/ascend-910b.yaml");
}

void add_options(CLI::App& command, StudyArguments& arguments) {
    command
        .add_option("name", arguments.name, "truncation, formats, ablation, early, trained, all")
        ->required()
        ->check(CLI::IsMember(study_names()));
    command.add_option("-c,--config", arguments.config, "hardware file (YAML)")
        ->default_str("configs/hardware/fused-local.yaml");
    command.add_option("--count", arguments.count, "matrices of each made-up case")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    command.add_option("--seed", arguments.seed, "seed of made-up input")
        ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
        ->capture_default_str();
    add_format_option(command, arguments.format, true);
    command.add_option("-o,--output", arguments.output, "folder for study-NAME.{json,csv,txt}");
    command.add_flag("-v,--verbose", arguments.verbose, "say what is being run");
    command.footer(
        "A cell is \"1.1e-2 (1.4e-2)\": ours (published). \"!\" marks those more than an order of\n"
        "magnitude (20 dB) apart, \"nf\" is no finite matrix. Example:\n"
        "  npusim study ablation --format json\n\n"
        "Exit code: 0 all as published, 1 something is not, 2 bad input.");
}

} // namespace

std::function<int()> add_study_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "study", "regenerate the published tables of accuracy, ours beside theirs");
    const auto arguments = std::make_shared<StudyArguments>();
    add_options(*command, *arguments);
    return [arguments] {
        log::set_level(arguments->verbose, false);
        return study(*arguments);
    };
}

std::function<int()> add_speed_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "speed", "cycles of every inverse at every chunk size, beside published speed-ups");
    const auto arguments = std::make_shared<SpeedArguments>();
    add_options(*command, *arguments);
    return [arguments] { return speed(*arguments); };
}

} // namespace npusim::app
