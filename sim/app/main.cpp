// SPDX-License-Identifier: Apache-2.0
#include "sim/app/arguments.h"
#include "sim/app/job.h"
#include "sim/app/layer_command.h"
#include "sim/app/output.h"
#include "sim/app/report.h"
#include "sim/app/select.h"
#include "sim/app/select_report.h"
#include "sim/app/speed.h"
#include "sim/app/study.h"
#include "sim/app/study_report.h"
#include "sim/app/validate/validate_command.h"
#include "sim/base/error.h"
#include "sim/base/suggest.h"
#include "sim/config/model.h"
#include "sim/isa/instruction.h"
#include "traces/chrome.h"
#include "traces/progress.h"
#include "traces/status_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace npusim::app {

namespace {

namespace fs = std::filesystem;

/// The command line of `run`, `compare` and `select`.
struct Options {
    std::string config;
    std::vector<std::string> kernels;
    std::int64_t chunk = 64;
    std::string dtype = "fp16";
    std::string scale; ///< empty: head, or tensor with a calibration set
    std::string calibrate;
    std::string input = "trained";
    std::int64_t count = 0;
    std::int64_t seed = 1;
    std::vector<std::string> parameters;
    std::vector<std::string> sets;
    std::string max_error;
    std::string format = "text";
    std::string output;
    std::string trace;
    bool timing_only = false;
    bool check = false;
    bool verbose = false;
    bool quiet = false;
};

kernels::Scaling parse_scaling(const Options& options) {
    const std::string& text = options.scale;
    if (text.empty()) {
        return options.calibrate.empty() ? kernels::Scaling::Head : kernels::Scaling::Tensor;
    }
    for (std::size_t i = 0; i < kernels::kScalingNames.size(); ++i) {
        if (kernels::kScalingNames[i] == text) {
            return static_cast<kernels::Scaling>(i);
        }
    }
    throw ConfigError(
        fmt::format("--scale {}: (allowed: {})", text, fmt::join(kernels::kScalingNames, ", ")));
}

double parse_max_error(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) ||
        value <= 0) {
        throw ConfigError(fmt::format("--max-error {}: (allowed: a number above 0)", text));
    }
    return value;
}

std::string formatted(const std::vector<Result>& results, const std::string& format) {
    if (format == "json") {
        return json_report(results);
    }
    return format == "csv" ? csv_report(results) : text_report(results);
}

/// FILE for one kernel; FILE with the kernel before the extension for several.
fs::path trace_path(const Options& options, const std::string& kernel, std::size_t index) {
    fs::path path = options.trace;
    if (options.kernels.size() > 1) {
        const std::string extension = path.extension();
        path.replace_extension();
        path += "." + file_stem(kernel, index) + extension;
    }
    return path;
}

std::vector<KernelRequest> parse_requests(const Options& options) {
    std::map<std::string, std::string> shared;
    for (const std::string& text : options.parameters) {
        const auto [name, value] = key_value("-p", text);
        shared[name] = value;
    }
    std::vector<KernelRequest> requests;
    for (const std::string& kernel : options.kernels) {
        requests.push_back(parse_request(kernel, shared));
    }
    for (const auto& [name, value] : shared) {
        const bool known = std::any_of(
            requests.begin(), requests.end(), [&name = name](const KernelRequest& request) {
                return request.values.contains(name);
            });
        if (!known) {
            throw ConfigError(fmt::format("-p {}={}: no kernel here has this parameter "
                                          "(see: npusim list kernels)",
                                          name,
                                          value));
        }
    }
    return requests;
}

/// The matrices, unless only their number matters and is given.
inverse::Matrices load_matrices(const Options& options) {
    if (options.timing_only && options.count > 0) {
        const auto cases = inverse::list_cases(options.input, options.count);
        const auto count = options.count * static_cast<std::int64_t>(cases.size());
        return {count, options.chunk, {}, cases};
    }
    return inverse::load_input(options.input,
                               options.chunk,
                               options.count,
                               static_cast<std::uint64_t>(options.seed),
                               kTrainedLayer);
}

