// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/moe_gather.h"

#include "kernels/common/stream.h"
#include "kernels/moe/routing.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

MoeGather::MoeGather(const config::HardwareConfig& hardware, const MoeGatherShape& shape)
    : Operator(hardware), top_k_(shape.top_k),
      x_(add("x", Tensor::Role::Input, shape.dtype, shape.tokens, shape.cols)),
      rows_(add("rows", Tensor::Role::Output, shape.dtype, shape.tokens * shape.top_k, shape.cols)),
      rows_of_(rows_of_tokens("moe-gather", shape.source, shape.tokens, shape.top_k)) {
    check_cols("moe-gather", shape.cols);
}

isa::Program MoeGather::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    const Range mine = worker->of(rows_.rows);
    if (mine.size() == 0) {
        co_return;
    }
    Stream s(hardware(), core);
    // As many tokens at a time as half of UB takes, if there are two such blocks.
    const std::int64_t first = mine.begin / top_k_;
    const std::int64_t end = ceil_div(mine.end, top_k_);
    const std::int64_t room = s.room(Memory::Ub) / 2 / x_.row_bytes();
    const std::int64_t block =
        std::clamp<std::int64_t>(ceil_div(end - first, 2), 1, std::max<std::int64_t>(room, 1));
    Ring blocks = s.ring(Memory::Ub, x_.dtype, block, x_.cols, 2);
    const bool cold = spills(x_.bytes());
    for (std::int64_t token = first; token < end; token += block) {
        const std::int64_t tokens = std::min(block, end - token);
        const Tile here = shaped(blocks.next(), tokens, x_.cols);
        s(isa::Copy{here, x_.block(token, 0, tokens, x_.cols), cold});
        const std::int64_t last = std::min((token + tokens) * top_k_, mine.end);
        for (std::int64_t copy = std::max(token * top_k_, mine.begin); copy < last; ++copy) {
            const std::int64_t row = rows_of_[static_cast<std::size_t>(copy)];
            s(isa::Copy{rows_.block(row, 0, 1, x_.cols),
                        here.block(copy / top_k_ - token, 0, 1, x_.cols),
                        spills(rows_.bytes())});
        }
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
