// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/analysis.h"
#include "sim/explore/run.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// What came of a sweep.
struct SweepReport {
    const explore::Sweep* sweep = nullptr;
    std::vector<explore::Record> records;         ///< of the sweep as it is now
    std::vector<std::size_t> front;               ///< of `records`, see front_of
    std::optional<explore::RunProgress> progress; ///< of the run before, if there was one
    std::vector<explore::Expression>
        conditions{}; ///< that best points, and those of versus_text, satisfy
};

SweepReport report_of(const explore::Sweep& sweep, std::vector<explore::Record> records);

/// The keys of an axis, by their places, that say something: not those that always have the value
/// of one before.
std::vector<std::size_t> telling_keys(const explore::Axis& axis);
/// Those of all axes.
std::vector<std::string> telling_keys(const explore::Sweep& sweep);
/// "job.chunk" as "chunk", "hardware.ai_cores" as "ai_cores": what is before the first dot is left
/// out.
std::string short_key(const std::string& key);
/// A value of an axis; of a file its name alone.
std::string short_value(const explore::Value& value);
/// Of an even number of values the mean of the two in the middle. `values` are not empty.
double median(std::vector<double> values);
/// A result of a record; NaN where it is missing.
double result_of(const explore::Record& record, const std::string& name);
/// A value of a result: whole numbers as they are, others with four digits.
std::string result_text(double value);

std::string sweep_text(const SweepReport& report);
/// What the values of the axis `key` come to beside its first one: the median factor of each
/// objective over points that differ in nothing else, in all and by each value of the other axes.
/// Only points that satisfy the report's conditions count. Throws ConfigError for what is no axis.
std::string versus_text(const SweepReport& report, const std::string& key);
std::string sweep_json(const SweepReport& report);
/// The points of the front, in their order.
std::string sweep_csv(const SweepReport& report);

} // namespace npusim::app
