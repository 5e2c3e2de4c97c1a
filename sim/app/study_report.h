// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/study.h"

#include <string>
#include <vector>

namespace npusim::app {

/// A table per block, a cell being "1.1e-2 (1.4e-2)": ours and what was published. `!` marks a cell
/// off by more than an order of magnitude; a line per study says how many are not.
std::string study_text(const std::vector<Study>& studies, const std::string& hardware);
/// One object whatever the number of studies; a cell for every figure, `null` for what there is
/// not, "nf" where no matrix is finite.
std::string
study_json(const std::string& name, const std::vector<Study>& studies, const std::string& hardware);
/// A line per figure under a header line.
std::string study_csv(const std::vector<Study>& studies);
/// What is not as published, a line for each cell and claim.
std::vector<std::string> differences(const std::vector<Study>& studies);

} // namespace npusim::app
