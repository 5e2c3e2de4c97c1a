// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace npusim::app {

/// Where `pattern`, a regular expression (ECMAScript), first matches in `text`: the whole and its
/// groups, "" for one that takes no part. Empty if it matches nowhere. <regex> is included in
/// pattern.cpp alone: it is slow to compile.
std::vector<std::string> match(const std::string& text, const char* pattern);

} // namespace npusim::app
