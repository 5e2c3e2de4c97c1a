// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/pto_tiles.h"

#include <algorithm>

namespace npusim::kernels::pto {

using isa::Tile;

void move(Script& s, const Tile& to, const Tile& from) {
    s(isa::Vadds{{to, from}, 0.0F});
}

void row_expand(Script& s, const Tile& to, const Tile& from) {
    for (std::int64_t row = 0; row < to.rows; ++row) {
        const Tile element = from.block(0, row, 1, 1);
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::ScalarLoad{element});
        s.order(Pipe::Scalar, Pipe::Vector);
        s(isa::Vdup{to.block(row, 0, 1, to.cols), 1.0F, element});
    }
}

void column_expand(Script& s, const Tile& to, const Tile& from) {
    for (std::int64_t row = 0; row < to.rows; ++row) {
        move(s, to.block(row, 0, 1, to.cols), from);
    }
}

namespace {

/// Columns of `to` that a repeat holds.
std::int64_t repeat_columns(const Script& s, const Tile& to) {
    return std::min(to.cols, s.hardware().vector.repeat_bytes / bytes_of(to.dtype, 1));
}

} // namespace

void row_expand_in_registers(Script& s, const Tile& to, const Tile& from) {
    const std::int64_t width = repeat_columns(s, to);
    for (std::int64_t col = 0; col < to.cols; col += width) {
        s(isa::Vdup{to.block(0, col, to.rows, width), 1.0F, from.block(0, 0, 1, 1)});
    }
}

void column_expand_in_registers(Script& s, const Tile& to, const Tile& from) {
    const std::int64_t width = repeat_columns(s, to);
    for (std::int64_t col = 0; col < to.cols; col += width) {
        Tile row = from.block(0, col, 1, width);
        row.rows = to.rows;
        row.stride_bytes = 0;
        s(isa::Vadds{{to.block(0, col, to.rows, width), row}, 0.0F});
    }
}

CubeTiles::CubeTiles(Script& s, std::int64_t m, std::int64_t n, std::int64_t k)
    : a(s.tile(Memory::L0a, DType::Fp16, m, k)), b(s.tile(Memory::L0b, DType::Fp16, k, n)) {}

void product(Script& s,
             const CubeTiles& l0,
             const Tile& c,
             const Tile& a,
             Layout a_layout,
             const Tile& b,
             Layout b_layout) {
    constexpr std::int32_t kEvent = 1;
    const std::int64_t depth = a_layout == Layout::Plain ? a.cols : a.rows;
    const Tile l0a = shaped(l0.a, c.rows, depth);
    const Tile l0b = shaped(l0.b, depth, c.cols);
    s.order(Pipe::Mte2, Pipe::Mte1, kEvent);
    s.order(Pipe::Cube, Pipe::Mte1, kEvent);
    s(isa::Copy{l0a, a, false, a_layout == Layout::Transposed});
    s(isa::Copy{l0b, b, false, b_layout == Layout::Transposed});
    s.order(Pipe::Mte1, Pipe::Cube, kEvent);
    s(isa::Mmad{c, l0a, l0b, false});
    s.order(Pipe::Mte1, Pipe::Mte2, kEvent);
    s.order(Pipe::Cube, Pipe::FixPipe, kEvent);
}

} // namespace npusim::kernels::pto
