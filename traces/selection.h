// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::traces {

/// Which part of a run is shown: a window of time and some of the cores.
class Selection {
  public:
    /// All of it.
    Selection() = default;
    /// `window` is "A:B" in cycles from launch on, either end may be missing; `cores` lists AI
    /// cores or single cores of them, "0,3-5,core7.cube". Empty texts select all. Throws
    /// ConfigError.
    Selection(std::string_view window, std::string_view cores);

    [[nodiscard]] Cycles from() const { return from_; }
    [[nodiscard]] Cycles to() const { return to_; }
    /// Whether [start, end) reaches into the window. An instant counts as in it up to its end.
    [[nodiscard]] bool shows(Cycles start, Cycles end) const {
        return start < to_ && (end > from_ || (start == end && start >= from_));
    }
    /// `core` as in observe::CoreInfo.
    [[nodiscard]] bool shows_core(std::string_view core) const;
    [[nodiscard]] bool whole() const {
        return from_ == Cycles{0} && to_ == kForever && cores_.empty();
    }

    static constexpr Cycles kForever{std::numeric_limits<std::int64_t>::max()};

  private:
    Cycles from_{0};
    Cycles to_ = kForever;
    std::vector<std::string> cores_; ///< "core3" or "core3.cube"; empty: all
};

} // namespace npusim::traces
