// SPDX-License-Identifier: Apache-2.0
#include "traces/trace_file.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "traces/chrome.h"
#include "traces/kanata.h"
#include "traces/mindstudio.h"
#include "traces/perfetto.h"
#include "traces/recorder.h"
#include "traces/vcd.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace npusim::traces {

namespace {

using Path = std::filesystem::path;

/// What a format needs to know of the run.
struct Request {
    const Path& path;
    const config::HardwareConfig& hardware;
    const Selection& selection;
    Detail detail;
};

template <class Writer> std::unique_ptr<observe::Observer> recorded(const Request& request) {
    const double clock = request.hardware.clock_mhz;
    std::unique_ptr<TraceWriter> writer;
    if constexpr (std::is_same_v<Writer, PerfettoTrace>) {
        writer = std::make_unique<Writer>(request.path, clock, request.detail == Detail::All);
    } else {
        writer = std::make_unique<Writer>(request.path, clock);
    }
    // What flags cost is part of MindStudio's format.
    const Detail detail = std::is_same_v<Writer, MindStudioTrace> ? Detail::All : request.detail;
    return std::make_unique<Recorder>(
        std::move(writer), request.hardware, request.selection, detail);
}

std::unique_ptr<observe::Observer> kanata(const Request& request) {
    return std::make_unique<KanataTrace>(request.path, request.selection);
}

/// A format and what writes it.
struct Format {
    std::string_view end; ///< of a file's name
    std::string_view what;
    std::unique_ptr<observe::Observer> (*open)(const Request& request);
    bool compressible = true;
};

constexpr std::array kFormats{
    Format{".pftrace", "Perfetto", recorded<PerfettoTrace>},
    Format{".json", "Chrome trace", recorded<ChromeTrace>},
    Format{".kanata", "Konata", kanata},
    Format{".vcd", "waves", recorded<VcdTrace>},
    Format{".fst", "waves, needs gtkwave", recorded<FstTrace>, false},
    Format{".opprof", "a folder for MindStudio Insight", recorded<MindStudioTrace>, false},
};

} // namespace

std::string trace_formats() {
    std::vector<std::string> all;
    std::vector<std::string_view> compressible;
    for (const Format& format : kFormats) {
        all.push_back(fmt::format("{} ({})", format.end, format.what));
        if (format.compressible) {
            compressible.push_back(format.end);
        }
    }
    return fmt::format(
        "{}; {} with .gz after it compressed", join(all, ", "), join(compressible, ", "));
}

std::unique_ptr<observe::Observer> open_trace(const Path& path,
                                              const config::HardwareConfig& hardware,
                                              const Selection& selection,
                                              Detail detail) {
    const bool compressed = path.extension() == ".gz";
    const std::string name = compressed ? path.stem().string() : path.string();
    const auto* const format = std::ranges::find_if(kFormats, [&](const Format& known) {
        return name.ends_with(known.end) && (known.compressible || !compressed);
    });
    if (format == kFormats.end()) {
        throw ConfigError(fmt::format(
            "--trace {}: unknown format (allowed: {})", path.string(), trace_formats()));
    }
    return format->open({path, hardware, selection, detail});
}

} // namespace npusim::traces
