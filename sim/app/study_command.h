// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim study` to `app`: published tables of accuracy, ours beside theirs; the result runs
/// it and returns the exit code.
std::function<int()> add_study_command(CLI::App& app);

/// Adds `npusim speed`: every inverse at every chunk size, beside published speed-ups.
std::function<int()> add_speed_command(CLI::App& app);

} // namespace npusim::app
