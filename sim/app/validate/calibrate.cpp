// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/calibrate.h"

#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "sim/app/validate/reading.h"
#include "sim/base/error.h"
#include "sim/config/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <nlopt.hpp>
#include <set>
#include <span>
#include <utility>

namespace npusim::app {

using config::YamlReader;

static void optional_text(YamlReader& io, std::string_view key, std::string& out) {
    if (io.has(key)) {
        io.text(key, out, 128);
    }
}

static void describe(YamlReader& io, CalibrationParameter& parameter) {
    io.text("key", parameter.key, 128);
    optional_text(io, "hardware", parameter.hardware);
    io.real("min", parameter.min, {1e-6, 1e9});
    io.real("max", parameter.max, {1e-6, 1e9});
}

static void describe(YamlReader& io, RowFilter& filter) {
    optional_text(io, "family", filter.family);
    optional_text(io, "platform", filter.platform);
    optional_text(io, "kernel", filter.kernel);
    optional_text(io, "algorithm", filter.algorithm);
    optional_text(io, "group", filter.group);
}

Calibration load_calibration(const std::string& path) {
    const config::YamlNode root = config::parse_yaml_file(path);
    config::Faults faults(path);
    Calibration calibration;
    YamlReader io(root, "", faults);
    io.text("table", calibration.table, 1024);
    io.integer("folds", calibration.folds, {2, 100});
    io.integer("budget", calibration.budget, {1, 100'000});
    io.list("parameters", calibration.parameters);
    io.list("rows", calibration.rows);
    io.finish();
    for (const CalibrationParameter& parameter : calibration.parameters) {
        if (parameter.min >= parameter.max) {
            faults.add(
                root.origin,
                "parameters",
                fmt::format(
                    "{}: min {} is not below max {}", parameter.key, parameter.min, parameter.max));
        }
    }
    faults.throw_if_any();
    calibration.table = (std::filesystem::path(path).parent_path() / calibration.table).string();
    return calibration;
}

namespace {

constexpr double kMostLog = 1;      ///< a row that is further off than e-fold pulls no harder
constexpr double kFirstStep = 0.15; ///< of a parameter's range
constexpr double kLastStep = 1e-3;

bool takes_part(const Comparison& row, const std::vector<RowFilter>& filters) {
    return std::ranges::any_of(filters, [&](const RowFilter& filter) {
        return (filter.family.empty() || row.family == filter.family) &&
               contains(row.row.platform, filter.platform) &&
               contains(row.row.kernel, filter.kernel) &&
               contains(row.row.algorithm, filter.algorithm) &&
               contains(row.row.group, filter.group);
    });
}

std::string group_of(const Measurement& row) {
    return row.group.empty() ? row.platform + "|" + row.kernel : row.group;
}

/// Mean of |ln(predicted/measured)|, each kernel of a platform counting the same.
double loss(const std::vector<Comparison>& rows) {
    std::map<std::string, std::pair<double, double>> sums;
    for (const Comparison& row : rows) {
        if (row.modelled()) {
            auto& [sum, count] = sums[row.row.platform + row.row.kernel + row.row.algorithm];
            sum += std::min(kMostLog, std::abs(std::log1p(row.error())));
            count += 1;
        }
    }
    double total = 0;
    for (const auto& [name, sum] : sums) {
        total += sum.first / sum.second;
    }
    return sums.empty() ? 0 : total / static_cast<double>(sums.size());
}

/// The parameters as numbers between 0 and 1, and back.
class Space {
  public:
    explicit Space(const std::vector<CalibrationParameter>& parameters) : parameters_(parameters) {}

    [[nodiscard]] double to_unit(std::size_t i, double value) const {
        const auto& [key, hardware, min, max] = parameters_[i];
        return std::clamp(std::log(value / min) / std::log(max / min), 0.0, 1.0);
    }
    [[nodiscard]] double from_unit(std::size_t i, double unit) const {
        const auto& [key, hardware, min, max] = parameters_[i];
        const double value = min * std::pow(max / min, unit);
        return key.ends_with("_cycles") ? std::round(value) : value;
    }
    [[nodiscard]] std::vector<double> values(const std::vector<double>& units) const {
        std::vector<double> result(units.size());
        for (std::size_t i = 0; i < units.size(); ++i) {
            result[i] = from_unit(i, units[i]);
        }
        return result;
    }
    [[nodiscard]] std::vector<HardwareShelf::Change>
    changes(const std::vector<double>& values) const {
        std::vector<HardwareShelf::Change> changes;
        for (std::size_t i = 0; i < values.size(); ++i) {
            changes.push_back(
                {parameters_[i].hardware, {parameters_[i].key, fmt::format("{}", values[i])}});
        }
        return changes;
    }

  private:
    const std::vector<CalibrationParameter>& parameters_;
};

/// What a hardware file has under `key`.
double value_in(const std::string& hardware, const std::string& key) {
    const std::string file = HardwareShelf::path(hardware);
    const config::YamlNode root = config::parse_yaml_with_base(file);
    const config::YamlNode* node = root.find_path(key);
    double value = 0;
    if (node == nullptr ||
        std::from_chars(node->text.data(), node->text.data() + node->text.size(), value).ec !=
            std::errc{}) {
        throw ConfigError(fmt::format("{}: {}: no such number", file, key));
    }
    return value;
}

class Fit {
  public:
    Fit(const Calibration& calibration,
        std::size_t workers,
        RunStore& store,
        const std::function<void(const std::string&)>& progress)
        : calibration_(calibration), space_(calibration.parameters), workers_(workers),
          store_(store), progress_(progress) {}

    CalibrationResult run() {
        CalibrationResult result;
        select();
        for (const CalibrationParameter& parameter : calibration_.parameters) {
            const std::string hardware =
                parameter.hardware.empty() ? first_hardware_ : parameter.hardware;
            result.start.push_back(value_in(hardware, parameter.key));
        }
        const std::vector<Comparison> before = evaluate(rows_, result.start);
        result.before = agreement(pointers(before));
        result.fitted = search(rows_, result.start, "all rows");
        const std::vector<Comparison> after = evaluate(rows_, result.fitted);
        result.after = agreement(pointers(after));
        std::vector<Comparison> held_out;
        for (std::int64_t fold = 0; fold < calibration_.folds; ++fold) {
            const auto in_fold = [&](const Measurement& row) {
                return fold_of_.at(group_of(row)) % calibration_.folds == fold;
            };
            std::vector<Measurement> kept;
            std::vector<Measurement> left_out;
            for (const Measurement& row : rows_) {
                (in_fold(row) ? left_out : kept).push_back(row);
            }
            if (left_out.empty() || kept.empty()) {
                continue;
            }
            result.by_fold.push_back(
                search(kept,
                       result.start,
                       fmt::format("without part {} of {}", fold + 1, calibration_.folds)));
            for (Comparison& row : evaluate(left_out, result.by_fold.back())) {
                held_out.push_back(std::move(row));
            }
        }
        result.held_out = agreement(pointers(held_out));
        result.rows = rows_.size();
        result.groups = fold_of_.size();
        return result;
    }

  private:
    static std::vector<const Comparison*> pointers(const std::vector<Comparison>& rows) {
        std::vector<const Comparison*> all;
        all.reserve(rows.size());
        for (const Comparison& row : rows) {
            all.push_back(&row);
        }
        return all;
    }

    /// The rows that take part and can be modelled.
    void select() {
        ValidationJob job;
        job.rows = read_measurements(calibration_.table);
        job.workers = workers_;
        std::set<std::string> groups;
        for (const Comparison& row : classify(job)) {
            if (row.modelled() && takes_part(row, calibration_.rows)) {
                rows_.push_back(row.row);
                first_hardware_ = first_hardware_.empty() ? row.hardware : first_hardware_;
                groups.insert(group_of(row.row));
            }
        }
        if (rows_.empty()) {
            throw ConfigError("no row that can be modelled takes part in the calibration");
        }
        std::int64_t number = 0;
        for (const std::string& group : groups) {
            fold_of_[group] = number++;
        }
    }

    std::vector<Comparison> evaluate(const std::vector<Measurement>& rows,
                                     const std::vector<double>& values) {
        ValidationJob job;
        job.rows = rows;
        job.workers = workers_;
        job.changes = space_.changes(values);
        return validate(job, store_, [](const std::string&) {});
    }

    std::vector<double> search(const std::vector<Measurement>& rows,
                               const std::vector<double>& start,
                               const std::string& name) {
        std::vector<double> units(start.size());
        for (std::size_t i = 0; i < start.size(); ++i) {
            units[i] = space_.to_unit(i, start[i]);
        }
        std::int64_t count = 0;
        double best = std::numeric_limits<double>::infinity();
        std::exception_ptr failure; // NLopt would only say that something failed
        const auto objective = [&](const std::vector<double>& at) {
            double value = 0;
            try {
                value = loss(evaluate(rows, space_.values(at)));
            } catch (...) {
                failure = std::current_exception();
                throw;
            }
            best = std::min(best, value);
            progress_(fmt::format("{}: {} of {} evaluations, mean error {:.1f} %",
                                  name,
                                  ++count,
                                  calibration_.budget,
                                  100 * std::expm1(best)));
            return value;
        };
        nlopt::opt optimizer(nlopt::LN_BOBYQA, static_cast<unsigned>(units.size()));
        optimizer.set_lower_bounds(0);
        optimizer.set_upper_bounds(1);
        optimizer.set_initial_step(kFirstStep);
        optimizer.set_xtol_abs(kLastStep);
        optimizer.set_maxeval(static_cast<int>(calibration_.budget));
        optimizer.set_min_objective(
            [](const std::vector<double>& at, std::vector<double>& /*gradient*/, void* data) {
                return (*static_cast<decltype(objective)*>(data))(at);
            },
            const_cast<void*>(static_cast<const void*>(&objective))); // NLopt takes void*
        double least = 0;
        try {
            optimizer.optimize(units, least);
        } catch (...) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            throw;
        }
        return space_.values(units);
    }

    const Calibration& calibration_;
    Space space_;
    std::size_t workers_;
    RunStore& store_;
    const std::function<void(const std::string&)>& progress_;
    std::vector<Measurement> rows_;
    std::string first_hardware_;
    std::map<std::string, std::int64_t> fold_of_; ///< by group
};

} // namespace

CalibrationResult calibrate(const Calibration& calibration,
                            std::size_t workers,
                            RunStore& store,
                            const std::function<void(const std::string&)>& progress) {
    return Fit(calibration, workers, store, progress).run();
}

std::string calibration_text(const Calibration& calibration, const CalibrationResult& result) {
    Table parameters(2);
    parameters.row("parameter", {"hardware", "now", "fitted", "without a part", "allowed"});
    for (std::size_t i = 0; i < calibration.parameters.size(); ++i) {
        const CalibrationParameter& p = calibration.parameters[i];
        const auto [least, most] = std::ranges::minmax_element(
            result.by_fold, {}, [i](const std::vector<double>& values) { return values[i]; });
        parameters.row(p.key,
                       {p.hardware.empty() ? "all" : p.hardware,
                        fmt::format("{:.4g}", result.start[i]),
                        fmt::format("{:.4g}", result.fitted[i]),
                        fmt::format("{:.4g} to {:.4g}", (*least)[i], (*most)[i]),
                        fmt::format("{:.4g} to {:.4g}", p.min, p.max)});
    }
    Table errors(1);
    errors.row("", {"rows", "median |error|", "90th pct.", "bias"});
    const auto row = [&](const char* name, const Agreement& a) {
        errors.row(name,
                   {fmt::format("{}", a.modelled),
                    percent(a.median_abs_error),
                    percent(a.p90_abs_error),
                    percent(a.bias)});
    };
    row("as it is", result.before);
    row("fitted", result.after);
    row("held out", result.held_out);
    return fmt::format("{} rows in {} groups, {} folds\n{}\n{}",
                       result.rows,
                       result.groups,
                       calibration.folds,
                       parameters.text(),
                       errors.text());
}

std::string calibration_json(const Calibration& calibration, const CalibrationResult& result) {
    json parameters = json::array();
    for (std::size_t i = 0; i < calibration.parameters.size(); ++i) {
        const CalibrationParameter& p = calibration.parameters[i];
        json by_fold = json::array();
        for (const std::vector<double>& values : result.by_fold) {
            by_fold.push_back(number(values[i]));
        }
        parameters.push_back({{"key", p.key},
                              {"hardware", p.hardware},
                              {"start", number(result.start[i])},
                              {"fitted", number(result.fitted[i])},
                              {"without_a_part", by_fold},
                              {"min", p.min},
                              {"max", p.max}});
    }
    const auto errors = [](const Agreement& a) {
        return json{{"rows", a.modelled},
                    {"median_abs_error", number(a.median_abs_error)},
                    {"p90_abs_error", number(a.p90_abs_error)},
                    {"bias", number(a.bias)}};
    };
    return json{{"version", NPUSIM_VERSION},
                {"rows", result.rows},
                {"groups", result.groups},
                {"folds", calibration.folds},
                {"parameters", parameters},
                {"before", errors(result.before)},
                {"fitted", errors(result.after)},
                {"held_out", errors(result.held_out)}}
               .dump(2) +
           "\n";
}

} // namespace npusim::app
