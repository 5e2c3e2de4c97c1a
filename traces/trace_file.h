// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/observe/observer.h"
#include "traces/selection.h"
#include "traces/trace.h"

#include <filesystem>
#include <memory>
#include <string>

namespace npusim::traces {

/// The formats by the ends of their names, for help texts.
std::string trace_formats();

/// Writes a run to `path` in the format that its end names. Throws ConfigError if there is no such
/// format or the file cannot be written; so may the observer's hooks.
std::unique_ptr<observe::Observer> open_trace(const std::filesystem::path& path,
                                              const config::HardwareConfig& hardware,
                                              const Selection& selection,
                                              Detail detail);

} // namespace npusim::traces
