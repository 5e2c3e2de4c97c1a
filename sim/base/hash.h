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

} // namespace npusim
