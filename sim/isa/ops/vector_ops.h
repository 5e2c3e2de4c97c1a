// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"

#include <cstdint>
#include <string_view>

namespace npusim::isa {

/// The unit of vector operand addressing: 32 bytes (Ascend C programming guide).
inline constexpr std::int64_t kVectorBlockBytes = 32;
/// The side of the squares that are transposed: 16 blocks at a time (Ascend C programming guide).
inline constexpr std::int64_t kTransposeSide = 16;

/// Element-wise vector op: to [R,C] = a (op) b, one dtype, all in UB. Arithmetic is for floats:
/// done in fp32, then rounded to the dtype. A source with stride 0 repeats its row. `b.cols` may be
/// the 32-byte block of a broadcast column (see Vbrcb): it is then reused along the row, as a block
/// stride of 0 does on the device.
struct VectorBinary {
    Tile to;
    Tile a;
    Tile b;
};

struct Vadd : VectorBinary {
    static constexpr std::string_view kName = "vadd";
    static constexpr std::string_view kDoc = "to[R,C] = a + b";
};
struct Vsub : VectorBinary {
    static constexpr std::string_view kName = "vsub";
    static constexpr std::string_view kDoc = "to[R,C] = a - b";
};
struct Vmul : VectorBinary {
    static constexpr std::string_view kName = "vmul";
    static constexpr std::string_view kDoc = "to[R,C] = a * b";
};
struct Vdiv : VectorBinary {
    static constexpr std::string_view kName = "vdiv";
    static constexpr std::string_view kDoc = "to[R,C] = a / b";
};
/// NaN where either is NaN.
struct Vmax : VectorBinary {
    static constexpr std::string_view kName = "vmax";
    static constexpr std::string_view kDoc = "to[R,C] = the larger of a and b";
};
/// Comparison: 1 where a >= b, else 0, NaN included.
struct Vge : VectorBinary {
    static constexpr std::string_view kName = "vge";
    static constexpr std::string_view kDoc = "to[R,C] = a >= b ? 1 : 0";
};
/// For any dtype. Bitwise, so a mask of all-ones and all-zeros patterns selects elements exactly,
/// infinities included.
struct Vand : VectorBinary {
    static constexpr std::string_view kName = "vand";
    static constexpr std::string_view kDoc = "to[R,C] = a & b, bit by bit";
};

/// Element-wise vector op with one operand: to [R,C] = (op) from [R,C], one float dtype, both in
/// UB.
struct VectorUnary {
    Tile to;
    Tile from;
};

/// `value` is an immediate, not rounded to the dtype. Where the program has read an element of UB
/// (ScalarLoad), `scalar` [1,1] fp32 is that element, and the immediate is value * scalar; it must
/// not change between the load and the op.
struct Vmuls : VectorUnary {
    static constexpr std::string_view kName = "vmuls";
    static constexpr std::string_view kDoc = "to[R,C] = from * value";
    float value = 1;
    Tile scalar = {};
};
struct Vabs : VectorUnary {
    static constexpr std::string_view kName = "vabs";
    static constexpr std::string_view kDoc = "to[R,C] = |from|";
};

/// `value` and `scalar` as for Vmuls.
struct Vadds : VectorUnary {
    static constexpr std::string_view kName = "vadds";
    static constexpr std::string_view kDoc = "to[R,C] = from + value";
    float value = 0;
    Tile scalar = {};
};
/// NaN where `from` is.
struct Vmaxs : VectorUnary {
    static constexpr std::string_view kName = "vmaxs";
    static constexpr std::string_view kDoc = "to[R,C] = the larger of from and value";
    float value = 0;
};
/// NaN where `from` is.
struct Vmins : VectorUnary {
    static constexpr std::string_view kName = "vmins";
    static constexpr std::string_view kDoc = "to[R,C] = the smaller of from and value";
    float value = 0;
};
/// The functions below are rounded once, from double precision.
struct Vexp : VectorUnary {
    static constexpr std::string_view kName = "vexp";
    static constexpr std::string_view kDoc = "to[R,C] = e to the power of from";
};
struct Vln : VectorUnary {
    static constexpr std::string_view kName = "vln";
    static constexpr std::string_view kDoc = "to[R,C] = natural logarithm of from";
};
struct Vsqrt : VectorUnary {
    static constexpr std::string_view kName = "vsqrt";
    static constexpr std::string_view kDoc = "to[R,C] = square root of from";
};

/// Largest of each row: to [1,R] = max of from [R,C] along C, one float dtype; NaN where the row
/// has one. A row takes one repeat, full or not.
struct Vcmax {
    static constexpr std::string_view kName = "vcmax";
    static constexpr std::string_view kDoc = "to[1,R] = the largest of each row of from[R,C]";
    Tile to;
    Tile from;
    std::int16_t step = -1; ///< of which this is the peak, for the record of numerics; -1: of none
};

/// Sum of each row: to [1,R] = from [R,C] summed along C, in ascending order in fp32, one float
/// dtype. A row takes one repeat, full or not.
struct Vcadd {
    static constexpr std::string_view kName = "vcadd";
    static constexpr std::string_view kDoc = "to[1,R] = the sum of each row of from[R,C]";
    Tile to;
    Tile from;
};

/// Reduction of each 32-byte block of a repeat: to, of B elements in row-major order, from
/// [B,32 B], one float dtype. A repeat takes 8 blocks, wherever they lie.
struct VectorBlocks {
    Tile to;
    Tile from;
};

/// NaN where the block has one.
struct Vcgmax : VectorBlocks {
    static constexpr std::string_view kName = "vcgmax";
    static constexpr std::string_view kDoc = "to[B elements] = the largest of each block of from";
};
/// Summed in ascending order in fp32.
struct Vcgadd : VectorBlocks {
    static constexpr std::string_view kName = "vcgadd";
    static constexpr std::string_view kDoc = "to[B elements] = the sum of each block of from";
};

/// Broadcast of a row into a column of 32-byte blocks: to [C,B] with to(c, :) = from(0, c), where B
/// elements fill 32 bytes.
struct Vbrcb {
    static constexpr std::string_view kName = "vbrcb";
    static constexpr std::string_view kDoc = "to[C,32 B] = each element of from[1,C] repeated";
    Tile to;
    Tile from;
};

/// Conversion: to [R,C] = round(from [R,C]) between any two dtypes, rounded once as
/// sim/functional/formats.h says.
struct Vcast {
    static constexpr std::string_view kName = "vcast";
    static constexpr std::string_view kDoc = "to[R,C] = from converted to to's dtype";
    Tile to;
    Tile from;
    std::int16_t step = -1; ///< of the algorithm, for the record of numerics; -1: not recorded
    float unit = 1;         ///< real value of a stored 1, for the record; 0: recorded elsewhere
};

/// Transposition: to [C,R] = transpose of from [R,C], one dtype, bits unchanged; R and C multiples
/// of kTransposeSide, no element shared. Any stride will do: the device is given the address of
/// every 32-byte block (scatter_vnchwconv, CANN guide).
struct Vtranspose {
    static constexpr std::string_view kName = "vtranspose";
    static constexpr std::string_view kDoc = "to[C,R] = from[R,C] transposed";
    Tile to;
    Tile from;
};

/// Fill: to [R,C] = value; `scalar` as for Vmuls.
struct Vdup {
    static constexpr std::string_view kName = "vdup";
    static constexpr std::string_view kDoc = "to[R,C] = value";
    Tile to;
    float value = 0;
    Tile scalar = {};
};

} // namespace npusim::isa
