// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace npusim::traces {

/// A quantity over time as means over steps of equal length. Its size does not depend on how long a
/// run is: when a step more is needed than there may be, steps double.
class Series {
  public:
    /// What happens before `from` or after `to` is left out. At most `steps` of them, a power of
    /// two.
    Series(Cycles from, Cycles to, std::size_t steps = 1024);

    /// `amount` is there from `start` to `end`.
    void add(Cycles start, Cycles end, double amount);
    /// `total` is spread over [start, end), or falls into the cycle of `start`.
    void spread(Cycles start, Cycles end, double total);

    /// Has steps up to `end`, even if nothing is there.
    void reach(Cycles end);

    [[nodiscard]] Cycles from() const { return Cycles{from_}; }
    [[nodiscard]] Cycles step() const { return Cycles{std::int64_t{1} << shift_}; }
    /// The mean over step i. All steps after the last are 0.
    [[nodiscard]] double mean(std::size_t i) const {
        return sums_[i] / static_cast<double>(step().count());
    }
    [[nodiscard]] std::size_t size() const { return sums_.size(); }

  private:
    void make_room(std::int64_t last);

    std::int64_t from_;
    std::int64_t to_;
    std::size_t most_;
    int shift_ = 0;            ///< a step is 1 << shift_ cycles
    std::vector<double> sums_; ///< amount times cycles, by step
};

/// What a counter shows from `at` on.
struct Sample {
    Cycles at;
    double value = 0;
};
/// The means of a series where they differ from the one before, and 0 at its end.
std::vector<Sample> changes(const Series& series);

} // namespace npusim::traces
