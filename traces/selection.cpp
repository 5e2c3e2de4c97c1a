// SPDX-License-Identifier: Apache-2.0
#include "traces/selection.h"

#include "sim/base/error.h"
#include "sim/base/number.h"
#include "sim/observe/observer.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace npusim::traces {

namespace {

constexpr std::int64_t kMostCores = 4096;

std::optional<std::int64_t> number(std::string_view text) {
    const auto value = number_from<std::int64_t>(text);
    return value && *value >= 0 ? value : std::nullopt;
}

/// The AI cores of "3" or "3-5"; nothing if `text` is neither.
std::vector<std::string> ai_cores(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
    std::vector<std::string> cores;
    if (first && last && *last < kMostCores) {
        for (std::int64_t core = *first; core <= *last; ++core) {
            cores.push_back(fmt::format("core{}", core));
        }
    }
    return cores;
}

} // namespace

Selection::Selection(std::string_view window, std::string_view cores) {
    if (!window.empty()) {
        const std::size_t colon = window.find(':');
        const std::string_view begin = window.substr(0, colon);
        const std::string_view end =
            colon == std::string_view::npos ? window : window.substr(colon + 1);
        const auto from = begin.empty() ? std::optional<std::int64_t>(0) : number(begin);
        const auto to = end.empty() ? std::optional(kForever.count()) : number(end);
        if (colon == std::string_view::npos || !from || !to || *from >= *to) {
            throw ConfigError(fmt::format(
                "window {}: (allowed: A:B in cycles, A below B; either may be left out)", window));
        }
        from_ = Cycles{*from};
        to_ = Cycles{*to};
    }
    while (!cores.empty()) {
        const std::string_view one = cores.substr(0, cores.find(','));
        cores.remove_prefix(std::min(cores.size(), one.size() + 1));
        if (one.starts_with("core") && number(one.substr(4, one.find('.') - 4))) {
            cores_.emplace_back(one);
            continue;
        }
        const std::vector<std::string> several = ai_cores(one);
        if (several.empty()) {
            throw ConfigError(fmt::format("cores {}: (allowed: a list of AI cores or cores of "
                                          "them, e.g. 0,3-5,core7.cube)",
                                          one));
        }
        cores_.insert(cores_.end(), several.begin(), several.end());
    }
}

bool Selection::shows_core(std::string_view core) const {
    const std::string_view ai_core = observe::ai_core_of(core);
    return cores_.empty() || std::ranges::any_of(cores_, [&](const std::string& chosen) {
               return chosen == core || chosen == ai_core;
           });
}

} // namespace npusim::traces
