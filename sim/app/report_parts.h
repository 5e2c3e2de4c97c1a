// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/inverse/accuracy.h"
#include "sim/observe/statistics.h"
#include "sim/physical/part.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace npusim::app {

using json = nlohmann::ordered_json;

/// What algorithms are compared with, and the one of the paper.
inline constexpr const char* kBaseline = "inverse/forward-substitution";
inline constexpr const char* kSeries = "inverse/neumann";

inline constexpr double kMicro = 1e6; ///< uJ of a J

/// JSON has no NaN and no infinity: null stands for "nothing finite".
json number(double value);

/// part / whole; 0 of nothing.
double ratio(std::int64_t part, std::int64_t whole);
/// "12.3 %", "-" for NaN.
std::string percent(double share);
/// Share of `cycles` in which `pipe` is busy, mean over the cores that have it: what the chip as a
/// whole was used for. NaN if none has.
double utilization(const observe::RunStatistics& statistics, Pipe pipe, std::int64_t cycles);

/// {"cube": 1.2, "l0a": 0.3, ...}, each times `unit`.
json parts_json(const physical::Parts& parts, double unit);

/// A field of CSV that may hold commas and quotes.
std::string quoted(const std::string& text);

/// {"order": 3, "mask": "order", ...}: the word of a value that has one.
json parameters_json(const std::vector<kernels::Parameter>& parameters,
                     const kernels::ParameterValues& values);

/// "0.0165", "6.4, 1 of 64 non-finite" or "64 of 64 non-finite".
std::string worst_text(const inverse::Accuracy& accuracy);

} // namespace npusim::app
