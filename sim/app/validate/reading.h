// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace npusim::app {

// How families read the columns and the prose of a row.

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// The number behind `head` in `text`: of "rows=32 nbuf=4" that of "rows=".
template <class Number = std::int64_t>
std::optional<Number> number_after(std::string_view text, std::string_view head) {
    const std::size_t at = text.find(head);
    Number value{};
    if (at == std::string_view::npos ||
        std::from_chars(text.data() + at + head.size(), text.data() + text.size(), value).ec !=
            std::errc{}) {
        return std::nullopt;
    }
    return value;
}

/// Throws NotModelled, with the name, where the row does not say.
std::int64_t required(const std::optional<std::int64_t>& value, std::string_view name);
/// Throws NotModelled where the row does not say.
std::int64_t elements_of(const Measurement& row);

/// Throws NotModelled where the time is the host's.
void refuse_host_times(const Measurement& row);

} // namespace npusim::app
