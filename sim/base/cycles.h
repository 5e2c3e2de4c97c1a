// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace npusim {

/// A count of core-clock cycles: a duration or an absolute time since reset, always an integer.
class Cycles {
  public:
    constexpr Cycles() = default;
    constexpr explicit Cycles(std::int64_t count) : count_(count) {}

    [[nodiscard]] constexpr std::int64_t count() const { return count_; }

    constexpr auto operator<=>(const Cycles&) const = default;
    constexpr Cycles& operator+=(Cycles other) {
        count_ += other.count_;
        return *this;
    }
    friend constexpr Cycles operator+(Cycles a, Cycles b) { return Cycles{a.count_ + b.count_}; }
    friend constexpr Cycles operator-(Cycles a, Cycles b) { return Cycles{a.count_ - b.count_}; }

  private:
    std::int64_t count_ = 0;
};

} // namespace npusim
