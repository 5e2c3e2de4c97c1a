// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <string_view>

namespace npusim::isa {

// Flags, barriers and the scalar unit. `Pipe::Scalar` may set and wait as any other pipe: a wait
// there holds all that follows in the program.

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

/// Holds pipe `pipe` until all it has begun is done: pipe_barrier(PIPE_V) and the like. A pipe
/// works in order anyhow; what a barrier waits for is the start-up that the last transfer overlaps.
struct PipeBarrier {
    static constexpr std::string_view kName = "pipe_barrier";
    static constexpr std::string_view kDoc = "hold a pipe until its own ops are done";
    Pipe pipe = Pipe::Vector;
};

/// Holds the scalar unit, and with it all that follows, until every pipe of the core is done with
/// what came before: pipe_barrier(PIPE_ALL).
struct BarrierAll {
    static constexpr std::string_view kName = "barrier_all";
    static constexpr std::string_view kDoc = "hold the scalar unit until all pipes are done";
};

/// Holds the scalar unit until every core of the chip has come to one: SyncAll. All cores must
/// execute the same number of them.
struct SyncAll {
    static constexpr std::string_view kName = "sync_all";
    static constexpr std::string_view kDoc = "hold the scalar unit until all cores got here";
};

/// Control code between the instructions of the pipes: loops, addresses, branches.
struct ScalarWork {
    static constexpr std::string_view kName = "scalar_work";
    static constexpr std::string_view kDoc = "keep the scalar unit busy for a number of cycles";
    std::int64_t cycles = 0;
};

/// Reads one element into the scalar unit (GetValue). What is to be read must have been awaited by
/// a flag to the scalar pipe.
struct ScalarLoad {
    static constexpr std::string_view kName = "scalar_load";
    static constexpr std::string_view kDoc = "read one element of UB or GM into the scalar unit";
    Tile from; ///< [1,1] in UB or GM
};

/// Writes one element from the scalar unit (SetValue).
struct ScalarStore {
    static constexpr std::string_view kName = "scalar_store";
    static constexpr std::string_view kDoc = "to[1,1] = value, by the scalar unit";
    Tile to; ///< [1,1] in UB or GM
    float value = 0;
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
