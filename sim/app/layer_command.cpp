// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer_command.h"

#include "sim/app/arguments.h"
#include "sim/app/layer.h"
#include "sim/app/layer_options.h"
#include "sim/app/output.h"
#include "sim/app/pipeline.h"
#include "sim/app/shares.h"
#include "sim/base/error.h"
#include "traces/status_line.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

namespace {

struct LayerArguments : LayerOptions {
    std::string config;
    std::string versus;
    std::vector<std::string> sets;
    std::string format = "text";
    std::string output;
    bool quiet = false;
    bool exact = false;
    std::size_t workers = 1;
};

int run_layer(const LayerArguments& arguments) {
    const config::HardwareConfig hardware = load_hardware(arguments.config, arguments.sets);
    const config::ModelConfig model = load_model(arguments.model);
    const LayerJob job = layer_job(arguments);
    std::optional<KernelRequest> versus;
    if (!arguments.versus.empty()) {
        versus = inverse_request(arguments.versus);
    }
    if (!arguments.output.empty()) {
        prepare_folder(arguments.output);
    }
    traces::StatusLine status;
    OperatorTimer timer(
        hardware, announcer(status, "layer", arguments.quiet), arguments.workers, arguments.exact);
    const ModelCost cost =
        cost_of_model(hardware, model, job, arguments.launch == "each", versus, timer);
    status.clear();
    const std::string text = layer_text(cost);
    const std::string json = layer_json(cost);
    const std::string csv = layer_csv(cost);
    if (!arguments.output.empty()) {
        const std::filesystem::path folder = arguments.output;
        write_file(folder / "layer.txt", text);
        write_file(folder / "layer.json", json);
        write_file(folder / "layer.csv", csv);
    }
    const std::string& report = arguments.format == "json"  ? json
                                : arguments.format == "csv" ? csv
                                                            : text;
    print(report);
    return kDone;
}

/// The command line of `shares`.
struct SharesArguments {
    std::string config;
    std::string model = "qwen3.5-0.8b";
    std::int64_t tokens = 2048;
    std::string weights = "fp16";
    std::vector<std::string> sets;
    std::string format = "text";
    bool quiet = false;
};

int run_shares(const SharesArguments& arguments) {
    traces::StatusLine status;
    const Shares shares = measure_shares(load_hardware(arguments.config, arguments.sets),
                                         load_model(arguments.model),
                                         arguments.tokens,
                                         parse_dtype(arguments.weights, "--weights"),
                                         announcer(status, "shares", arguments.quiet));
    status.clear();
    const std::string report =
        arguments.format == "json" ? shares_json(shares) : shares_text(shares);
    print(report);
    return kDone;
}

/// The command line of `pipeline`.
struct PipelineArguments {
    std::string config;
    std::vector<std::string> kernels;
    std::int64_t chunk = 64;
    std::string dtype = "fp16";
    std::string input = "trained";
    std::int64_t tokens = 0;
    std::vector<std::string> sets;
    std::string format = "text";
    bool quiet = false;
};

int run_pipelines(const PipelineArguments& arguments) {
    check_chunk(arguments.chunk);
    const DType dtype = parse_dtype(arguments.dtype);
    if (is_integer(dtype)) {
        throw ConfigError(fmt::format("--dtype {}: (allowed: a float format)", arguments.dtype));
    }
    std::vector<std::string> inverses = arguments.kernels;
    if (inverses.empty()) {
        for (const kernels::Kernel* kernel : kernels::registry()) {
            inverses.emplace_back(kernel->name());
        }
        inverses.emplace_back("inverse/neumann:order=7,early=yes");
    }
    const std::string folder = arguments.input == "trained" ? kTrainedLayer : arguments.input;
    traces::StatusLine status;
    const Pipeline pipeline = run_pipeline(load_hardware(arguments.config, arguments.sets),
                                           kernels::read_activations(folder, arguments.tokens),
                                           arguments.chunk,
                                           dtype,
                                           inverses,
                                           announcer(status, "pipeline", arguments.quiet));
    status.clear();
    const std::string report =
        arguments.format == "json" ? pipeline_json(pipeline) : pipeline_text(pipeline);
    print(report);
    return kDone;
}

} // namespace

