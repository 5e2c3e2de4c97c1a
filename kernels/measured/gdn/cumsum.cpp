// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/pto_tiles.h"

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;

GdnCumsum::GdnCumsum(const config::HardwareConfig& hardware, const GdnShape& shape)
    : GdnStage(hardware, shape),
      g_(add("g", Tensor::Role::Input, DType::Fp32, shape.total(), shape.heads)),
      sums_(add("g_sum", Tensor::Role::Output, DType::Fp32, shape.total(), shape.heads)) {}

std::int64_t GdnCumsum::rounds() const {
    return ceil_div(shape().batch * shape().chunks(), cores());
}

isa::Program GdnCumsum::cube(CoreId /*core*/) const {
    return {};
}

isa::Program GdnCumsum::vector(CoreId core) const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t mine = rounds_of_all_heads(core);
    Script s(hardware(), core);
    // A row takes whole 32-byte blocks.
    constexpr std::int64_t kBlock = 8;
    const std::int64_t width = ceil_div(shape().heads, kBlock) * kBlock;
    const Tile g = s.tile(Memory::Ub, DType::Fp32, chunk, width);
    const Tile sums = s.tile(Memory::Ub, DType::Fp32, chunk, width);
    const Tile sum = s.tile(Memory::Ub, DType::Fp32, 1, width);
    constexpr std::int32_t kChainEvent = 2;
    for (std::int64_t i = 0; i < limited(mine); ++i) {
        const std::int64_t token = (i * cores() + core.ai_core) * chunk;
        s(isa::Copy{
            g.block(0, 0, chunk, shape().heads), g_.block(token, 0, chunk, shape().heads), true});
        s.order(Pipe::Mte2, Pipe::Vector);
        pto::move(s, sum, g.block(0, 0, 1, g.cols));
        fence(s);
        pto::move(s, sums.block(0, 0, 1, g.cols), sum);
        fence(s);
        for (std::int64_t row = 1; row < chunk; ++row) {
            s(isa::Vadd{{sum, sum, g.block(row, 0, 1, g.cols)}});
            if (shape().build == Build::A5Untuned) {
                s.barrier_all();
            } else {
                s.order(Pipe::Vector, Pipe::Scalar, kChainEvent);
            }
            pto::move(s, sums.block(row, 0, 1, g.cols), sum);
            fence(s);
        }
        s(isa::Vdup{sum, 0.0F});
        fence(s);
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{sums_.block(token, 0, chunk, shape().heads),
                    sums.block(0, 0, chunk, shape().heads),
                    true});
        s.order(Pipe::Mte3, Pipe::Vector);
        co_yield s.block();
    }
}

} // namespace npusim::kernels::gdn
