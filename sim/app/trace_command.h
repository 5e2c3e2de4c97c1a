// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim trace lint` and `npusim trace stats` to `app`; the result runs the one that was
/// asked for and returns the exit code.
std::function<int()> add_trace_command(CLI::App& app);

} // namespace npusim::app
