// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/space.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <utility>

namespace npusim::explore {

namespace {

constexpr std::uint64_t kMaxPoints = std::uint64_t{1} << 62;
constexpr std::size_t kShownLevels = 20; ///< of an axis, in a message

/// The number in a value that has to be one.
double number_of(std::string_view name, const Value& value) {
    const std::optional<double> number = to_number(value);
    if (!number) {
        throw ConfigError(fmt::format("{}: '{}' is not a number", name, to_text(value)));
    }
    return *number;
}

template <class... Values> bool all_integers(const Values&... values) {
    return (std::holds_alternative<std::int64_t>(values) && ...);
}

/// Axis of the numbers `value(0)` to `value(count - 1)`.
Axis numbers_axis(const std::string& key,
                  double count,
                  bool integers,
                  const std::function<double(std::size_t)>& value) {
    if (!(count >= 1 && count <= static_cast<double>(kMaxLevels))) {
        throw ConfigError(fmt::format("{:.0f} values (allowed: 1..{})", count, kMaxLevels));
    }
    Axis axis{{key}, {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const double number = value(i);
        std::vector<Value>& level = axis.levels.emplace_back(1);
        if (integers) {
            level[0] = std::int64_t{std::llround(number)};
        } else {
            level[0] = number;
        }
    }
    return axis;
}

bool same(const Value& a, const Value& b) {
    const std::optional<double> number = to_number(a);
    return number ? number == to_number(b) : a == b;
}

std::string shown_levels(const Axis& axis, std::size_t key) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < std::min(axis.size(), kShownLevels); ++i) {
        texts.push_back(to_text(axis.levels[i][key]));
    }
    return fmt::format("{}{}", join(texts, ", "), axis.size() > kShownLevels ? ", ..." : "");
}

/// The level of an axis at which its keys have the values of `settings`.
std::size_t find_level(const Axis& axis, const Settings& settings) {
    std::vector<Value> wanted;
    for (const std::string& key : axis.keys) {
        const auto setting = settings.find(key);
        if (setting == settings.end()) {
            throw ConfigError(fmt::format("{}: missing", key));
        }
        wanted.push_back(setting->second);
    }
    const auto level = std::ranges::find_if(axis.levels, [&](const std::vector<Value>& values) {
        return std::ranges::equal(values, wanted, same);
    });
    if (level == axis.levels.end()) {
        throw ConfigError(fmt::format(
            "{}: got {} (allowed: {})", axis.keys[0], to_text(wanted[0]), shown_levels(axis, 0)));
    }
    return static_cast<std::size_t>(level - axis.levels.begin());
}

} // namespace

Axis range_axis(const std::string& key, const Value& from, const Value& to, const Value& step) {
    const double first = number_of("from", from);
    const double last = number_of("to", to);
    const double width = number_of("step", step);
    if (width <= 0 || last < first) {
        throw ConfigError(fmt::format(
            "from {} to {} in steps of {} is no range", to_text(from), to_text(to), to_text(step)));
    }
    constexpr double kRounding = 1e-9; // of a step: 0 to 0.3 in steps of 0.1 are four values
    const double count = std::floor((last - first) / width + kRounding) + 1;
    return numbers_axis(key, count, all_integers(from, to, step), [&](std::size_t i) {
        return first + static_cast<double>(i) * width;
    });
}

Axis log2_axis(const std::string& key, const Value& from, const Value& to) {
    const double first = number_of("from", from);
    const double last = number_of("to", to);
    if (first <= 0 || last < first) {
        throw ConfigError(
            fmt::format("from {} to {} is no range of doublings", to_text(from), to_text(to)));
    }
    const double count = std::floor(std::log2(last / first)) + 1;
    return numbers_axis(key, count, all_integers(from, to), [&](std::size_t i) {
        return std::ldexp(first, static_cast<int>(i));
    });
}

Space::Space(std::vector<Axis> axes) : axes_(std::move(axes)) {
    for (const Axis& axis : axes_) {
        if (axis.size() > kMaxPoints / size_) {
            throw ConfigError(fmt::format("more than {} points", kMaxPoints));
        }
        size_ *= axis.size();
    }
}

std::vector<std::size_t> Space::levels(PointId point) const {
    std::vector<std::size_t> levels(axes_.size());
    for (std::size_t i = axes_.size(); i-- > 0;) {
        levels[i] = point % axes_[i].size();
        point /= axes_[i].size();
    }
    return levels;
}

Settings Space::settings(PointId point) const {
    const std::vector<std::size_t> at = levels(point);
    Settings settings;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
        for (std::size_t k = 0; k < axes_[i].keys.size(); ++k) {
            settings[axes_[i].keys[k]] = axes_[i].levels[at[i]][k];
        }
    }
    return settings;
}

PointId Space::find(const Settings& settings) const {
    std::vector<std::size_t> levels;
    std::vector<std::string> keys;
    for (const Axis& axis : axes_) {
        levels.push_back(find_level(axis, settings));
        keys.insert(keys.end(), axis.keys.begin(), axis.keys.end());
    }
    for (const auto& [key, value] : settings) {
        if (std::ranges::find(keys, key) == keys.end()) {
            throw ConfigError(
                fmt::format("{}: no axis has this key{}", key, did_you_mean(key, keys)));
        }
    }
    return at(levels);
}

} // namespace npusim::explore