std::function<int()> add_layer_command(CLI::App& app) {
    const auto arguments = std::make_shared<LayerArguments>();
    CLI::App& command = *app.add_subcommand(
        "layer", "whole decoder layers of a model: cycles by operator, share of the inverse");
    add_config_option(command, arguments->config);
    command
        .add_option(
            "-m,--model", arguments->model, "model: a file (YAML) or a name of configs/models")
        ->required();
    command.add_option("--phase", arguments->phase, "prefill or decode")
        ->check(CLI::IsMember({"prefill", "decode"}))
        ->capture_default_str();
    command
        .add_option("--tokens",
                    arguments->tokens,
                    "tokens of each prompt; in decode, tokens each sequence has behind it")
        ->check(CLI::Range(std::int64_t{1}, kMostTokens))
        ->capture_default_str();
    command.add_option("--batch", arguments->batch, "sequences")
        ->check(CLI::Range(std::int64_t{1}, kMostSequences))
        ->capture_default_str();
    command
        .add_option("--draft",
                    arguments->draft,
                    "in decode, tokens of each sequence done together (1, or drafts to verify)")
        ->check(CLI::Range(std::int64_t{1}, kMostDrafts))
        ->capture_default_str();
    command.add_option("--chunk", arguments->chunk, "tokens of a chunk: 16, 32, 64 or 128")
        ->capture_default_str();
    command.add_option("--dtype", arguments->dtype, "activations: fp32, fp16 or bf16")
        ->capture_default_str();
    command.add_option("--weights",
                       arguments->weights,
                       "weights of projections and experts: as --dtype, int8 or int4");
    command
        .add_option("--inverse",
                    arguments->inverse,
                    "how chunks are inverted: neumann, mixed:..., see `npusim list kernels`")
        ->capture_default_str();
    command.add_option("--versus",
                       arguments->versus,
                       "another inverse: what the layer would take with it, and what is saved");
    command
        .add_option("--launch",
                    arguments->launch,
                    "each: every operator pays a launch; once: the model does (captured graph)")
        ->check(CLI::IsMember({"each", "once"}))
        ->capture_default_str();
    add_set_option(command, arguments->sets);
    add_format_option(command, arguments->format, true);
    add_jobs_option(command, arguments->workers);
    command.add_option("-o,--output", arguments->output, "folder for layer.{txt,json,csv}");
    add_exact_option(command, arguments->exact);
    command
        .add_flag("--sample",
                  arguments->sample,
                  "run the beginning and some stretches of each long operator and take the rest to "
                  "be like them: seconds instead of minutes from some 16,384 tokens on, for an "
                  "error of a few percent (README)")
        ->excludes("--exact");
    add_quiet_option(command, arguments->quiet);
    command.footer(
        "Examples:\n"
        "  npusim layer -c configs/hardware/ascend-910b.yaml -m qwen3.5-9b "
        "--versus forward-substitution\n"
        "  npusim layer -c configs/hardware/ascend-910b.yaml -m qwen3.5-27b "
        "--tokens 131072 --sample\n"
        "  npusim layer -c configs/hardware/ascend-910b.yaml -m qwen3.5-9b "
        "--phase decode --tokens 4096 --batch 8 --weights int4\n\n"
        "Timing only: no data, no weights. \"Decoder layer\" is a layer of the model. The inverse "
        "is "
        "prefill work;\ndecode goes token by token and has none, also when it verifies drafts.");
    return [arguments] { return run_layer(*arguments); };
}

std::function<int()> add_shares_command(CLI::App& app) {
    const auto arguments = std::make_shared<SharesArguments>();
    CLI::App& command = *app.add_subcommand(
        "shares",
        "the inverse's share of a layer and of the chunked delta rule, beside published ones");
    add_config_option(command, arguments->config);
    command
        .add_option(
            "-m,--model", arguments->model, "model: a file (YAML) or a name of configs/models")
        ->capture_default_str();
    command
        .add_option("--tokens",
                    arguments->tokens,
                    "tokens of the prompt; in the second table, of 16 a quarter as long")
        ->check(CLI::Range(std::int64_t{128}, std::int64_t{1} << 20))
        ->capture_default_str();
    command.add_option("--weights", arguments->weights, "weights: fp16, int8 or int4")
        ->check(CLI::IsMember({"fp16", "int8", "int4"}))
        ->capture_default_str();
    add_set_option(command, arguments->sets);
    add_format_option(command, arguments->format, false);
    add_quiet_option(command, arguments->quiet);
    command.footer("Example:\n  npusim shares -c configs/hardware/fused-local.yaml --weights int4");
    return [arguments] { return run_shares(*arguments); };
}

std::function<int()> add_pipeline_command(CLI::App& app) {
    const auto arguments = std::make_shared<PipelineArguments>();
    CLI::App& command = *app.add_subcommand(
        "pipeline", "the chunked delta rule on real data: what each inverse does to the output");
    add_config_option(command, arguments->config);
    command.add_option("-k,--kernel",
                       arguments->kernels,
                       "inverse, parameters after a colon; repeatable; all of them if left out");
    command.add_option("--chunk", arguments->chunk, "tokens of a chunk: 16, 32, 64 or 128")
        ->capture_default_str();
    command.add_option("--dtype", arguments->dtype, "fp32, fp16 or bf16")->capture_default_str();
    command
        .add_option("--input",
                    arguments->input,
                    "folder with q.npy, k.npy, v.npy, beta.npy and g.npy, or trained")
        ->capture_default_str();
    command.add_option("--tokens", arguments->tokens, "the first ones; 0: all")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20))
        ->capture_default_str();
    add_set_option(command, arguments->sets);
    add_format_option(command, arguments->format, false);
    add_quiet_option(command, arguments->quiet);
    command.footer("Example:\n  npusim pipeline -c configs/hardware/ascend-910b.yaml "
                   "-k inverse/neumann -k inverse/mixed");
    return [arguments] { return run_pipelines(*arguments); };
}

} // namespace npusim::app
