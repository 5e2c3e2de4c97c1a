// SPDX-License-Identifier: Apache-2.0
#include "sim/base/suggest.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace npusim {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            const std::size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({above + 1, row[j - 1] + 1, replace});
            diagonal = above;
        }
    }
    return row[b.size()];
}

} // namespace

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
    const std::string* best = nullptr;
    std::size_t best_distance = std::numeric_limits<std::size_t>::max();
    for (const std::string& candidate : candidates) {
        // A bare last path part ("neumann" for "inverse/neumann") counts as near.
        const bool is_tail = candidate.size() > word.size() && candidate.ends_with(word);
        const std::size_t distance = is_tail ? 1 : edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = &candidate;
        }
    }
    const std::size_t near = std::max<std::size_t>(2, word.size() / 3);
    return best != nullptr && best_distance <= near ? " (did you mean '" + *best + "'?)" : "";
}

} // namespace npusim
