// SPDX-License-Identifier: Apache-2.0
#include "sim/isa/program.h"

#include "sim/isa/core_id.h"
#include "sim/isa/op_list.h"

namespace npusim::isa {

Block* Program::next() {
    while (handle_ && !handle_.done()) {
        if (handle_.promise().current != nullptr) {
            handle_.promise().current->clear();
        }
        handle_.resume();
        if (handle_.promise().error) {
            std::rethrow_exception(std::exchange(handle_.promise().error, nullptr));
        }
        if (Block* block = handle_.promise().current; block != nullptr && !block->empty()) {
            return block;
        }
    }
    return nullptr;
}

Program from_list(Block instructions) {
    co_yield instructions;
}

std::vector<CoreId> core_ids(const config::HardwareConfig& hardware) {
    const std::int64_t units =
        hardware.composition == config::Composition::Split ? 1 + hardware.vector_cores : 1;
    std::vector<CoreId> ids;
    for (std::int64_t core = 0; core < hardware.ai_cores; ++core) {
        for (std::int64_t unit = 0; unit < units; ++unit) {
            ids.push_back({core, unit});
        }
    }
    return ids;
}

} // namespace npusim::isa
