// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <numeric>
#include <string_view>
#include <vector>

namespace npusim::physical {

/// A part of a chip and what falls to it of a figure.
struct Part {
    std::string_view name; ///< e.g. "cube", "l0a", "l2"
    double value = 0;
};
using Parts = std::vector<Part>;

inline double sum(const Parts& parts) {
    return std::accumulate(parts.begin(), parts.end(), 0.0, [](double sum, const Part& part) {
        return sum + part.value;
    });
}

} // namespace npusim::physical
