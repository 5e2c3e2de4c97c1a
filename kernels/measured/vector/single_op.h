// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "sim/isa/op_list.h"

#include <utility>
#include <vector>

namespace npusim::kernels {

/// A few instructions on one core of an otherwise idle chip, as an instruction is timed by itself.
/// One round.
class SingleOp : public SteadyKernel {
  public:
    /// `unit`: which core of the AI core issues them (see isa::CoreId), on a split chip.
    SingleOp(const config::HardwareConfig& hardware,
             std::int64_t unit,
             std::vector<isa::Instruction> instructions)
        : SteadyKernel(hardware), unit_(split() ? unit : 0),
          instructions_(std::move(instructions)) {}
    [[nodiscard]] std::string_view name() const override { return "single-op"; }
    [[nodiscard]] std::int64_t rounds() const override { return 1; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    std::int64_t unit_;
    std::vector<isa::Instruction> instructions_;
};

} // namespace npusim::kernels
