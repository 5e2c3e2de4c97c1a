// SPDX-License-Identifier: Apache-2.0
#include "sim/app/pattern.h"

#include <regex>
#include <string>
#include <vector>

namespace npusim::app {

std::vector<std::string> match(const std::string& text, const char* pattern) {
    std::smatch found;
    if (!std::regex_search(text, found, std::regex(pattern))) {
        return {};
    }
    return {found.begin(), found.end()};
}

} // namespace npusim::app
