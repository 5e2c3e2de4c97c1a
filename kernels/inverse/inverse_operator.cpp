// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/inverse_operator.h"

namespace npusim::inverse {

InverseOperator::InverseOperator(const config::HardwareConfig& hardware,
                                 const kernels::Kernel& kernel,
                                 const kernels::ParameterValues& values,
                                 const kernels::Problem& problem)
    : Operator(hardware), kernel_(kernel), problem_(problem) {
    problem_.cold = spills(problem.count * problem.chunk * bytes_of(problem.dtype, problem.chunk));
    plan_ = kernel.plan(hardware, problem_, kernel.settle(problem_, values));
    // The matrices of a batch follow each other.
    const auto batch = [&](const isa::Tile& first) {
        return isa::dense(
            Memory::Gm, problem.dtype, first.address, problem.count * problem.chunk, problem.chunk);
    };
    place("a", kernels::Tensor::Role::Input, batch(plan_->input(0)));
    place("t", kernels::Tensor::Role::Output, batch(plan_->output(0)));
}

double InverseOperator::flops() const {
    const auto n = static_cast<double>(problem_.chunk);
    return static_cast<double>(problem_.count) * n * n * n / 3;
}

} // namespace npusim::inverse
