// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/fractals.h"

namespace npusim::kernels {

void copy_diagonal_blocks(Script& s,
                          const isa::Tile& to,
                          const isa::Tile& from,
                          std::int64_t side,
                          std::int64_t first,
                          std::int64_t step) {
    for (std::int64_t row = 0; row < side; row += kFractal) {
        for (std::int64_t col = 0; col < side; col += kFractal) {
            for (std::int64_t corner = first * side; corner < from.rows; corner += step * side) {
                const auto fractal = [&](const isa::Tile& tile) {
                    return tile.block(corner + row, corner + col, kFractal, kFractal);
                };
                s(isa::Copy{fractal(to), fractal(from)});
            }
        }
    }
}

void copy_rows_of_fractals(Script& s, const isa::Tile& to, const isa::Tile& from) {
    for (std::int64_t row = 0; row < from.rows; row += kFractal) {
        s(isa::Copy{to.block(row, 0, kFractal, to.cols), from.block(row, 0, kFractal, from.cols)});
    }
}

std::vector<float> minus_identity(std::int64_t side) {
    std::vector<float> values(static_cast<std::size_t>(side * side), 0.0F);
    for (std::int64_t i = 0; i < side; ++i) {
        values[static_cast<std::size_t>(i * side + i)] = -1.0F;
    }
    return values;
}

} // namespace npusim::kernels
