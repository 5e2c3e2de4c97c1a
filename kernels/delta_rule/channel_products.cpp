// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/channel_products.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Largest exponent: e^80 times a key of norm 1, summed over a head, is far from the end of fp32.
constexpr float kMostExponent = 80;

} // namespace

ChannelProducts::ChannelProducts(Stream& stream,
                                 const config::HardwareConfig& hardware,
                                 isa::CoreId core,
                                 const Tile& scratch,
                                 const DeltaShape& shape)
    : s_(stream), hand_over_(s_, hardware, core, scratch),
      gates_(s_.tile(Memory::Ub, DType::Fp32, shape.chunk, shape.key_size)),
      keys_(s_.tile(Memory::Ub, shape.dtype, shape.chunk, shape.key_size)),
      halves_(s_.ring(Memory::Ub, shape.dtype, kRows, shape.key_size, 2)),
      pieces_(s_.ring(Memory::Ub, DType::Fp32, kRows, shape.key_size, 2)),
      products_(s_.ring(Memory::Ub, DType::Fp32, kRows, shape.chunk, 2)),
      lefts_(s_.ring(Memory::L1, DType::Fp32, kRows, shape.key_size, 2)),
      rights_(s_.ring(Memory::L1, DType::Fp32, shape.chunk, shape.key_size, 2)) {}

void ChannelProducts::load(const Tile& a, const Tile& keys, const Tile& gates) {
    a_ = a;
    s_(isa::Copy{keys_.block(0, 0, keys.rows, keys.cols), keys});
    s_(isa::Copy{gates_.block(0, 0, gates.rows, gates.cols), gates});
}

void ChannelProducts::prepare(std::int64_t row) {
    const Tile origin = repeated(gates_.block(row, 0, 1, gates_.cols), kRows);
    const std::int64_t rows = std::min(kRows, a_.rows - row);
    const Tile half = halves_.next();
    left_ = lefts_.next();
    right_ = rights_.next();
    s_(isa::Copy{half.block(0, 0, rows, half.cols), a_.block(row, 0, rows, a_.cols)});
    s_(isa::Vcast{a_wide_, half});
    const Tile left = pieces_.next();
    by_slices<isa::Vsub>(s_, left, gates(row), origin);
    s_(isa::Vexp{{left, left}});
    s_(isa::Vmul{{left, left, a_wide_}});
    to_cube(left_, left);
    for (std::int64_t at = 0; at <= row; at += kRows) {
        const Tile right = pieces_.next();
        s_(isa::Vcast{key_wide_, keys_.block(at, 0, kRows, keys_.cols)});
        by_slices<isa::Vsub>(s_, right, gates(at), origin);
        if (at == row) {
            s_(isa::Vmaxs{{right, right}, -kMostExponent});
        }
        s_(isa::Vmuls{{right, right}, -1});
        s_(isa::Vexp{{right, right}});
        s_(isa::Vmul{{right, right, key_wide_}});
        to_cube(right_.block(at, 0, kRows, right_.cols), right);
    }
}

void ChannelProducts::decayed(std::int64_t row, const Tile& to) {
    const Tile half = halves_.next();
    s_(isa::Vexp{{key_wide_, gates(row)}});
    s_(isa::Vmul{{key_wide_, key_wide_, a_wide_}});
    s_(isa::Vcast{half, key_wide_});
    to_cube(to, half.block(0, 0, to.rows, to.cols));
}

Tile ChannelProducts::rows(Products& multiply) {
    const Tile product = products_.next();
    multiply({{{left_}, {right_, true}}}, [&](const Tile& sum, std::int64_t col) {
        hand_over_.to_vector(product.block(0, col, kRows, sum.cols), sum);
    });
    return product;
}

} // namespace npusim::kernels