/// The set that scales are taken from instead of the input, if one was named.
std::optional<inverse::Matrices> load_calibration_inputs(const Options& options) {
    if (options.calibrate.empty() || options.timing_only) {
        return std::nullopt;
    }
    if (parse_scaling(options) != kernels::Scaling::Tensor) {
        throw ConfigError(fmt::format("--calibrate {}: scales of a {} come from the input itself "
                                      "(allowed: with --scale tensor)",
                                      options.calibrate,
                                      options.scale));
    }
    return inverse::load_input(options.calibrate,
                               options.chunk,
                               0,
                               static_cast<std::uint64_t>(options.seed),
                               kTrainedLayer);
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
    spdlog::info("{}: same bytes as in program order", result.kernel);
}

int run_kernels(const Options& options) {
    check_chunk(options.chunk);
    const DType dtype = parse_dtype(options.dtype);
    const config::HardwareConfig hardware = load_hardware(options.config, options.sets);
    const std::vector<KernelRequest> requests = parse_requests(options);
    const inverse::Matrices matrices = load_matrices(options);
    Workload workload{{matrices.count, options.chunk, dtype, parse_scaling(options)}};
    std::optional<inverse::ReferenceSet> reference;
    const std::optional<inverse::Matrices> calibration = load_calibration_inputs(options);
    if (!options.timing_only) {
        workload.matrices = &matrices;
        workload.reference = &reference.emplace(matrices);
        workload.calibration = calibration ? &*calibration : nullptr;
    }
    if (!options.output.empty()) {
        prepare_folder(options.output);
    }
    std::vector<Result> results;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::string name(requests[i].kernel->name());
        spdlog::info(
            "{}: {} matrices of {} on {}", name, matrices.count, options.chunk, hardware.name);
        traces::Progress progress(name,
                                  matrices.count * bytes_of(dtype, options.chunk * options.chunk));
        std::unique_ptr<traces::ChromeTrace> trace;
        observe::Observers observers;
        if (!options.quiet) {
            observers.push_back(&progress);
        }
        if (!options.trace.empty()) {
            trace = std::make_unique<traces::ChromeTrace>(trace_path(options, name, i),
                                                          hardware.clock_mhz);
            observers.push_back(trace.get());
        }
        results.push_back(run(hardware, requests[i], workload, observers));
        if (options.check) {
            check_flags(hardware, requests[i], workload, results.back());
        }
    }
    if (!options.output.empty()) {
        write_outputs(options.output, results);
    }
    const std::string report = formatted(results, options.format);
    print(report);
    return kDone;
}

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
                {arguments.count,
                 static_cast<std::uint64_t>(arguments.seed),
                 [](const std::string& what) { spdlog::info("{}", what); }});
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
        spdlog::error("{}", line);
    }
    return off.empty() ? kDone : kFailed;
}

/// The kernels of `-k`, or all of them.
std::vector<KernelRequest> selectable(const Options& options) {
    std::vector<KernelRequest> requests = parse_requests(options);
    if (requests.empty()) {
        for (const kernels::Kernel* kernel : kernels::registry()) {
            requests.push_back(parse_request(std::string(kernel->name()), {}));
        }
    }
    return requests;
}

int select_kernel(const Options& options) {
    check_chunk(options.chunk);
    const DType dtype = parse_dtype(options.dtype);
    const double max_error = parse_max_error(options.max_error);
    const config::HardwareConfig hardware = load_hardware(options.config, options.sets);
    const std::vector<KernelRequest> requests = selectable(options);
    const inverse::Matrices matrices = load_matrices(options);
    const inverse::ReferenceSet reference(matrices);
    if (!options.output.empty()) {
        prepare_folder(options.output);
    }
    traces::StatusLine status;
    const auto announce = [&](std::size_t index, std::size_t count, const Candidate& candidate) {
        const std::string text =
            fmt::format("select: {} of {}, {}", index + 1, count, spec(candidate.request));
        spdlog::info("{}", text);
        if (!options.quiet && !options.verbose && status.due()) {
            status.say(text);
        }
    };
    const std::optional<inverse::Matrices> calibration = load_calibration_inputs(options);
    const Workload workload{{matrices.count, options.chunk, dtype, parse_scaling(options)},
                            &matrices,
                            &reference,
                            calibration ? &*calibration : nullptr};
    Selection selection = select(hardware, requests, workload, max_error, announce);
    selection.input = options.input;
    status.clear();
    const std::map<std::string, std::string> reports{{"text", select_text(selection)},
                                                     {"json", select_json(selection)},
                                                     {"csv", select_csv(selection)}};
    if (!options.output.empty()) {
        const fs::path folder = options.output;
        write_file(folder / "results.txt", reports.at("text"));
        write_file(folder / "results.csv", reports.at("csv"));
        write_file(folder / "results.json", reports.at("json"));
    }
    const std::string& report = reports.at(options.format);
    print(report);
    return selection.choice() ? kDone : kFailed;
}

