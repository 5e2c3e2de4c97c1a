// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim validate` to `app`; the result runs it and returns the exit code.
std::function<int()> add_validate_command(CLI::App& app);

/// Adds `npusim calibrate`: numbers of the hardware files fitted to measurements.
std::function<int()> add_calibrate_command(CLI::App& app);

} // namespace npusim::app
