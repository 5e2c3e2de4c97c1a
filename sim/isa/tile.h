// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/base/error.h"
#include "sim/base/units.h"

#include <cstdint>
#include <string>

namespace npusim::isa {

/// A row of a fractal, the 16-row block in which L1 and L0 keep matrices (Ascend C programming
/// guide).
inline constexpr std::int64_t kFractalRowBytes = 32;

/// A strided view of a matrix in one memory: `rows` x `cols` elements of `dtype`, row r starting at
/// `address + r * stride_bytes`. Rows are contiguous and take whole bytes; what is left of an odd
/// int4 row's last byte is stored as zero. A stride of 0 repeats one row.
///
/// Tiles are row-major in every memory: the fractal order of L1/L0 is the transfer's own business
/// and costs no cycle of its own (documented rates include it).
struct Tile {
    Memory memory = Memory::Gm;
    DType dtype = DType::Fp16;
    std::int64_t address = 0; ///< bytes from the start of the memory
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride_bytes = 0;

    [[nodiscard]] std::int64_t row_bytes() const { return bytes_of(dtype, cols); }
    [[nodiscard]] std::int64_t bytes() const { return rows * row_bytes(); }
    /// One past the last byte touched.
    [[nodiscard]] std::int64_t end() const {
        return rows == 0 ? address : address + (rows - 1) * stride_bytes + row_bytes();
    }
    [[nodiscard]] bool contiguous() const { return rows <= 1 || stride_bytes == row_bytes(); }
    /// The `r` x `c` block whose first element is (`row`, `col`). Throws ProgramError where that is
    /// in the middle of a byte: int4 at an odd column.
    [[nodiscard]] Tile
    block(std::int64_t row, std::int64_t col, std::int64_t r, std::int64_t c) const {
        if (col * bits_of(dtype) % 8 != 0) {
            throw ProgramError("a block of int4 starts at column " + std::to_string(col) +
                               " (allowed: even ones)");
        }
        Tile sub = *this;
        sub.address += row * stride_bytes + bytes_of(dtype, col);
        sub.rows = r;
        sub.cols = c;
        return sub;
    }
    bool operator==(const Tile&) const = default;
};

/// A dense row-major tile.
inline Tile
dense(Memory memory, DType dtype, std::int64_t address, std::int64_t rows, std::int64_t cols) {
    return Tile{memory, dtype, address, rows, cols, bytes_of(dtype, cols)};
}

} // namespace npusim::isa
