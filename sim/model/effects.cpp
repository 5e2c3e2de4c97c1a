// SPDX-License-Identifier: Apache-2.0
#include "sim/model/effects.h"

#include "sim/functional/execute.h"
#include "sim/model/clock.h"

#include <utility>

namespace npusim::model {

namespace {

/// Cycles whose effects are executed together: an event of the kernel for each would be as dear as
/// the small ones among them.
constexpr Cycles kBatch{256};

} // namespace

Effects::Effects(const sc_core::sc_module_name& name,
                 functional::Numerics* numerics,
                 std::function<void()> fail)
    : sc_module(name), numerics_(numerics), fail_(std::move(fail)) {
    SC_HAS_PROCESS(Effects);
    SC_METHOD(execute);
    sensitive << due_;
    dont_initialize();
}

void Effects::add(Cycles at, const isa::Instruction& instruction, functional::CoreMemory& memory) {
    std::size_t slot = effects_.size();
    if (free_.empty()) {
        effects_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    effects_[slot] = {instruction, &memory};
    turns_.push({at, added_++, slot});
    due_.notify(until(at + kBatch));
}

void Effects::execute() {
    try {
        while (!turns_.empty() && turns_.top().at <= now()) {
            const std::size_t slot = turns_.top().slot;
            turns_.pop();
            functional::execute(effects_[slot].instruction, *effects_[slot].memory, numerics_);
            free_.push_back(slot);
        }
        if (!turns_.empty()) {
            due_.notify(until(turns_.top().at + kBatch));
        }
    } catch (...) {
        fail_();
    }
}

} // namespace npusim::model
