// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim sweep` with its own commands. `command_line` is what was typed. Returns what runs
/// it and gives the exit code.
std::function<int()> add_sweep_command(CLI::App& app, const std::string& command_line);

} // namespace npusim::app
