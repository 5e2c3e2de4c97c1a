// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/explore/expression.h"
#include "sim/explore/space.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::explore {

/// Named numbers that came of one point: objectives and all else that was measured.
using Results = std::map<std::string, double, std::less<>>;

/// Looks up a result by its name; nothing where it is missing.
using ResultLookup = std::function<std::optional<double>(std::string_view name)>;
/// In `results`, which must outlive it.
ResultLookup lookup_in(const Results& results);

enum class Direction : std::uint8_t { Min, Max };

/// A result that is to be small or large.
struct Objective {
    std::string name;
    Direction direction = Direction::Min;
};

enum class SamplerKind : std::uint8_t { Grid, Random, Lhs, Nsga2, AskTell };

/// How points are chosen.
struct SamplerSettings {
    SamplerKind kind = SamplerKind::Grid;
    std::int64_t points = 0;      ///< to draw, of random and lhs
    std::int64_t seed = 1;        ///< of those that draw
    std::int64_t population = 0;  ///< of nsga2: a multiple of 4, at least 8
    std::int64_t generations = 0; ///< of nsga2, after the first population
};

/// A point with everything an evaluation needs to know.
struct Point {
    PointId id = 0;
    std::string hardware_file;
    std::vector<config::Override> hardware; ///< for load_hardware(hardware_file, hardware)
    Settings job;                           ///< every key of the job, with "job." before it
};

/// What evaluates the points, as far as a sweep file has to be checked against it.
struct Evaluator {
    /// Names of the results: what objectives and constraints may speak of.
    std::vector<std::string> results;
    /// Judges one value of a job key; `job` is the whole job with that value and otherwise
    /// defaults. Returns what is wrong with it ("unknown key (did you mean 'job.chunk'?)"), or "".
    std::function<std::string(const std::string& key, const Value& value, const Settings& job)>
        check_job;
};

/// A hardware file that points change.
struct BaseHardware {
    std::string file;
    std::shared_ptr<const config::HardwareFile> content{};
    Settings settings;      ///< "hardware.*"
    std::uint64_t hash = 0; ///< of all of it, resolved
};

/// A sweep file, read and checked.
struct Sweep {
    std::string file;
    std::string name;
    std::string description;
    std::vector<config::Override> hardware_changes; ///< of all points: from the command line
    BaseHardware base;
    std::map<std::string, BaseHardware, std::less<>> bases; ///< by value of an axis `hardware`
    Settings job;                                           ///< "job.*" of the file
    Space space;
    std::vector<Expression> before; ///< constraints on what a point is
    std::vector<Expression> after;  ///< constraints that need results
    std::vector<Objective> objectives;
    SamplerSettings sampler;
    std::optional<std::int64_t> budget; ///< most points to have a result for

    [[nodiscard]] Point point(PointId id) const;
    /// The hardware that a point with these settings changes; `base` where an axis `hardware` has
    /// another file.
    [[nodiscard]] const BaseHardware& base_of(const Settings& axes) const;
    /// The point to which settings come that may be of other axes: keys that were none have the
    /// value of the job or the base. Nothing if it is not in the space.
    [[nodiscard]] std::optional<PointId> find(const Settings& axes) const;
    /// Hash (FNV-1a, 64 bits) of all a point's results depend on but the program: the resolved base
    /// hardware, the job, and what the point changes. The order of axes and values that equal those
    /// of the base do not matter.
    [[nodiscard]] std::uint64_t hash(PointId id) const;
    /// Whether the constraints hold that need no results. Throws ConfigError as Expression::holds.
    [[nodiscard]] bool feasible(PointId id) const;
    /// Whether the others hold; not where one speaks of a result that the point lacks. `axes` are
    /// the settings of the point's axes.
    [[nodiscard]] bool acceptable(const Settings& axes, const ResultLookup& result_of) const;
    /// The objectives among the results, all to be minimised (those to be maximised change sign).
    /// Nothing where one is missing or not finite, or the point is not acceptable.
    [[nodiscard]] std::optional<std::vector<double>> score(const Settings& axes,
                                                           const ResultLookup& result_of) const;
    /// Value of a key at a point: of the axes, else of the job or the base.
    [[nodiscard]] std::optional<Value> setting_of(std::string_view key, const Settings& axes) const;
    /// Value of a name in a constraint: of the settings, else a result.
    [[nodiscard]] std::optional<Value>
    value_of(std::string_view key, const Settings& axes, const ResultLookup& result_of) const;
    /// Every name a constraint may use.
    [[nodiscard]] std::vector<std::string> names(const Evaluator& evaluator) const;
};

/// Reads and checks a sweep file. `overrides` replace values before that: keys of the sweep file
/// ("job.chunk", "sampler.points", "budget.points") or of the base hardware ("hardware.ai_cores").
/// Throws one ConfigError that lists every fault as `file:line:column: key.path: ...`.
Sweep load_sweep(const std::string& file,
                 const Evaluator& evaluator,
                 const std::vector<config::Override>& overrides = {});

} // namespace npusim::explore
