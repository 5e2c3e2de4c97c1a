// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/functional/numerics.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/observe/observer.h"
#include "sim/timing/l2_cache.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace npusim::model {

/// What to run: one program per core; a core whose program is empty stays idle.
struct Job {
    std::function<isa::Program(isa::CoreId)> program;
    functional::GlobalMemory* gm = nullptr;   ///< null: timing only
    functional::Numerics* numerics = nullptr; ///< learns what the number formats cost; may be null
    timing::L2Start l2 = {};                  ///< what the kernel finds
    /// Works out every instruction of a timing run, also where it is certain what comes of it. The
    /// result is the same.
    bool exact = false;
    const timing::L2Cache* seen = nullptr; ///< L2 at the start, in place of `l2`; may be null
};

/// L2 after the transfers of `programs`, a block of each core in turn, in no time.
timing::L2Cache l2_after(const config::HardwareConfig& hardware,
                         const std::function<isa::Program(isa::CoreId)>& program);

/// Runs `job` from launch to the last completion and returns the cycles that took. One call at a
/// time per process; each call starts from a fresh kernel.
/// Throws ProgramError for an illegal instruction and ModelError for a deadlock.
Cycles simulate(const config::HardwareConfig& hardware,
                const Job& job,
                const observe::Observers& observers);

} // namespace npusim::model
