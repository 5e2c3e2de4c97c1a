// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// A row of a table of published measurements. Empty columns are nullopt or empty text.
struct Measurement {
    std::string id;
    std::string platform;
    std::string kernel;
    std::string algorithm;
    std::string dtype;
    std::optional<std::int64_t> b;     ///< sequences
    std::optional<std::int64_t> h;     ///< heads; of values in the gated delta net
    std::optional<std::int64_t> hg;    ///< key heads
    std::optional<std::int64_t> t;     ///< tokens of a sequence
    std::optional<std::int64_t> d;     ///< head size
    std::optional<std::int64_t> chunk; ///< tokens of a chunk: side of the matrix to invert
    std::optional<std::int64_t> m;
    std::optional<std::int64_t> n;
    std::optional<std::int64_t> k;
    std::optional<std::int64_t> batch;
    std::optional<std::int64_t> elements; ///< column n_elems
    std::optional<std::int64_t> cores;    ///< AI cores
    std::string shape_note;
    std::optional<double> us;
    std::optional<double> gbps;
    std::optional<double> tflops;
    std::optional<double> cycles;
    std::optional<double> derived_us; ///< from GB/s, by the byte convention in the note
    std::string timing;               ///< how the time was taken
    std::string kind;
    std::string source; ///< column source_repo
    std::string note;
    std::string group;
};

/// Whether the device's own clock was read, rather than the host's.
bool device_timed(const Measurement& row);

/// Reads a table with at least the columns id, platform, kernel, algorithm and one measured value
/// per row. Throws InputError naming file, line and column.
std::vector<Measurement> read_measurements(const std::string& path);

} // namespace npusim::app
