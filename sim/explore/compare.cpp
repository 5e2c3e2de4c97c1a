// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/analysis.h"

#include <fmt/format.h>
#include <unordered_map>

namespace npusim::explore {

namespace {

std::string match_key(const Record& record, MatchBy match) {
    if (match == MatchBy::Hash) {
        return fmt::format("{:016x}", record.hash);
    }
    std::string key;
    for (const auto& [name, value] : record.axes) {
        key += fmt::format("{}={}\n", name, to_text(value));
    }
    return key;
}

} // namespace

Comparison
compare(const std::vector<Record>& before, const std::vector<Record>& after, MatchBy match) {
    std::unordered_map<std::string, std::size_t> unmatched;
    for (std::size_t i = 0; i < after.size(); ++i) {
        unmatched.emplace(match_key(after[i], match), i);
    }
    Comparison result;
    std::vector<bool> paired(after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto found = unmatched.find(match_key(before[i], match));
        if (found == unmatched.end()) {
            result.only_before.push_back(i);
        } else {
            result.pairs.push_back({i, found->second});
            paired[found->second] = true;
            unmatched.erase(found);
        }
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
        if (!paired[i]) {
            result.only_after.push_back(i);
        }
    }
    return result;
}

} // namespace npusim::explore
