// SPDX-License-Identifier: Apache-2.0
#include "sim/app/arguments.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>
#include <thread>

namespace npusim::app {

std::pair<std::string, std::string> key_value(const std::string& option, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw ConfigError(fmt::format("{} {}: not of the form key=value", option, text));
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

void check_chunk(std::int64_t chunk) {
    for (const std::int64_t allowed : {16, 32, 64, 128}) {
        if (chunk == allowed) {
            return;
        }
    }
    throw ConfigError(fmt::format("--chunk {}: (allowed: 16, 32, 64, 128)", chunk));
}

std::string dtype_names() {
    std::vector<std::string_view> names(kDTypes.size());
    std::ranges::transform(kDTypes, names.begin(), [](DType dtype) { return to_string(dtype); });
    return join(names, ", ");
}

DType parse_dtype(const std::string& text, const std::string& option) {
    if (const auto dtype = dtype_from(text)) {
        return *dtype;
    }
    throw ConfigError(fmt::format("{} {}: (allowed: {})", option, text, dtype_names()));
}

config::ModelConfig load_model(const std::string& text) {
    const std::filesystem::path models = NPUSIM_SOURCE_DIR "/configs/models";
    std::error_code error;
    if (std::filesystem::exists(text, error)) {
        return config::load_model(text);
    }
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(models)) {
        names.push_back(entry.path().stem());
    }
    std::ranges::sort(names);
    if (std::ranges::find(names, text) != names.end()) {
        return config::load_model(models / (text + ".yaml"));
    }
    throw ConfigError(fmt::format("-m {}: no such file or model{} (allowed: a file, {})",
                                  text,
                                  did_you_mean(text, names),
                                  join(names, ", ")));
}

config::HardwareConfig load_hardware(const std::string& file,
                                     const std::vector<std::string>& sets) {
    std::vector<config::Override> overrides;
    for (const std::string& text : sets) {
        const auto [key, value] = key_value("--set", text);
        overrides.push_back({key, value});
    }
    return config::load_hardware(file, overrides);
}

void add_config_option(CLI::App& command, std::string& config) {
    command.add_option("-c,--config", config, "hardware file (YAML)")->required();
}

void add_set_option(CLI::App& command, std::vector<std::string>& sets) {
    command.add_option("--set", sets, "override a key of the hardware file: key=value; repeatable");
}

void add_format_option(CLI::App& command, std::string& format, bool csv) {
    CLI::Option* option = csv ? command.add_option("--format", format, "text, json or csv")
                                    ->check(CLI::IsMember({"text", "json", "csv"}))
                              : command.add_option("--format", format, "text or json")
                                    ->check(CLI::IsMember({"text", "json"}));
    option->capture_default_str();
}

void add_selection_options(CLI::App& command,
                           SelectionArguments& arguments,
                           const std::string& prefix) {
    command.add_option("--" + prefix + "window",
                       arguments.window,
                       "show cycles A to B only: A:B; either may be left out");
    command.add_option("--" + prefix + "cores",
                       arguments.cores,
                       "show these AI cores or cores of them only, e.g. 0,3-5,core7.cube");
}

traces::Selection selection(const SelectionArguments& arguments) {
    return {arguments.window, arguments.cores};
}

void add_quiet_option(CLI::App& command, bool& quiet) {
    command.add_flag("-q,--quiet", quiet, "say nothing but errors");
}

void add_exact_option(CLI::App& command, bool& exact) {
    command.add_flag("--exact",
                     exact,
                     "work out every instruction of a timing run, also laps that are certain to "
                     "take what the one before took; the result is the same");
}

void add_jobs_option(CLI::App& command, std::size_t& jobs) {
    jobs = std::max(1U, std::thread::hardware_concurrency());
    command.add_option("-j,--jobs", jobs, "processes to run in")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
}

void print(const std::string& report) {
    std::fwrite(report.data(), 1, report.size(), stdout);
}

std::function<void(const std::string& what)>
announcer(traces::StatusLine& status, const std::string& command, bool quiet) {
    return [&status, command, quiet](const std::string& what) {
        if (!quiet && status.due()) {
            status.say(command + ": " + what);
        }
    };
}

} // namespace npusim::app
