// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/value.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace npusim::explore {

/// One direction of a space: a key and the values it takes, or several keys that change together.
struct Axis {
    std::vector<std::string> keys;
    std::vector<std::vector<Value>> levels; ///< each with a value for every key

    [[nodiscard]] std::size_t size() const { return levels.size(); }
};

/// Axis of `key` with the values `from`, `from + step`, ... up to `to`. All of them are integers,
/// or else all values are reals. Throws ConfigError for a step that leads nowhere and for more
/// than kMaxLevels values.
Axis range_axis(const std::string& key, const Value& from, const Value& to, const Value& step);

/// Axis of `key` with the values `from`, `2 from`, `4 from`, ... up to `to`. Throws as range_axis.
Axis log2_axis(const std::string& key, const Value& from, const Value& to);

inline constexpr std::size_t kMaxLevels = 1'000'000; ///< of one axis

/// Place of a point in the grid of all points. The last axis changes fastest.
using PointId = std::uint64_t;

/// All combinations of the levels of some axes. Points are made when asked for: only the axes are
/// kept in memory.
class Space {
  public:
    Space() = default;
    /// Throws ConfigError for more than 2^62 points.
    explicit Space(std::vector<Axis> axes);

    [[nodiscard]] const std::vector<Axis>& axes() const { return axes_; }
    /// Number of points; 1 without any axis.
    [[nodiscard]] std::uint64_t size() const { return size_; }

    /// The level of each axis at a point.
    [[nodiscard]] std::vector<std::size_t> levels(PointId point) const;
    /// The point with a level for each axis.
    [[nodiscard]] PointId at(std::span<const std::size_t> levels) const {
        PointId point = 0;
        for (std::size_t i = 0; i < axes_.size(); ++i) {
            point = point * axes_[i].size() + levels[i];
        }
        return point;
    }
    /// The values of the axes' keys at a point.
    [[nodiscard]] Settings settings(PointId point) const;
    /// The point with these values of the axes' keys. Throws ConfigError where a key is missing,
    /// is none of the axes' or has a value that is no level of its axis.
    [[nodiscard]] PointId find(const Settings& settings) const;

  private:
    std::vector<Axis> axes_;
    std::uint64_t size_ = 1;
};

} // namespace npusim::explore
