// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/sweep.h"

#include "sim/base/error.h"
#include "sim/base/hash.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace npusim::explore {

namespace {

/// The value of a key, or nullptr.
const Value* find_in(const Settings& settings, std::string_view key) {
    const auto found = settings.find(key);
    return found == settings.end() ? nullptr : &found->second;
}

bool all_hold(const std::vector<Expression>& constraints, const Lookup& lookup) {
    return std::ranges::all_of(
        constraints, [&](const Expression& constraint) { return constraint.holds(lookup); });
}

} // namespace

ResultLookup lookup_in(const Results& results) {
    return [&results](std::string_view name) {
        const auto result = results.find(name);
        return result == results.end() ? std::nullopt : std::optional(result->second);
    };
}

Point Sweep::point(PointId id) const {
    const Settings axes = space.settings(id);
    Point point{id, base_of(axes).file, hardware_changes, job};
    for (const auto& [key, value] : axes) {
        if (key.starts_with(kHardware)) {
            point.hardware.push_back({key.substr(kHardware.size()), to_text(value)});
        } else if (key != kHardwareFile) {
            point.job[key] = value;
        }
    }
    return point;
}

const BaseHardware& Sweep::base_of(const Settings& axes) const {
    const auto found = axes.find(kHardwareFile);
    const auto other = found == axes.end() ? bases.end() : bases.find(to_text(found->second));
    return other == bases.end() ? base : other->second;
}

std::optional<PointId> Sweep::find(const Settings& axes) const {
    Settings complete;
    for (const Axis& axis : space.axes()) {
        for (const std::string& key : axis.keys) {
            if (const std::optional<Value> value = setting_of(key, axes)) {
                complete[key] = *value;
            }
        }
    }
    try {
        return space.find(complete);
    } catch (const ConfigError&) {
        return std::nullopt;
    }
}

std::uint64_t Sweep::hash(PointId id) const {
    const Settings axes = space.settings(id);
    const BaseHardware& changed = base_of(axes);
    std::map<std::string_view, const Value*> expanded;
    for (const auto& [key, value] : job) {
        expanded[key] = &value;
    }
    for (const auto& [key, value] : axes) {
        const Value* unchanged = find_in(changed.settings, key);
        if (key != kHardwareFile && (unchanged == nullptr || *unchanged != value)) {
            expanded[key] = &value;
        }
    }
    std::uint64_t hash = changed.hash;
    for (const auto& [key, value] : expanded) {
        hash = hash_text("\n", hash_text(to_text(*value), hash_text("=", hash_text(key, hash))));
    }
    return hash;
}

std::optional<Value> Sweep::setting_of(std::string_view key, const Settings& axes) const {
    for (const Settings* settings : {&axes, &job, &base_of(axes).settings}) {
        if (const Value* value = find_in(*settings, key)) {
            return *value;
        }
    }
    return std::nullopt;
}

std::optional<Value>
Sweep::value_of(std::string_view key, const Settings& axes, const ResultLookup& result_of) const {
    if (std::optional<Value> setting = setting_of(key, axes)) {
        return setting;
    }
    const std::optional<double> result = result_of(key);
    return result ? std::optional<Value>(*result) : std::nullopt;
}

bool Sweep::feasible(PointId id) const {
    if (before.empty()) {
        return true;
    }
    const Settings axes = space.settings(id);
    return all_hold(before, [&](std::string_view of) { return setting_of(of, axes); });
}

bool Sweep::acceptable(const Settings& axes, const ResultLookup& result_of) const {
    try {
        return all_hold(after, [&](std::string_view of) { return value_of(of, axes, result_of); });
    } catch (const ConfigError&) { // it has no such result: faults of the file have been told
        return false;
    }
}

std::optional<std::vector<double>> Sweep::score(const Settings& axes,
                                                const ResultLookup& result_of) const {
    std::vector<double> score;
    for (const Objective& objective : objectives) {
        const std::optional<double> result = result_of(objective.name);
        if (!result || !std::isfinite(*result)) {
            return std::nullopt;
        }
        score.push_back(objective.direction == Direction::Min ? *result : -*result);
    }
    return acceptable(axes, result_of) ? std::optional(std::move(score)) : std::nullopt;
}

std::vector<std::string> Sweep::names(const Evaluator& evaluator) const {
    std::vector<std::string> names = evaluator.results;
    for (const Settings* settings : {&job, &base.settings}) {
        for (const auto& entry : *settings) {
            names.push_back(entry.first);
        }
    }
    for (const Axis& axis : space.axes()) { // of the job, if it gives no default
        names.insert(names.end(), axis.keys.begin(), axis.keys.end());
    }
    return names;
}

} // namespace npusim::explore