void list_kernels() {
    for (const kernels::Kernel* kernel : kernels::registry()) {
        fmt::print("{:<30} {}\n", kernel->name(), kernel->summary());
        for (const kernels::Parameter& parameter : kernel->parameters()) {
            std::string words;
            for (const auto& [word, value] : parameter.words) {
                words += word + ", ";
            }
            fmt::print("    {:<8} {} ({}{}..{}; default {})\n",
                       parameter.name,
                       parameter.doc,
                       words,
                       parameter.min,
                       parameter.max,
                       kernels::parameter_text(parameter, parameter.initial));
        }
    }
}

/// Name and description of every file in a folder of configs/.
void list_files(const std::string& folder,
                const std::function<std::pair<std::string, std::string>(const fs::path&)>& read) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(NPUSIM_SOURCE_DIR "/configs/" + folder)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
        const auto [name, description] = read(file);
        fmt::print("{:<20} {}\n    {}\n", name, description, fs::relative(file).string());
    }
}

int list(const std::string& what) {
    if (what == "kernels") {
        list_kernels();
    } else if (what == "ops") {
        for (const isa::OpDoc& op : isa::op_reference()) {
            fmt::print("{:<12} {}\n", op.name, op.doc);
        }
    } else if (what == "hardware") {
        list_files("hardware", [](const fs::path& file) {
            const config::HardwareConfig hardware = config::load_hardware(file);
            return std::pair(hardware.name, hardware.description);
        });
    } else {
        list_files("models", [](const fs::path& file) {
            const config::ModelConfig model = config::load_model(file);
            return std::pair(model.name,
                             fmt::format("{} layers ({} softmax), hidden {}, {}",
                                         model.layers,
                                         model.full_layers.size(),
                                         model.hidden,
                                         model.experts
                                             ? fmt::format("{} experts", model.experts->count)
                                             : fmt::format("feed-forward {}", model.dense)));
        });
    }
    return kDone;
}

/// What every command that runs kernels takes.
void add_job_options(CLI::App& command, Options& options) {
    add_config_option(command, options.config);
    command
        .add_option("-k,--kernel",
                    options.kernels,
                    "kernel, with its own parameters after a colon: "
                    "inverse/neumann:order=4,steps=8")
        ->take_all();
    command.add_option("--chunk", options.chunk, "matrix size: 16, 32, 64 or 128")
        ->capture_default_str();
    command
        .add_option("--dtype", options.dtype, "operands, of those the chip has: " + dtype_names())
        ->capture_default_str();
    command.add_option(
        "--scale",
        options.scale,
        "integer formats: one scale for each stored matrix of the kernel over all chunks "
        "(tensor), over those of a head or made-up case (head), or each chunk's own, found while "
        "running (matrix); default: head, or tensor with --calibrate");
    command.add_option("--calibrate",
                       options.calibrate,
                       "input that scales (--scale tensor) are set by, as --input; default: the "
                       "input itself");
    command.add_option("--input", options.input, inverse::input_help())->capture_default_str();
    command
        .add_option("--count",
                    options.count,
                    "matrices of each case, the first of a folder or file; 0: 16 of a made-up case "
                    "of the suite, else all of a folder or file and 64 draws")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20))
        ->capture_default_str();
    command.add_option("--seed", options.seed, "seed of made-up input")
        ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
        ->capture_default_str();
    add_set_option(command, options.sets);
    add_format_option(command, options.format, true);
    command.add_flag("-v,--verbose", options.verbose, "say what is being done");
    add_quiet_option(command, options.quiet);
}

