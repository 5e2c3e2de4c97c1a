// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace npusim {

/// Hash of a text (FNV-1a, 64 bits), to be carried on from `seed`.
constexpr std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325) {
    constexpr std::uint64_t kPrime = 0x100000001b3;
    std::uint64_t hash = seed;
    for (const char byte : text) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * kPrime;
    }
    return hash;
}

/// Hash of a state, number by number; for comparisons within a run.
class StateHash {
  public:
    template <class Number> void add(Number number) {
        value_ = (value_ ^ static_cast<std::uint64_t>(number)) * 0x9e3779b97f4a7c15;
        value_ ^= value_ >> 29U;
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0xcbf29ce484222325;
};

} // namespace npusim
