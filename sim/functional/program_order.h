// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"

#include <functional>

namespace npusim::functional {

/// Runs a job with no notion of time: each core executes its instructions one after the other in
/// program order and gives way only where it waits for another core. What a program *means*; a
/// timed run with other bytes lacks a flag somewhere.
///
/// Throws ProgramError for an illegal instruction, ModelError for a wait for a flag that no earlier
/// instruction of the core sets and for cores that wait for each other.
void run_in_program_order(const config::HardwareConfig& hardware,
                          const std::function<isa::Program(isa::CoreId)>& program,
                          GlobalMemory& gm);

} // namespace npusim::functional
