// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/op_list.h"

#include <algorithm>
#include <cstdint>

namespace npusim::kernels {

/// fp32 elements in a block: the columns of a tile of factors that Vbrcb makes.
inline constexpr std::int64_t kBlockFloats = isa::kVectorBlockBytes / 4;

/// fp32 columns of a strided row that an op takes: one repeat.
inline std::int64_t slice_floats(const config::HardwareConfig& hardware) {
    return hardware.vector.repeat_bytes / bytes_of(DType::Fp32, 1);
}

/// `row` [1,C] seen as [rows,C].
inline isa::Tile repeated(isa::Tile row, std::int64_t rows) {
    row.rows = rows;
    row.stride_bytes = 0;
    return row;
}

/// A binary op of which an operand is strided, repeated or a column of blocks, `slice` columns at a
/// time: to [R,C] = a [R,C] (Op) b, `b` being [R,C] or a column of fp32 blocks.
template <class Op, class Sink>
void by_slices(
    Sink& emit, std::int64_t slice, const isa::Tile& to, const isa::Tile& a, const isa::Tile& b) {
    for (std::int64_t col = 0; col < to.cols; col += slice) {
        const std::int64_t cols = std::min(slice, to.cols - col);
        emit(Op{{to.block(0, col, to.rows, cols),
                 a.block(0, col, to.rows, cols),
                 b.cols == kBlockFloats ? b : b.block(0, col, to.rows, cols)}});
    }
}

/// to [R,C] = from [R,C] within UB, bit by bit: no path leads from UB to itself, but x & x is x.
inline isa::Vand move(const isa::Tile& to, const isa::Tile& from) {
    return isa::Vand{{to, from, from}};
}

} // namespace npusim::kernels
