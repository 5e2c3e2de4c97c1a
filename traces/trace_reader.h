// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace npusim::traces {

/// An event of a trace file, whoever wrote it.
struct TraceEvent {
    std::size_t number = 0; ///< in the file, from 1
    std::string phase;      ///< Chrome's letter: X, B, E, s, f, C, M; empty: the event has none
    std::string name;
    std::string category;
    std::string process;
    std::string thread;
    std::string id;                       ///< of a flow
    std::string label;                    ///< of metadata: what a process or thread is called
    std::optional<std::int64_t> time;     ///< ns
    std::optional<std::int64_t> duration; ///< ns
    std::optional<std::int64_t> cycles;   ///< an argument of that name
    std::string problem;                  ///< what the reader could make nothing of
};

/// Reads Chrome JSON (an array of events or an object with `traceEvents`) or, by the name .pftrace
/// or .perfetto-trace, the part of Perfetto's format that npusim writes, as it is or compressed,
/// and passes on every event. Keeps none of them. Throws ConfigError with file and byte where it
/// cannot go on.
void read_trace(const std::filesystem::path& path,
                const std::function<void(const TraceEvent&)>& take);

} // namespace npusim::traces
