// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace npusim::bench {

/// A thing to time.
struct Workload {
    std::string name;
    std::string what;
    double most_seconds = 0; ///< CPU seconds it should not exceed; 0: none said
    double most_mb = 0;      ///< peak memory of a process that does nothing else; 0: none said
    std::function<void()> work = nullptr;
    std::function<std::int64_t()> instructions = nullptr; ///< of its programs; null: says nothing
    bool slow = false;                                    ///< left out unless asked for
};

struct Cost {
    double seconds = 0; ///< CPU, the least of the repeats
    double mb = 0;      ///< peak memory
};

/// Does the work in a child process of its own, `repeats` times one after another.
Cost run(const Workload& workload, int repeats);

/// Timed events a second of SystemC itself: `pipes` methods that wake themselves after mixed
/// delays, as pipes do, and do nothing else.
double raw_events_per_second(std::size_t pipes);

} // namespace npusim::bench
