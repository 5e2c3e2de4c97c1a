// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::isa {

/// A line of C++ source. std::source_location would do, but for clang 14, which does not have it
/// from libstdc++.
struct SourceLine {
    const char* file = "";
    std::uint32_t line = 0; ///< 0: none

    /// As a default argument: the line of the call.
    static constexpr SourceLine current(const char* file = __builtin_FILE(),
                                        std::uint32_t line = __builtin_LINE()) {
        return {file, line};
    }
};

} // namespace npusim::isa
