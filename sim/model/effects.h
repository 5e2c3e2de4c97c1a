// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/functional/memory.h"
#include "sim/functional/numerics.h"
#include "sim/isa/op_list.h"

#include <cstdint>
#include <functional>
#include <queue>
#include <systemc>
#include <vector>

namespace npusim::model {

/// What instructions do to data, in order of time over all cores: cores run ahead of the kernel,
/// their data does not. Effects of one cycle come in the order in which they were added, which
/// keeps those of one core that depend on each other in order.
class Effects : public sc_core::sc_module {
  public:
    /// `numerics` may be null; `fail` hands the current exception on.
    Effects(const sc_core::sc_module_name& name,
            functional::Numerics* numerics,
            std::function<void()> fail);

    /// `instruction` changes `memory` at `at`, now or later.
    void add(Cycles at, const isa::Instruction& instruction, functional::CoreMemory& memory);

  private:
    /// The order of an effect and where it is.
    struct Turn {
        Cycles at;
        std::int64_t number;
        std::size_t slot;
        bool operator>(const Turn& other) const {
            return at != other.at ? at > other.at : number > other.number;
        }
    };
    struct Effect {
        isa::Instruction instruction;
        functional::CoreMemory* memory = nullptr;
    };

    void execute();

    functional::Numerics* numerics_;
    std::function<void()> fail_;
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
    std::vector<Effect> effects_;
    std::vector<std::size_t> free_; ///< of effects_
    std::int64_t added_ = 0;
    sc_core::sc_event due_;
};

} // namespace npusim::model
