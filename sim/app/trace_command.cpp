// SPDX-License-Identifier: Apache-2.0
#include "sim/app/trace_command.h"

#include "sim/app/arguments.h"
#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "traces/trace_lint.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

using traces::TraceFile;
using traces::TrackSlice;

/// Findings that are listed; the rest is counted.
constexpr std::size_t kMostListed = 20;

struct TraceArguments {
    std::vector<std::string> files;
    std::string format = "text";
    bool by_name = false;
};

/// What a track does, all of it or under one name.
struct TrackRow {
    std::string track;
    std::string name; ///< empty: of all
    std::int64_t slices = 0;
    std::int64_t busy = 0; ///< ns in slices that are no stalls, each stretch once
    std::int64_t stalled = 0;
    std::int64_t busy_cycles = 0; ///< where slices tell their cycles
    std::int64_t from = 0;
    std::int64_t to = 0;
};

int lint(const TraceArguments& arguments) {
    bool clean = true;
    for (const std::string& path : arguments.files) {
        const TraceFile file = traces::lint_trace(path);
        clean = clean && file.findings.empty();
        if (file.findings.empty()) {
            print(fmt::format("{}: {} slices on {} tracks, nothing wrong\n",
                              path,
                              file.slices(),
                              file.tracks.size()));
        }
        for (std::size_t i = 0; i < std::min(kMostListed, file.findings.size()); ++i) {
            const TraceFile::Finding& finding = file.findings[i];
            print(fmt::format(
                "{}: event {}: {}: {}\n", path, finding.event, finding.track, finding.what));
        }
        if (file.findings.size() > kMostListed) {
            print(fmt::format("{}: and {} more\n", path, file.findings.size() - kMostListed));
        }
    }
    return clean ? kDone : kFailed;
}

/// Adds up slices. Those within others of the same row do not count twice.
TrackRow row_of(const std::string& track, const std::vector<TrackSlice>& slices) {
    TrackRow row;
    row.track = track;
    std::int64_t covered = 0; // up to here
    for (const TrackSlice& slice : slices) {
        if (row.slices++ == 0) {
            row.from = covered = slice.start;
        }
        const std::int64_t more =
            std::max<std::int64_t>(0, slice.end - std::max(covered, slice.start));
        (slice.stall ? row.stalled : row.busy) += more;
        row.busy_cycles += slice.stall ? 0 : slice.cycles;
        covered = std::max(covered, slice.end);
        row.to = covered;
    }
    return row;
}

std::vector<TrackRow> rows_of(const TraceFile& file, bool by_name) {
    std::vector<TrackRow> rows;
    for (const auto& [track, slices] : file.tracks) {
        if (!by_name) {
            rows.push_back(row_of(track, slices));
            continue;
        }
        std::map<std::uint32_t, std::vector<TrackSlice>> parts;
        for (const TrackSlice& slice : slices) {
            parts[slice.name].push_back(slice);
        }
        for (const auto& [name, part] : parts) {
            rows.push_back(row_of(track, part));
            rows.back().name = file.names[name];
        }
    }
    return rows;
}

double share(const TrackRow& row) {
    return ratio(row.busy, row.to - row.from);
}

std::string stats_text(const std::vector<TrackRow>& rows, bool by_name) {
    std::size_t width = 5;
    for (const TrackRow& row : rows) {
        width = std::max(width, row.track.size());
    }
    std::string text = fmt::format("{:<{}}{}  {:>8} {:>12} {:>12} {:>8} {:>12}\n",
                                   "track",
                                   width,
                                   by_name ? fmt::format("  {:<16}", "name") : "",
                                   "slices",
                                   "busy, ns",
                                   "stalled, ns",
                                   "busy",
                                   "cycles");
    for (const TrackRow& row : rows) {
        text += fmt::format("{:<{}}{}  {:>8} {:>12} {:>12} {:>8} {:>12}\n",
                            row.track,
                            width,
                            by_name ? fmt::format("  {:<16}", row.name) : "",
                            row.slices,
                            row.busy,
                            row.stalled,
                            percent(share(row)),
                            row.busy_cycles);
    }
    return text;
}

json row_json(const TrackRow& row) {
    json entry{{"track", row.track}};
    if (!row.name.empty()) {
        entry["name"] = row.name;
    }
    entry.update({{"slices", row.slices},
                  {"busy_ns", row.busy},
                  {"stalled_ns", row.stalled},
                  {"busy_cycles", row.busy_cycles},
                  {"from_ns", row.from},
                  {"to_ns", row.to},
                  {"utilization", share(row)}});
    return entry;
}

int stats(const TraceArguments& arguments) {
    json files = json::array();
    std::string text;
    std::string csv = "file,track,name,slices,busy_ns,stalled_ns,busy_cycles,from_ns,to_ns\n";
    for (const std::string& path : arguments.files) {
        const std::vector<TrackRow> rows = rows_of(traces::lint_trace(path), arguments.by_name);
        text += fmt::format("{}\n{}", path, stats_text(rows, arguments.by_name));
        json tracks = json::array();
        for (const TrackRow& row : rows) {
            tracks.push_back(row_json(row));
            csv += fmt::format("{},{},{},{},{},{},{},{},{}\n",
                               quoted(path),
                               quoted(row.track),
                               quoted(row.name),
                               row.slices,
                               row.busy,
                               row.stalled,
                               row.busy_cycles,
                               row.from,
                               row.to);
        }
        files.push_back({{"file", path}, {"tracks", tracks}});
    }
    print(arguments.format == "json"  ? json{{"files", files}}.dump(2) + "\n"
          : arguments.format == "csv" ? csv
                                      : text);
    return kDone;
}

void add_files(CLI::App& command, TraceArguments& arguments) {
    command
        .add_option("files",
                    arguments.files,
                    "Chrome traces (JSON), of others too, or npusim's .pftrace; .gz as well")
        ->required();
}

} // namespace

std::function<int()> add_trace_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("trace", "check a trace file, or add it up");
    command->require_subcommand(1);
    const auto arguments = std::make_shared<TraceArguments>();
    CLI::App* check = command->add_subcommand(
        "lint",
        "find what viewers drop or bend and say nothing about: slices that overlap in "
        "part, ends without a beginning, arrows from nowhere");
    add_files(*check, *arguments);
    check->footer("Example:\n  npusim trace lint OPPROF_1/simulator/trace.json run.pftrace\n\n"
                  "Exit code: 0 nothing wrong, 1 something is, 2 a file cannot be read.");
    CLI::App* add_up = command->add_subcommand("stats", "busy and stalled time of each track");
    add_files(*add_up, *arguments);
    add_up->add_flag("--by-name", arguments->by_name, "a row for each name of a track's slices");
    add_format_option(*add_up, arguments->format, true);
    add_up->footer("Example:\n  npusim trace stats --by-name run.json");
    return [check, arguments] { return check->parsed() ? lint(*arguments) : stats(*arguments); };
}

} // namespace npusim::app
