// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/inverse/accuracy.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace npusim::app {

using json = nlohmann::ordered_json;

/// JSON has no NaN and no infinity: null stands for "nothing finite".
json number(double value);

/// {"order": 3, "mask": "order", ...}: the word of a value that has one.
json parameters_json(const std::vector<kernels::Parameter>& parameters,
                     const kernels::ParameterValues& values);

/// "0.0165", "6.4, 1 of 64 non-finite" or "64 of 64 non-finite".
std::string worst_text(const inverse::Accuracy& accuracy);

} // namespace npusim::app
