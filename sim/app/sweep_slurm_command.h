// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `slurm` to `npusim sweep`; the result runs it and returns the exit code.
std::function<int()> add_sweep_slurm(CLI::App& sweep);

} // namespace npusim::app
