// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <string>
#include <string_view>
#include <type_traits>

namespace npusim {

/// "a, b, c": the parts of a range, texts or numbers, with `separator` between them.
template <class Parts> std::string join(const Parts& parts, std::string_view separator) {
    std::string text;
    std::string_view before;
    for (const auto& part : parts) {
        text += before;
        if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
            text += std::string_view(part);
        } else {
            text += fmt::to_string(part);
        }
        before = separator;
    }
    return text;
}

} // namespace npusim
