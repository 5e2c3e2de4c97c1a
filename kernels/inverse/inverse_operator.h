// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/common/operator.h"

#include <memory>

namespace npusim::inverse {

/// An inversion kernel as one operator of a layer: tensors `a` and `t`, each [count*chunk, chunk]
/// in a float format; T = (I - A)^-1 of every [chunk, chunk].
/// Unlike in a run of the kernel by itself, A is found in L2, and T left there, where they take up
/// to half of it.
class InverseOperator : public kernels::Operator {
  public:
    InverseOperator(const config::HardwareConfig& hardware,
                    const kernels::Kernel& kernel,
                    const kernels::ParameterValues& values,
                    const kernels::Problem& problem);
    [[nodiscard]] std::string_view name() const override { return kernel_.name(); }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        return plan_->program(core);
    }
    [[nodiscard]] std::int64_t rounds() const override { return plan_->rounds(); }
    void run_only(kernels::Range stretch) override { plan_->run_only(stretch); }
    /// n^3/3 operations a matrix, what substitution takes.
    [[nodiscard]] double flops() const override;
    [[nodiscard]] std::int64_t gm_bytes() const override { return plan_->gm_bytes(); }
    void write_constants(functional::GlobalMemory& gm) const override {
        plan_->write_constants(gm);
    }

  private:
    const kernels::Kernel& kernel_;
    kernels::Problem problem_;
    std::unique_ptr<kernels::Plan> plan_;
};

} // namespace npusim::inverse
