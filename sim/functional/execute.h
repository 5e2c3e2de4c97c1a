// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/functional/memory.h"
#include "sim/isa/op_list.h"

namespace npusim::functional {

/// What `instruction` does to data. Flags do nothing here. The instruction has been checked.
void execute(const isa::Instruction& instruction, CoreMemory& memory);

} // namespace npusim::functional
