// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/validate.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace npusim::app {

/// A number of the hardware files that is to be found. Keys that end in `_cycles` are whole
/// numbers.
struct CalibrationParameter {
    std::string key;      ///< as for --set
    std::string hardware; ///< the file it is changed in; empty: all
    double min = 0;       ///< above 0: the search is in its logarithm
    double max = 0;
};

/// Rows of a table: those that have every text given.
struct RowFilter {
    std::string family; ///< its name; the others: text within the column
    std::string platform;
    std::string kernel;
    std::string algorithm;
    std::string group;
};

/// What to fit to what.
struct Calibration {
    std::string table; ///< path of the measurements
    std::vector<CalibrationParameter> parameters;
    std::vector<RowFilter> rows; ///< rows that fit any of these take part
    std::int64_t folds = 5;      ///< parts that are held out in turn; a group is in one of them
    std::int64_t budget = 100;   ///< evaluations of each search
};
/// Reads a calibration file; its table is beside it. Throws ConfigError with every fault.
Calibration load_calibration(const std::string& path);

/// What a calibration found.
struct CalibrationResult {
    std::vector<double> start;                ///< of the hardware files as they are, by parameter
    std::vector<double> fitted;               ///< to all rows
    std::vector<std::vector<double>> by_fold; ///< fitted without each fold
    Agreement before;                         ///< of all rows
    Agreement after;
    Agreement held_out; ///< each row with what was fitted without its fold
    std::size_t rows = 0;
    std::size_t groups = 0;
};

/// Searches for the parameters that make the mean of |ln(predicted/measured)| over the rows least,
/// each kernel of a platform counting the same, a row no more than e-fold. BOBYQA (NLopt): bounded,
/// without derivatives, since cycles are whole numbers. What `store` has of a row with the same
/// numbers is not run again: the first steps of every search are the same.
CalibrationResult calibrate(const Calibration& calibration,
                            std::size_t workers,
                            RunStore& store,
                            const std::function<void(const std::string&)>& progress);

std::string calibration_text(const Calibration& calibration, const CalibrationResult& result);
std::string calibration_json(const Calibration& calibration, const CalibrationResult& result);

} // namespace npusim::app