void add_run_options(CLI::App& command, Options& options) {
    add_job_options(command, options);
    command.get_option("--kernel")->required();
    command.add_option("-p,--param",
                       options.parameters,
                       "kernel parameter name=value, for every "
                       "kernel that has it; repeatable");
    for (const std::string name : {"order", "steps"}) { // after -p, which would take their place
        command.add_option_function<std::string>(
            "--" + name,
            [&options, name](const std::string& value) {
                options.parameters.push_back(fmt::format("{}={}", name, value));
            },
            fmt::format("short for -p {}=VALUE; `auto` suits the chunk", name));
    }
    command.add_option(
        "-o,--output", options.output, "folder for results.{json,csv,txt} and the inverses (.npy)");
    command.add_option("--trace", options.trace, "Chrome trace (JSON) for Perfetto's UI");
    CLI::Option* timing_only = command.add_flag(
        "--timing-only", options.timing_only, "carry no data; the cycles are the same");
    command
        .add_flag(
            "--check",
            options.check,
            "also run in program order, without time; other bytes mean a missing flag (exit 1)")
        ->excludes(timing_only);
}

void add_select_options(CLI::App& command, Options& options) {
    options.input = "suite";
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
    command.footer("Example:\n"
                   "  npusim select -c configs/hardware/ascend-910b.yaml --chunk 64 --dtype fp16 "
                   "--max-error 1e-2\n\n"
                   "All kernels on the whole suite take half a minute at chunk 64 and more at 128; "
                   "--count 1 takes seconds.\n"
                   "Exit code: 0 done, 1 nothing is within --max-error, 2 bad input.");
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
    const std::string report = arguments.format == "json" ? speed_json(result) : speed_text(result);
    print(report);
    return kDone;
}

