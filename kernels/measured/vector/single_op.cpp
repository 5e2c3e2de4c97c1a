// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/single_op.h"

#include "sim/isa/op_list.h"

namespace npusim::kernels {

isa::Program SingleOp::program(isa::CoreId core) const {
    if (core.ai_core != 0 || core.unit != unit_) {
        co_return;
    }
    isa::Block block = instructions_;
    if (unit_ > 0) { // to the end of the last op's tail
        block.emplace_back(isa::SetFlag{Pipe::Vector, Pipe::Scalar, 0});
        block.emplace_back(isa::WaitFlag{Pipe::Vector, Pipe::Scalar, 0});
    }
    co_yield block;
}

} // namespace npusim::kernels
