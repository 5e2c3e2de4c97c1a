// SPDX-License-Identifier: Apache-2.0
#include "sim/app/arguments.h"

#include "sim/base/error.h"
#include "sim/base/suggest.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <system_error>

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
    return fmt::format("{}", fmt::join(names, ", "));
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
                                  fmt::join(names, ", ")));
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

} // namespace npusim::app
