// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace npusim::app {

/// Adds `npusim layer` to `app`; the result runs it and returns the exit code.
std::function<int()> add_layer_command(CLI::App& app);

/// Adds `npusim shares`: the inverse's share of a layer, beside published ones.
std::function<int()> add_shares_command(CLI::App& app);

/// Adds `npusim pipeline`: the chunked delta rule on real data, and what each inverse does to o.
std::function<int()> add_pipeline_command(CLI::App& app);

} // namespace npusim::app
