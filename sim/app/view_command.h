// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// `npusim timeline`: what the pipes do, as text. The function returned runs it and gives the exit
/// code.
std::function<int()> add_timeline_command(CLI::App& app);

/// `npusim plot`: pictures (SVG).
std::function<int()> add_plot_command(CLI::App& app);

} // namespace npusim::app
