// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim run` to `app`; the result runs it and returns the exit code. `command_line` is all
/// that was given.
std::function<int()> add_run_command(CLI::App& app, const std::string& command_line);

/// Adds `npusim compare`: several kernels on the same input.
std::function<int()> add_compare_command(CLI::App& app, const std::string& command_line);

/// Adds `npusim select`: every kernel, and the fastest that is accurate enough.
std::function<int()> add_select_command(CLI::App& app, const std::string& command_line);

} // namespace npusim::app
