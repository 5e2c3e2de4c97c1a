// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace npusim::explore {

/// Well-mixed 64 bits of a number (the finaliser of SplitMix64).
constexpr std::uint64_t mix(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
}

/// SplitMix64: small, and the same numbers on every host, which the distributions of <random> are
/// not.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15); }
    /// Evenly from 0 to `count` - 1; count is at least 1.
    std::uint64_t below(std::uint64_t count) {
        const std::uint64_t surplus = (0 - count) % count; // 2^64 modulo count
        std::uint64_t bits = next();
        while (bits < surplus) {
            bits = next();
        }
        return bits % count;
    }
    template <class T> void shuffle(std::vector<T>& items) {
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[below(i)]);
        }
    }

  private:
    std::uint64_t state_;
};

} // namespace npusim::explore
