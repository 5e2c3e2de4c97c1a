// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/validate_command.h"

#include "sim/app/arguments.h"
#include "sim/app/output.h"
#include "sim/app/validate/calibrate.h"
#include "sim/app/validate/validate.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "traces/status_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

namespace npusim::app {

namespace {

struct ValidateArguments {
    std::string table;
    std::string platform;
    std::string family;
    std::size_t workers = 1;
    bool rows = false;
    std::vector<std::string> sets;
    std::string format = "text";
    std::string output;
    bool quiet = false;
};

std::vector<std::string> family_names() {
    std::vector<std::string> names;
    for (const Family& family : families()) {
        if (std::ranges::find(names, family.name) == names.end()) {
            names.emplace_back(family.name);
        }
    }
    return names;
}

ValidationJob job_of(const ValidateArguments& arguments) {
    const std::vector<std::string> names = family_names();
    if (!arguments.family.empty() && std::ranges::find(names, arguments.family) == names.end()) {
        throw ConfigError(fmt::format(
            "--family {}: no such family (allowed: {})", arguments.family, join(names, ", ")));
    }
    ValidationJob job;
    job.rows = read_measurements(arguments.table);
    job.platform = arguments.platform;
    job.family = arguments.family;
    job.workers = arguments.workers;
    for (const std::string& set : arguments.sets) {
        const auto [key, value] = key_value("--set", set);
        job.changes.push_back({"", {key, value}});
    }
    return job;
}

/// What ended is kept in the folder of `-o`, where there is one.
RunStore store_in(const std::string& folder) {
    if (folder.empty()) {
        return {};
    }
    prepare_folder(folder);
    return RunStore(std::filesystem::path(folder) / "runs.jsonl");
}

int run_validate(const ValidateArguments& arguments) {
    const ValidationJob job = job_of(arguments);
    RunStore store = store_in(arguments.output);
    traces::StatusLine status;
    const Validation validation{
        validate(job, store, announcer(status, "validate", arguments.quiet)),
        std::filesystem::path(arguments.table).filename().string()};
    status.clear();
    if (!arguments.output.empty()) {
        const std::filesystem::path folder = arguments.output;
        write_file(folder / "validation.txt", validation_text(validation, true));
        write_file(folder / "validation.json", validation_json(validation));
        write_file(folder / "validation.csv", validation_csv(validation));
        write_file(folder / "validation.svg", validation_svg(validation));
    }
    print(arguments.format == "json"  ? validation_json(validation)
          : arguments.format == "csv" ? validation_csv(validation)
                                      : validation_text(validation, arguments.rows));
    return kDone;
}

struct CalibrateArguments {
    std::string file;
    std::size_t workers = 1;
    std::string format = "text";
    std::string output;
    bool quiet = false;
};

int run_calibrate(const CalibrateArguments& arguments) {
    const Calibration calibration = load_calibration(arguments.file);
    RunStore store = store_in(arguments.output);
    traces::StatusLine status;
    const CalibrationResult result = calibrate(
        calibration, arguments.workers, store, announcer(status, "calibrate", arguments.quiet));
    status.clear();
    if (!arguments.output.empty()) {
        const std::filesystem::path folder = arguments.output;
        write_file(folder / "calibration.txt", calibration_text(calibration, result));
        write_file(folder / "calibration.json", calibration_json(calibration, result));
    }
    print(arguments.format == "json" ? calibration_json(calibration, result)
                                     : calibration_text(calibration, result));
    return kDone;
}

} // namespace

std::function<int()> add_validate_command(CLI::App& app) {
    const auto arguments = std::make_shared<ValidateArguments>();
    CLI::App& command = *app.add_subcommand(
        "validate", "predicted against published measured times, row by row and by family");
    command.add_option("table", arguments->table, "measurements (CSV)")->required();
    command.add_option(
        "--platform", arguments->platform, "only rows whose platform has this text, e.g. 910B2");
    command.add_option("--family", arguments->family, "only this family of kernels");
    add_jobs_option(command, arguments->workers);
    command.add_flag("--rows", arguments->rows, "every row, not the families alone");
    command.add_option(
        "--set", arguments->sets, "change a key of every hardware file: key=value; repeatable");
    add_format_option(command, arguments->format, true);
    command.add_option(
        "-o,--output",
        arguments->output,
        "folder for validation.{txt,json,csv,svg}; if it has runs that ended before, they are not "
        "made again");
    add_quiet_option(command, arguments->quiet);
    command.footer(
        "Examples:\n"
        "  npusim validate configs/calibration/measurements.csv\n"
        "  npusim validate mine.csv --platform 910B2 --family gemm --rows\n"
        "  npusim validate mine.csv --set gm.l2_tracked=no     what L2 is worth\n\n"
        "Columns: id, platform, kernel, algorithm, dtype, B, H, Hg, T, D, chunk, M, N, K, batch,\n"
        "n_elems, cores, shape_note, one of measured_us, measured_GBps, TFLOPs, measured_cycles,\n"
        "timing, note, group. The hardware file is chosen by the platform.");
    return [arguments] { return run_validate(*arguments); };
}

std::function<int()> add_calibrate_command(CLI::App& app) {
    const auto arguments = std::make_shared<CalibrateArguments>();
    CLI::App& command = *app.add_subcommand(
        "calibrate",
        "fit numbers of the hardware files to measurements, and check what was held out");
    command.add_option("file", arguments->file, "what to fit to what (YAML)")->required();
    add_jobs_option(command, arguments->workers);
    add_format_option(command, arguments->format, false);
    command.add_option(
        "-o,--output",
        arguments->output,
        "folder for calibration.{txt,json}; if it has runs that ended before, they are not made "
        "again");
    add_quiet_option(command, arguments->quiet);
    command.footer(
        "Example:\n"
        "  npusim calibrate configs/calibration/ascend-910b.yaml -o out/fit\n\n"
        "The file names a table of measurements, the rows that take part, the keys with what they\n"
        "may be, the number of parts held out in turn (a group of rows is in one of them) and how\n"
        "often the rows may be run. Nothing is written: put what you believe into the hardware "
        "file.");
    return [arguments] { return run_calibrate(*arguments); };
}

} // namespace npusim::app
