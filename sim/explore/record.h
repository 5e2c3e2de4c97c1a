// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/sweep.h"

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::explore {

/// How the evaluation of a point ended.
enum class Status : std::uint8_t {
    Done,
    Failed,      ///< it threw: the point cannot be run
    Crashed,     ///< it took its process down
    Timeout,     ///< it took longer than allowed
    OutOfMemory, ///< it wanted more memory than allowed
};

inline constexpr std::array<std::string_view, 5> kStatusNames{
    "done", "failed", "crashed", "timeout", "out_of_memory"};

constexpr std::string_view to_string(Status status) {
    return kStatusNames[static_cast<std::size_t>(status)];
}

std::optional<Status> status_from(std::string_view name);

/// What is kept of an evaluated point: a line of a result file.
struct Record {
    PointId id = 0;
    std::uint64_t hash = 0; ///< see Sweep::hash
    std::string version;    ///< of the program
    Settings axes;          ///< values of the axes' keys
    Status status = Status::Done;
    Results objectives{}; ///< the results that the sweep names as objectives
    Results metrics{};    ///< the others
    std::string message{};
    double seconds = 0; ///< of wall time

    /// Objectives and metrics together.
    [[nodiscard]] Results results() const;
    /// One of them; nothing where it is missing.
    [[nodiscard]] std::optional<double> result(std::string_view name) const;
};

/// The score of a record that is done, see Sweep::score.
std::optional<std::vector<double>> score_of(const Sweep& sweep, const Record& record);

/// One line of JSON, without its newline. Results that are not finite become null.
std::string to_line(const Record& record);

/// Nothing for a text that is no whole record, such as a line that was cut off. Null is NaN.
std::optional<Record> parse_record(std::string_view line);

} // namespace npusim::explore