void add_speed_options(CLI::App& command, SpeedArguments& arguments) {
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

void add_study_options(CLI::App& command, StudyArguments& arguments) {
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

/// The first word CLI11 could make nothing of, or "".
std::string leftover(const CLI::App& app) {
    const std::vector<std::string> words = app.remaining(true);
    const auto option = std::find_if(
        words.begin(), words.end(), [](const std::string& word) { return word.starts_with('-'); });
    return option != words.end() ? *option : words.empty() ? "" : words.front();
}

/// What is wrong with the command line and what it may be.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
    const auto parsed = app.get_subcommands();
    const CLI::App& command = parsed.empty() ? app : *parsed.front();
    std::string text = error.what();
    if (const std::string word = leftover(app); !word.empty()) {
        std::vector<std::string> names;
        for (const CLI::Option* option : command.get_options()) {
            names.push_back(option->get_name(false, true));
        }
        for (const CLI::App* other : app.get_subcommands(nullptr)) {
            if (parsed.empty()) {
                names.push_back(other->get_name());
            }
        }
        const char* kind = word.starts_with('-') ? "option"
                           : parsed.empty()      ? "command"
                                                 : "argument";
        text = fmt::format("unknown {} '{}'{}", kind, word, did_you_mean(word, names));
    } else if (error.get_name() == "ConversionError") {
        text = text.substr(text.find(": ") + 2) + ": not a whole number";
    }
    return fmt::format(
        "{}\nsee: {} --help", text, parsed.empty() ? "npusim" : "npusim " + command.get_name());
}

int dispatch(int argc, char** argv) {
    CLI::App app{"npusim: a cycle-approximate NPU core that runs real kernels on real data",
                 "npusim"};
    app.set_version_flag("--version", std::string("npusim ") + NPUSIM_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Examples:\n"
        "  npusim compare -c configs/hardware/ascend-910b.yaml -k inverse/forward-substitution "
        "-k inverse/neumann --chunk 64 --dtype fp16\n"
        "  npusim run -c configs/hardware/fused-local.yaml -k inverse/neumann:order=4,early=yes "
        "--input correlated:0.9 --trace run.json\n"
        "  npusim run -c configs/hardware/ascend-910b.yaml -k inverse/neumann "
        "--set sync.cross_core_cycles=100 --format json\n"
        "  npusim compare -c configs/hardware/ascend-910b.yaml -k inverse/forward-substitution "
        "-k inverse/neumann --input suite\n"
        "  npusim study ablation\n"
        "  npusim select -c configs/hardware/ascend-910b.yaml --chunk 64 --dtype fp16 "
        "--max-error 1e-2\n"
        "  npusim list kernels\n\n"
        "Exit code: 0 done, 1 the run failed (deadlock, --check, nothing to select), 2 bad input.");
    Options options;
    Options select_options;
    CLI::App* run_command = app.add_subcommand("run", "run one kernel");
    CLI::App* compare_command =
        app.add_subcommand("compare", "run several kernels on the same input, as one table");
    CLI::App* select_command = app.add_subcommand(
        "select",
        "run every kernel with many parameters; choose the fastest that is accurate enough");
    CLI::App* list_command = app.add_subcommand("list", "list kernels, hardware, models or ops");
    CLI::App* study_command = app.add_subcommand(
        "study", "regenerate the published tables of accuracy, ours beside theirs");
    StudyArguments study_arguments;
    add_study_options(*study_command, study_arguments);
    CLI::App* speed_command = app.add_subcommand(
        "speed", "cycles of every inverse at every chunk size, beside published speed-ups");
    SpeedArguments speed_arguments;
    add_speed_options(*speed_command, speed_arguments);
    const auto layer = add_layer_command(app);
    const auto shares = add_shares_command(app);
    const auto pipeline = add_pipeline_command(app);
    const auto validate = add_validate_command(app);
    const auto calibrate = add_calibrate_command(app);
    add_run_options(*run_command, options);
    add_run_options(*compare_command, options);
    add_select_options(*select_command, select_options);
    std::string what;
    list_command->add_option("what", what, "kernels, hardware, models or ops")
        ->required()
        ->check(CLI::IsMember({"kernels", "hardware", "models", "ops"}));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) { // --help, --version
            return app.exit(error);
        }
        throw ConfigError(explain(app, error));
    }
    const bool verbose = options.verbose || select_options.verbose || study_arguments.verbose;
    const bool quiet = options.quiet || select_options.quiet;
    spdlog::set_level(verbose ? spdlog::level::info
                      : quiet ? spdlog::level::err
                              : spdlog::level::warn);
    if (list_command->parsed()) {
        return list(what);
    }
    if (app.got_subcommand("layer")) {
        return layer();
    }
    if (app.got_subcommand("shares")) {
        return shares();
    }
    if (app.got_subcommand("pipeline")) {
        return pipeline();
    }
    if (app.got_subcommand("validate")) {
        return validate();
    }
    if (app.got_subcommand("calibrate")) {
        return calibrate();
    }
    if (speed_command->parsed()) {
        return speed(speed_arguments);
    }
    if (study_command->parsed()) {
        return study(study_arguments);
    }
    if (select_command->parsed()) {
        return select_kernel(select_options);
    }
    if (run_command->parsed() && options.kernels.size() != 1) {
        throw ConfigError("run takes one -k (several: npusim compare)");
    }
    return run_kernels(options);
}

} // namespace

} // namespace npusim::app

int main(int argc, char** argv) {
    // Before anything touches SystemC, which greets on stderr.
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1); // NOLINT(concurrency-mt-unsafe)
    spdlog::set_default_logger(spdlog::stderr_color_st("npusim"));
    spdlog::set_pattern("npusim: %^%l%$: %v");
    try {
        return npusim::app::dispatch(argc, argv);
    } catch (const npusim::ConfigError& error) {
        spdlog::error("{}", error.what());
        return npusim::app::kUsage;
    } catch (const npusim::ProgramError& error) {
        spdlog::error("{}", error.what());
        return npusim::app::kUsage;
    } catch (const std::exception& error) {
        spdlog::error("{}", error.what());
        return npusim::app::kFailed;
    }
}
