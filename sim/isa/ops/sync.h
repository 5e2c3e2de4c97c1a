// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"

#include <cstdint>
#include <string_view>

namespace npusim::isa {

/// Raises event `id` of the pair (from, to) when all earlier work of pipe `from` is done.
/// Runs on pipe `from`. Flags count: two sets allow two waits.
struct SetFlag {
    static constexpr std::string_view kName = "set_flag";
    static constexpr std::string_view kDoc =
        "raise event id for pipe `to` when pipe `from` gets here";
    Pipe from = Pipe::Scalar;
    Pipe to = Pipe::Scalar;
    std::int32_t id = 0;
};

/// Holds pipe `to` until event `id` of the pair (from, to) is raised, then consumes it.
struct WaitFlag {
    static constexpr std::string_view kName = "wait_flag";
    static constexpr std::string_view kDoc = "hold pipe `to` until event id of pipe `from`";
    Pipe from = Pipe::Scalar;
    Pipe to = Pipe::Scalar;
    std::int32_t id = 0;
};

/// Raises cross-core event `id` of core `target` (index within the AI core: 0 is the cube core,
/// 1.. the vector cores) when pipe `pipe` gets here; seen there after sync.cross_core.
struct CrossSet {
    static constexpr std::string_view kName = "cross_set";
    static constexpr std::string_view kDoc =
        "raise cross-core event id of another core of the AI core";
    Pipe pipe = Pipe::Scalar;
    std::int32_t target = 0;
    std::int32_t id = 0;
};

/// Holds pipe `pipe` until this core's cross-core event `id` is raised, then consumes it.
struct CrossWait {
    static constexpr std::string_view kName = "cross_wait";
    static constexpr std::string_view kDoc = "hold a pipe until another core raises event id";
    Pipe pipe = Pipe::Scalar;
    std::int32_t id = 0;
};

} // namespace npusim::isa
