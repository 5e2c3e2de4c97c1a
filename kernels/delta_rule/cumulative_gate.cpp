// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/cumulative_gate.h"

#include "kernels/common/stream.h"
#include "kernels/common/vector_tiles.h"

#include <algorithm>
#include <array>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

CumulativeGate::CumulativeGate(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : DeltaOperator(hardware, shape), g_(add_gates("g", Tensor::Role::Input)),
      sum_(add_gates("G", Tensor::Role::Output)) {}

std::int64_t CumulativeGate::choose_columns() const {
    constexpr std::int64_t kMost = 128;
    const std::int64_t zeros = shape().chunk / 2;
    std::int64_t columns = kMost;
    while (columns > kBlockFloats &&
           4 * (zeros + shape().chunk) * columns * 4 > hardware().buffer(Memory::Ub).size_bytes) {
        columns /= 2;
    }
    // Rows start at blocks of 32 bytes: shifts are by whole rows.
    return std::min(columns, ceil_div(g_.cols, kBlockFloats) * kBlockFloats);
}

std::int64_t CumulativeGate::rounds() const {
    return rounds_of(items(), vector_workers(hardware()));
}

isa::Program CumulativeGate::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    const std::int64_t width = choose_columns();
    const std::int64_t zeros = shape().chunk / 2;
    Ring sums = s.ring(Memory::Ub, DType::Fp32, zeros + shape().chunk, width, 4);
    for (std::int64_t i = 0; i < 4; ++i) {
        s(isa::Vdup{sums.next().block(0, 0, zeros, width)});
    }
    const std::int64_t parts = ceil_div(g_.cols, width);
    const Range mine = limited(worker->of(items()));
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
        const Chunk& chunk = chunks()[static_cast<std::size_t>(i / parts)];
        const std::int64_t col = i % parts * width;
        const std::int64_t cols = std::min(width, g_.cols - col);
        const std::int64_t n = chunk.tokens;
        std::array<Tile, 2> turn{sums.next(), sums.next()};
        s(isa::Copy{turn[0].block(zeros, 0, n, cols), g_.block(chunk.first, col, n, cols)});
        for (std::int64_t shift = 1; shift < n; shift *= 2) {
            s(isa::Vadd{{turn[1].block(zeros, 0, n, width),
                         turn[0].block(zeros, 0, n, width),
                         turn[0].block(zeros - shift, 0, n, width)}});
            std::swap(turn[0], turn[1]);
        }
        s(isa::Copy{sum_.block(chunk.first, col, n, cols), turn[0].block(zeros, 0, n, cols)});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
