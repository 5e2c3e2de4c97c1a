// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/select.h"

#include <string>

namespace npusim::app {

/// A kernel and its parameters as `-k` takes them; defaults are left out.
std::string spec(const KernelRequest& request);

/// Four parts: the candidates, best first; the Pareto front of cycles against error; what breaks
/// whom, and what the chip refuses; the choice.
///
///     #  kernel          parameters  cycles after launch  time, us  speed-up  worst error  ...
///     1  inverse/mixed   -                         81234     49.81     3.10x      0.00121  ...
std::string select_text(const Selection& selection);
/// One object; `pareto` and `choice` are places in `candidates`, which are in the order of the
/// table. `error` and `worst_case` are null where nothing ran, `error` also where a result is not
/// finite.
std::string select_json(const Selection& selection);
/// One line per candidate under a header line.
std::string select_csv(const Selection& selection);

} // namespace npusim::app
