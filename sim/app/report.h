// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"

#include <string>
#include <vector>

namespace npusim::app {

/// All results as one table, a column each; speed-up is against the first.
std::string text_report(const std::vector<Result>& results);
/// {"results": [...]}; `pipes` is the core that finished last, every core stands under `cores`.
std::string json_report(const std::vector<Result>& results);
/// One line per result under a header line.
std::string csv_report(const std::vector<Result>& results);

} // namespace npusim::app
