// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim run` to `app`; the result runs it and returns the exit code.
std::function<int()> add_run_command(CLI::App& app);

/// Adds `npusim compare`: several kernels on the same input.
std::function<int()> add_compare_command(CLI::App& app);

/// Adds `npusim select`: every kernel, and the fastest that is accurate enough.
std::function<int()> add_select_command(CLI::App& app);

} // namespace npusim::app
