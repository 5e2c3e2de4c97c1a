// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/run_store.h"
#include "sim/app/validate/family.h"
#include "sim/app/validate/measurement.h"
#include "sim/config/hardware.h"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// The hardware file, by name, that stands for the platform of a row; nullopt where there is none.
std::optional<std::string> hardware_of(const Measurement& row);

/// Hardware files by name, each read once, with the same changes made to all. `only` restricts a
/// change to one of them.
class HardwareShelf {
  public:
    struct Change {
        std::string only; ///< name of a hardware file; empty: all
        config::Override change;
    };
    explicit HardwareShelf(std::vector<Change> changes = {}) : changes_(std::move(changes)) {}
    const config::HardwareConfig& get(const std::string& name);
    /// Of the file of that name.
    static std::string path(const std::string& name);

  private:
    std::vector<Change> changes_;
    std::map<std::string, config::HardwareConfig> files_;
};

/// A measurement beside what the model says of it.
struct Comparison {
    Measurement row;
    std::string family;   ///< "" where none matches
    std::string hardware; ///< "" where no file stands for the platform
    std::string unit;     ///< of both values: "us", "GB/s", "TFLOP/s" or "cycles"
    double measured = 0;
    double predicted = 0; ///< if modelled
    std::string reason;   ///< why it is not modelled; "" if it is

    [[nodiscard]] bool modelled() const { return reason.empty(); }
    [[nodiscard]] bool is_rate() const; ///< greater is faster
    /// Predicted over measured time, less 1: 0.1 is a tenth too slow.
    [[nodiscard]] double error() const;
};

/// How well a set of comparisons agrees.
struct Agreement {
    std::size_t rows = 0;
    std::size_t modelled = 0;
    double coverage = 0;         ///< modelled / rows
    double median_abs_error = 0; ///< of |error()|, as fractions
    double p90_abs_error = 0;
    double bias = 0; ///< median of error()
    /// Kendall's tau over comparable pairs: same kernel and platform, either in one group (so that
    /// algorithms are compared) or of one algorithm (so that shapes are), measured more than 5 %
    /// apart.
    double rank_tau = 0;
    std::size_t algorithm_pairs = 0; ///< of those, in one group
    double algorithm_order = 0;      ///< share of them the model has in the right order
};
Agreement agreement(const std::vector<const Comparison*>& rows);

/// Which rows of a table, and how.
struct ValidationJob {
    std::vector<Measurement> rows;
    std::string platform; ///< text in the column; empty: all
    std::string family;   ///< name; empty: all
    std::size_t workers = 1;
    std::vector<HardwareShelf::Change> changes;
};

/// The rows of the job with family and hardware file, none run yet.
std::vector<Comparison> classify(const ValidationJob& job);

/// Runs every row's kernel and shape on its platform's hardware file. Equal rows run once, and
/// what `store` has not at all.
std::vector<Comparison> validate(const ValidationJob& job,
                                 RunStore& store,
                                 const std::function<void(const std::string&)>& progress);

struct Validation {
    std::vector<Comparison> rows;
    std::string table; ///< path
};
/// Table of families, then the rows if `all`.
std::string validation_text(const Validation& validation, bool all);
std::string validation_json(const Validation& validation);
std::string validation_csv(const Validation& validation);
/// Predicted against measured microseconds of every modelled row that has them.
std::string validation_svg(const Validation& validation);

} // namespace npusim::app
