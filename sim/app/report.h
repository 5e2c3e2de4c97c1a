// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"

#include <string>
#include <vector>

namespace npusim::app {

/// All results as one table, a column each; speed-up is against the first. Input of several cases
/// has a row of the worst error for each.
std::string text_report(const std::vector<Result>& results);
/// {"results": [...]}; `pipes` is the core that finished last, every core stands under `cores`;
/// `accuracy.cases` is there if the input has several.
std::string json_report(const std::vector<Result>& results);
/// One line per result under a header line.
std::string csv_report(const std::vector<Result>& results);

} // namespace npusim::app
