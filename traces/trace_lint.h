// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/trace_reader.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace npusim::traces {

/// A slice of a track.
struct TrackSlice {
    std::int64_t start = 0; ///< ns
    std::int64_t end = 0;
    std::int64_t cycles = 0; ///< if the event says so
    std::uint32_t name = 0;  ///< in TraceFile::names
    bool stall = false;      ///< by its category, or named as a state of npusim's
    std::size_t event = 0;   ///< its number
};

/// A trace file with what is wrong in it, by rules that no viewer checks: many drop or bend what
/// breaks them and say nothing.
struct TraceFile {
    struct Finding {
        std::size_t event = 0;
        std::string track;
        std::string what;
    };
    std::map<std::string, std::vector<TrackSlice>> tracks; ///< by "process thread", sorted by start
    std::vector<std::string> names;
    std::vector<Finding> findings;

    [[nodiscard]] std::size_t slices() const;
};

/// Reads `path` and checks: slices of a track disjoint or nested; every beginning ended, by an end
/// that is not before it; arrows that end have begun; events with the keys and times they need.
/// Throws ConfigError where the file cannot be read.
TraceFile lint_trace(const std::filesystem::path& path);

} // namespace npusim::traces
