// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job_options.h"

#include "sim/app/arguments.h"
#include "sim/base/error.h"
#include "sim/base/join.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <map>

namespace npusim::app {

namespace {

kernels::Scaling parse_scaling(const JobOptions& options) {
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
        fmt::format("--scale {}: (allowed: {})", text, join(kernels::kScalingNames, ", ")));
}

/// The matrices, unless only their number matters and is given.
inverse::Matrices load_matrices(const JobOptions& options) {
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
std::optional<inverse::Matrices> load_calibration_inputs(const JobOptions& options) {
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

std::vector<KernelRequest> parse_requests(const JobOptions& options) {
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

} // namespace

LoadedInput::LoadedInput(const JobOptions& options) : exact_(options.exact) {
    check_chunk(options.chunk);
    const DType dtype = parse_dtype(options.dtype);
    matrices_ = load_matrices(options);
    problem_ = {matrices_.count, options.chunk, dtype, parse_scaling(options)};
    calibration_ = load_calibration_inputs(options);
    if (!options.timing_only) {
        reference_.emplace(matrices_);
    }
}

LoadedJob::LoadedJob(const JobOptions& options)
    : hardware_(load_hardware(options.config, options.sets)), requests_(parse_requests(options)),
      input_(options) {}

Workload LoadedInput::workload() const {
    if (!reference_) {
        return {.problem = problem_, .exact = exact_};
    }
    return {.problem = problem_,
            .matrices = &matrices_,
            .reference = &*reference_,
            .calibration = calibration_ ? &*calibration_ : nullptr,
            .exact = exact_};
}

void add_job_options(CLI::App& command, JobOptions& options) {
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

void add_parameter_options(CLI::App& command, JobOptions& options) {
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
}

CLI::Option* add_timing_option(CLI::App& command, JobOptions& options) {
    add_exact_option(command, options.exact);
    return command.add_flag(
        "--timing-only", options.timing_only, "carry no data; the cycles are the same");
}

} // namespace npusim::app
