// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"

#include <string>

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;

GdnTranspose::GdnTranspose(const config::HardwareConfig& hardware,
                           const GdnShape& shape,
                           DType dtype)
    : GdnStage(hardware, shape),
      from_(add("by_tokens", Tensor::Role::Input, dtype, shape.total(), shape.heads)),
      to_(add("by_heads", Tensor::Role::Output, dtype, shape.heads, shape.total())) {}

std::int64_t GdnTranspose::rounds() const {
    return ceil_div(shape().batch * shape().chunks(), cores());
}

isa::Program GdnTranspose::cube(CoreId /*core*/) const {
    return {};
}

isa::Program GdnTranspose::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t heads = shape().heads;
    const std::int64_t width = ceil_div(heads, isa::kTransposeSide) * isa::kTransposeSide;
    const std::int64_t mine = rounds_of_all_heads(core);
    Script s(hardware(), core);
    const Tile by_tokens = s.tile(Memory::Ub, from_.dtype, chunk, width);
    const Tile by_heads = s.tile(Memory::Ub, from_.dtype, width, chunk);
    for (std::int64_t i = 0; i < limited(mine); ++i) {
        const std::int64_t token = (i * cores() + core.ai_core) * chunk;
        s(isa::Copy{by_tokens.block(0, 0, chunk, heads), from_.block(token, 0, chunk, heads)});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vtranspose{by_heads, by_tokens});
        s.order(Pipe::Vector, Pipe::Mte3);
        for (std::int64_t head = 0; head < heads; ++head) {
            s(isa::Copy{to_.block(head, token, 1, chunk), by_heads.block(head, 0, 1, chunk)});
        }
        s.order(Pipe::Mte3, Pipe::Vector);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
