// SPDX-License-Identifier: Apache-2.0
#include "traces/trace_file.h"

#include "sim/base/error.h"
#include "traces/chrome.h"
#include "traces/perfetto.h"
#include "traces/recorder.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace npusim::traces {

namespace {

using Path = std::filesystem::path;

/// A format and what makes its writer.
struct Format {
    std::string_view end; ///< of a file's name
    std::string_view what;
    std::unique_ptr<TraceWriter> (*open)(const Path& path,
                                         const config::HardwareConfig& hardware,
                                         Detail detail);
};

std::unique_ptr<TraceWriter>
perfetto(const Path& path, const config::HardwareConfig& hardware, Detail detail) {
    return std::make_unique<PerfettoTrace>(path, hardware.clock_mhz, detail == Detail::All);
}
std::unique_ptr<TraceWriter>
chrome(const Path& path, const config::HardwareConfig& hardware, Detail /*detail*/) {
    return std::make_unique<ChromeTrace>(path, hardware.clock_mhz);
}

constexpr std::array kFormats{
    Format{".pftrace", "Perfetto", perfetto},
    Format{".json", "Chrome trace", chrome},
};

} // namespace

std::string trace_formats() {
    std::string text;
    for (const Format& format : kFormats) {
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", format.end, format.what);
    }
    return text + "; with .gz after it compressed";
}

std::unique_ptr<observe::Observer> open_trace(const Path& path,
                                              const config::HardwareConfig& hardware,
                                              const Selection& selection,
                                              Detail detail) {
    const std::string name = path.extension() == ".gz" ? path.stem().string() : path.string();
    const auto* const format = std::ranges::find_if(
        kFormats, [&](const Format& known) { return name.ends_with(known.end); });
    if (format == kFormats.end()) {
        throw ConfigError(fmt::format(
            "--trace {}: unknown format (allowed: {})", path.string(), trace_formats()));
    }
    return std::make_unique<Recorder>(
        format->open(path, hardware, detail), hardware, selection, detail);
}

} // namespace npusim::traces
