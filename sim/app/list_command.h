// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim list` to `app`: kernels, hardware, models, ops; the result runs it and returns the
/// exit code.
std::function<int()> add_list_command(CLI::App& app);

} // namespace npusim::app
