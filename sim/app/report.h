// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"

#include <string>
#include <vector>

namespace npusim::app {

/// What was run on which chip: "ascend-910b: 128 matrices 64x64 fp16, 1850 MHz".
std::string job_line(const Result& result);
/// The kernel and its parameters as `-k` takes them; defaults are left out.
std::string result_spec(const Result& result);

/// All results as one table, a column each; speed-up is against the first. Input of several cases
/// has a row of the worst error for each.
std::string text_report(const std::vector<Result>& results);
/// {"results": [...]}; `pipes` is the core that finished last, every core stands under `cores`;
/// `accuracy.cases` is there if the input has several.
std::string json_report(const std::vector<Result>& results);
/// One line per result under a header line.
std::string csv_report(const std::vector<Result>& results);

} // namespace npusim::app
