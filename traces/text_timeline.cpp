// SPDX-License-Identifier: Apache-2.0
#include "traces/text_timeline.h"

#include "sim/base/units.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace npusim::traces {

namespace {

constexpr std::size_t kName = 11;  ///< "  fixpipe  "
constexpr std::size_t kShare = 9;  ///< "  100.0 %"
constexpr std::size_t kApart = 10; ///< columns between two ticks of the ruler, at least

/// A round number of cycles, at least `least`: 1, 2 or 5 times a power of ten.
std::int64_t round_step(std::int64_t least) {
    std::int64_t decade = 1;
    while (true) {
        for (const std::int64_t factor : {1, 2, 5}) {
            if (decade * factor >= least) {
                return decade * factor;
            }
        }
        decade *= 10;
    }
}

/// Two lines: numbers of cycles, and where they are.
std::string ruler(const TimeScale& scale) {
    const std::int64_t apart = round_step(scale.step().count() * static_cast<std::int64_t>(kApart));
    std::string numbers(kName, ' ');
    std::string marks(kName, ' ');
    const std::int64_t first = ceil_div(scale.from().count(), apart) * apart;
    for (Cycles time{first}; time < scale.to(); time += Cycles{apart}) {
        const std::size_t place = kName + scale.column(time);
        const std::string number = fmt::format("{}", time.count());
        if (place + number.size() > kName + scale.columns()) {
            break;
        }
        numbers.resize(place, ' ');
        marks.resize(place, ' ');
        numbers += number;
        marks += '|';
    }
    return fmt::format("{}\n{}\n", numbers, marks);
}

std::string painted(char letter, std::size_t times, const ActivityLook& look, bool colour) {
    const std::string letters(times, letter);
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", look.ansi, letters) : letters;
}

/// The letters of a row, neighbours of one kind painted in one go.
std::string letters_of(const PipeRow& row, bool colour) {
    std::string text;
    for (auto at = row.columns.begin(); at != row.columns.end();) {
        const Activity activity = at->most();
        const auto next = std::find_if(at, row.columns.end(), [&](const ActivityCycles& column) {
            return column.most() != activity;
        });
        const ActivityLook& style = look(activity);
        text += painted(style.letter, static_cast<std::size_t>(next - at), style, colour);
        at = next;
    }
    return text;
}

std::string row_text(const PipeRow& row, std::size_t width, bool colour) {
    return fmt::format("  {:<{}}{}{:>{}} {:>5.1f} %\n",
                       to_string(row.pipe),
                       kName - 2,
                       letters_of(row, colour),
                       "",
                       width - row.columns.size(),
                       100 * row.sum().busy_share());
}

std::string run_text(const TimelineRun& run, const TimeScale& scale, bool colour) {
    if (run.rows.empty()) {
        return fmt::format(
            "{}\nends at cycle {}, before what is shown\n", run.title, run.total.count());
    }
    std::string text = fmt::format("{}\n{}", run.title, ruler(scale));
    std::string core;
    for (const PipeRow& row : run.rows) {
        if (row.core != core) {
            core = row.core;
            text += core + "\n";
        }
        text += row_text(row, scale.columns(), colour);
    }
    return text;
}

/// "busy  M mmad  V vector op ...", wrapped, with the further lines indented; "" of nothing.
std::string legend_part(std::string_view title,
                        const std::vector<Activity>& activities,
                        const TextStyle& style) {
    std::string text;
    std::size_t used = style.width; // nothing fits: the first entry opens the first line
    for (const Activity activity : activities) {
        const ActivityLook& entry = look(activity);
        const std::size_t size = entry.words.size() + 4; // "  M mmad"
        if (used + size > style.width) {
            text += fmt::format(
                "{}{:<{}}", text.empty() ? "" : "\n", text.empty() ? title : "", kName - 2);
            used = kName - 2;
        }
        text += fmt::format("  {} {}", painted(entry.letter, 1, entry, style.colour), entry.words);
        used += size;
    }
    return text.empty() ? "" : text + "\n";
}

std::string legend(const std::vector<TimelineRun>& runs, const TextStyle& style) {
    std::vector<Activity> busy;
    std::vector<Activity> stalled;
    std::vector<Activity> idle;
    for (const Activity activity : activities_of(runs)) {
        (is_busy(activity)            ? busy
         : activity == Activity::Idle ? idle
                                      : stalled)
            .push_back(activity);
    }
    return legend_part("busy", busy, style) + legend_part("stalled", stalled, style) +
           legend_part("neither", idle, style);
}

} // namespace

std::vector<Activity> activities_of(const std::vector<TimelineRun>& runs) {
    ActivityCycles sum;
    for (const TimelineRun& run : runs) {
        for (const PipeRow& row : run.rows) {
            sum += row.sum();
        }
    }
    std::vector<Activity> activities;
    for (std::size_t i = 0; i < kActivityCount; ++i) {
        if (sum[static_cast<Activity>(i)] > 0) {
            activities.push_back(static_cast<Activity>(i));
        }
    }
    return activities;
}

std::size_t text_timeline_columns(std::size_t width) {
    return std::max(width, kNarrowest) - kName - kShare;
}

std::string text_timeline(const std::vector<TimelineRun>& runs,
                          const TimeScale& scale,
                          const TextStyle& style) {
    std::string text = fmt::format("cycles {} to {}, {} a column\n\n",
                                   scale.from().count(),
                                   scale.to().count(),
                                   scale.step().count());
    for (const TimelineRun& run : runs) {
        text += run_text(run, scale, style.colour) + "\n";
    }
    return text + legend(runs, style);
}

} // namespace npusim::traces
