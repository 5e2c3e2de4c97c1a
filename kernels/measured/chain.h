// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npusim::kernels {

/// Kernels one after the other: as stages of one launch with a barrier of all cores between them,
/// or as launches of their own.
///
/// For time only: every stage has its tensors where it would have them alone. A round of the chain
/// is one of the stage that has fewest, short ones aside, and in proportion what the others do
/// meanwhile, to the nearest round and at least one.
class KernelChain final : public SteadyKernel {
  public:
    enum class Between : std::uint8_t { Barrier, Launch };
    using Stages = std::vector<std::unique_ptr<SteadyKernel>>;

    KernelChain(const config::HardwareConfig& hardware,
                std::string name,
                Stages stages,
                Between between)
        : SteadyKernel(hardware), name_(std::move(name)), stages_(std::move(stages)),
          between_(between) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] double flops() const override;

  private:
    std::string name_;
    Stages stages_;
    Between between_;
};

} // namespace npusim::kernels
