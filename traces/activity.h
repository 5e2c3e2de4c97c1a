// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace npusim::traces {

/// What a pipe does, as pictures tell it apart: busy by kind of op, stalled by reason, or idle.
enum class Activity : std::uint8_t {
    Mmad,
    Vector,
    Copy,
    Fixpipe,
    Scalar, ///< dispatch, control code, single elements
    Flag,   ///< from here on as observe::State
    CrossCore,
    Gm,
    Sync,
    QueueFull,
    Launch,
    Idle,
};
inline constexpr std::size_t kActivityCount = 12;

/// How an activity is named and drawn. Busy: capital letters and strong colours; stalled: small
/// letters and pale ones, of the same families (Okabe and Ito).
struct ActivityLook {
    std::string_view name;   ///< as in JSON and CSV
    std::string_view words;  ///< as in a legend
    char letter;             ///< on a terminal
    std::string_view ansi;   ///< SGR parameters of a terminal
    std::string_view colour; ///< in a picture
};
inline constexpr std::array<ActivityLook, kActivityCount> kActivities{{
    {"mmad", "mmad", 'M', "1;34", "#0072b2"},
    {"vector", "vector op", 'V', "1;32", "#009e73"},
    {"copy", "copy", 'C', "1;36", "#56b4e9"},
    {"fixpipe", "fixpipe", 'F', "1;35", "#cc79a7"},
    {"scalar", "scalar unit", 'S', "1", "#555555"},
    {"flag", "another pipe's flag", 'f', "33", "#f7dca6"},
    {"cross_core", "another core's flag", 'x', "31", "#eeb08a"},
    {"gm", "GM serving others", 'g', "33", "#d9cf70"},
    {"sync", "a flag or barrier itself", 'b', "35", "#000000"},
    {"queue_full", "queue full", 'q', "31", "#c7addb"},
    {"launch", "launch", 'l', "2", "#e4e4e4"},
    {"idle", "idle", '.', "2", "#ffffff"},
}};
constexpr const ActivityLook& look(Activity activity) {
    return kActivities[static_cast<std::size_t>(activity)];
}
constexpr bool is_busy(Activity activity) {
    return activity <= Activity::Scalar;
}

/// Of a span, which is never idle.
Activity activity_of(const observe::Span& span);

} // namespace npusim::traces
