// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/lower_ones.h"

#include "kernels/common/vector_tiles.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

LowerOnes::LowerOnes(const config::HardwareConfig& hardware, std::int64_t side, std::int64_t blocks)
    : SteadyKernel(hardware), side_(side), deal_(side, blocks),
      y_(add("y", Tensor::Role::Output, DType::Fp16, side, side)) {}

isa::Program LowerOnes::program(isa::CoreId core) const {
    const std::int64_t block = vector_block(hardware(), core, deal_.blocks);
    if (block < 0) {
        co_return;
    }
    const std::int64_t first = block * deal_.each;
    const std::int64_t rows = limited(deal_.of(block));
    Script s(hardware(), core);
    s.scalar(QueueCode::kStart);
    const std::int64_t fits =
        hardware().buffer(Memory::Ub).size_bytes / (2 * bytes_of(DType::Fp16, side_));
    const std::int64_t most = std::clamp<std::int64_t>(fits, 1, deal_.each);
    const Tile ones = s.tile(Memory::Ub, DType::Fp16, most, side_);
    Queue out(
        s, {Pipe::Vector, Pipe::Mte3, 0}, queue_tiles(s, Memory::Ub, DType::Fp16, most, side_, 1));
    for (std::int64_t row = first; row < first + rows; row += most) {
        const std::int64_t count = std::min(most, first + rows - row);
        fill(s, shaped(ones, count, side_), row);
        s(move(shaped(out.alloc(), count, side_), shaped(ones, count, side_)));
        out.enque();
        s(isa::Copy{y_.block(row, 0, count, side_), shaped(out.deque(), count, side_), true});
        out.free();
        co_yield s.block();
    }
    out.close();
    co_yield s.block();
}

void LowerOnes::fill(Script& s, const Tile& ones, std::int64_t row) const {
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vdup{ones, 0});
    for (std::int64_t r = 0; r < ones.rows; ++r) {
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vdup{ones.block(r, 0, 1, row + r + 1), 1});
    }
}

} // namespace npusim::kernels
