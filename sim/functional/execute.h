// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/functional/memory.h"
#include "sim/functional/numerics.h"
#include "sim/isa/op_list.h"

namespace npusim::functional {

/// What `instruction` does to data. Flags do nothing here. The instruction has been checked.
/// `numerics`, if there is one, learns what the number formats cost.
void execute(const isa::Instruction& instruction, CoreMemory& memory, Numerics* numerics = nullptr);

} // namespace npusim::functional
