// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace npusim {

/// The candidate nearest to `word` by edit distance, as " (did you mean 'x'?)", or "" if none is
/// near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

} // namespace npusim
