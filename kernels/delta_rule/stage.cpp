// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/stage.h"

namespace npusim::kernels {

using isa::Tile;

Tile on_every_lane(Stream& s, const Tile& constant) {
    const Tile tile = s.tile(Memory::Ub, constant.dtype, constant.rows, constant.cols);
    for (std::int64_t lane = 0; lane < s.lanes(); ++lane) {
        s.lane(lane);
        s(isa::Copy{tile, constant});
    }
    return tile;
}

HeadRows::HeadRows(Stream& stream, const Tile& factors, std::int64_t chunk)
    : s_(stream), factors_(factors), columns_(s_.tile(Memory::Ub, DType::Fp32, chunk, kGroup)),
      rows_(s_.tile(Memory::Ub, DType::Fp32, kGroup, chunk)),
      lanes_(static_cast<std::size_t>(s_.lanes())) {}

Tile HeadRows::row(const Chunk& chunk, std::int64_t head, std::int64_t lane) {
    Held& now = lanes_[static_cast<std::size_t>(lane)];
    const std::int64_t group = head / kGroup;
    if (now.first != chunk.first || now.group != group) {
        now = {chunk.first, group};
        const std::int64_t n = chunk.tokens;
        const std::int64_t heads = std::min(kGroup, factors_.cols - group * kGroup);
        if (n < columns_.rows) {
            s_(isa::Vdup{columns_.block(n, 0, columns_.rows - n, kGroup)});
        }
        s_(isa::Copy{columns_.block(0, 0, n, heads),
                     factors_.block(chunk.first, group * kGroup, n, heads)});
        s_(isa::Vtranspose{rows_, columns_});
    }
    return rows_.block(head % kGroup, 0, 1, rows_.cols);
}

DecayMatrix::DecayMatrix(Stream& stream, std::int64_t chunk)
    : s_(stream), row_(s_.tile(Memory::Ub, DType::Fp32, 1, chunk)),
      column_(s_.tile(Memory::Ub, DType::Fp32, chunk, kBlockFloats)) {}

void DecayMatrix::set(const Tile& gates) {
    // Only the second operand may be a column, so the first is the row -G_j, and -G_i is taken off.
    s_(isa::Vmuls{{row_, gates}, -1});
    s_(isa::Vbrcb{column_, row_});
}

void DecayMatrix::operator()(const Tile& to, std::int64_t row, std::int64_t col) {
    by_slices<isa::Vsub>(s_,
                         to,
                         repeated(row_.block(0, col, 1, to.cols), to.rows),
                         column_.block(row, 0, to.rows, kBlockFloats));
    s_(isa::Vexp{{to, to}});
}

DecayedRows::DecayedRows(Stream& stream, DType dtype, std::int64_t depth)
    : s_(stream), gates_(s_.ring(Memory::Ub, DType::Fp32, kRows, depth, 2)),
      halves_(s_.ring(Memory::Ub, dtype, kRows, depth, 1)),
      wide_(s_.tile(Memory::Ub, DType::Fp32, kRows, depth)),
      last_(s_.tile(Memory::Ub, DType::Fp32, 1, depth)) {}

void DecayedRows::run(
    HandOver& hand_over, const Tile& to, const Tile& rows, const Tile& gates, bool from_last) {
    for (std::int64_t row = 0; row < to.rows; row += kRows) {
        const std::int64_t count = std::min(kRows, to.rows - row);
        const Tile gate = shaped(gates_.next(), count, to.cols);
        const Tile half = shaped(halves_.next(), count, to.cols);
        const Tile wide = shaped(wide_, count, to.cols);
        s_(isa::Copy{gate, gates.block(row, 0, count, to.cols)});
        s_(isa::Copy{half, rows.block(row, 0, count, to.cols)});
        s_(isa::Vcast{wide, half});
        if (from_last) {
            by_slices<isa::Vsub>(s_, gate, gate, repeated(last_, count));
            s_(isa::Vmuls{{gate, gate}, -1});
        }
        s_(isa::Vexp{{gate, gate}});
        s_(isa::Vmul{{wide, wide, gate}});
        s_(isa::Vcast{half, wide});
        hand_over.to_cube(to.block(row, 0, count, to.cols), half);
    }
}

namespace {

/// Two tiles that share `memory`, to be cut from.
Ring halves(Stream& s, const config::HardwareConfig& hardware, Memory memory) {
    const std::int64_t bytes = hardware.buffer(memory).size_bytes / 2;
    return s.ring(memory, DType::Fp32, 1, bytes / bytes_of(DType::Fp32, 1), 2);
}

/// The largest number of rows of `row_bytes` that `room` holds, whole fractals unless it is all
/// that are wanted.
std::int64_t fitting(const Tile& room, std::int64_t row_bytes, std::int64_t wanted) {
    const std::int64_t most = room.bytes() / row_bytes;
    return most >= wanted ? wanted : most / isa::kTransposeSide * isa::kTransposeSide;
}

} // namespace

Products::Products(Stream& stream, const config::HardwareConfig& hardware)
    : s_(stream), lefts_(halves(s_, hardware, Memory::L0a)),
      rights_(halves(s_, hardware, Memory::L0b)), sums_(halves(s_, hardware, Memory::L0c)) {}

Tile Products::part(const Operand& operand,
                    std::int64_t row,
                    std::int64_t col,
                    std::int64_t rows,
                    std::int64_t cols) {
    return operand.transpose ? operand.tile.block(col, row, cols, rows)
                             : operand.tile.block(row, col, rows, cols);
}

void Products::multiply(const Tile& sum, const Term& term, std::int64_t col, bool accumulate) {
    const DType dtype = term.a.tile.dtype;
    const std::int64_t depth = term.a.transpose ? term.a.tile.rows : term.a.tile.cols;
    const std::int64_t slice = std::min(fitting(lefts_.front(), bytes_of(dtype, sum.rows), depth),
                                        fitting(rights_.front(), bytes_of(dtype, sum.cols), depth));
    for (std::int64_t k = 0; k < depth; k += slice) {
        const std::int64_t count = std::min(slice, depth - k);
        const Tile left = cut(lefts_.next(), dtype, sum.rows, count);
        const Tile right = cut(rights_.next(), dtype, count, sum.cols);
        s_(isa::Copy{left, part(term.a, 0, k, sum.rows, count), false, term.a.transpose});
        s_(isa::Copy{right, part(term.b, k, col, count, sum.cols), false, term.b.transpose});
        s_(isa::Mmad{sum, left, right, accumulate || k > 0});
    }
}

void Products::operator()(std::initializer_list<Term> terms, const Sink& sink) {
    const Term& first = *terms.begin();
    const std::int64_t rows = first.a.transpose ? first.a.tile.cols : first.a.tile.rows;
    const std::int64_t cols = first.b.transpose ? first.b.tile.rows : first.b.tile.cols;
    const std::int64_t width = fitting(sums_.front(), bytes_of(DType::Fp32, rows), cols);
    for (std::int64_t col = 0; col < cols; col += width) {
        const Tile sum = shaped(sums_.next(), rows, std::min(width, cols - col));
        for (const Term& term : terms) {
            multiply(sum, term, col, &term != terms.begin());
        }
        sink(sum, col);
    }
}

} // namespace npusim::kernels
