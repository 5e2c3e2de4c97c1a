// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/config/hardware.h"
#include "sim/config/model.h"
#include "traces/selection.h"
#include "traces/status_line.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

/// What the commands have in common: reading of options, exit codes. Functions throw ConfigError
/// with the option, its value and what is allowed.
namespace npusim::app {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

inline const std::string kTrainedLayer = NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4";

/// Splits `key=value`.
std::pair<std::string, std::string> key_value(const std::string& option, const std::string& text);
void check_chunk(std::int64_t chunk);
/// "fp32, tf32, ..."
std::string dtype_names();
DType parse_dtype(const std::string& text, const std::string& option = "--dtype");
/// A model file, or the shipped one of that name.
config::ModelConfig load_model(const std::string& text);
/// A hardware file with the `--set`s.
config::HardwareConfig load_hardware(const std::string& file, const std::vector<std::string>& sets);

/// Options that mean the same in every command that has them.
void add_config_option(CLI::App& command, std::string& config);
void add_set_option(CLI::App& command, std::vector<std::string>& sets);
void add_format_option(CLI::App& command, std::string& format, bool csv);
/// `--{prefix}window` and `--{prefix}cores`, for `selection`.
struct SelectionArguments {
    std::string window;
    std::string cores;
};
void add_selection_options(CLI::App& command,
                           SelectionArguments& arguments,
                           const std::string& prefix = "");
traces::Selection selection(const SelectionArguments& arguments);
void add_quiet_option(CLI::App& command, bool& quiet);
/// --exact: see model::Job.
void add_exact_option(CLI::App& command, bool& exact);
/// Set to as many as the host has processors.
void add_jobs_option(CLI::App& command, std::size_t& jobs);

/// A report goes to stdout.
void print(const std::string& report);
/// Says "COMMAND: what" on `status` when it is time to, unless `quiet`.
std::function<void(const std::string& what)>
announcer(traces::StatusLine& status, const std::string& command, bool quiet);

} // namespace npusim::app
