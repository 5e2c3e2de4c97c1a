// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_combine.h"

#include "kernels/attention/tiles.h"
#include "kernels/common/stream.h"
#include "kernels/common/vector_tiles.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kRows = 16; ///< of an item: the columns of maxima come in multiples of it

/// to [1,C] = op of all rows of `from`.
template <class Op> void fold_rows(Stream& s, const Tile& to, const Tile& from) {
    s(move(to, from.block(0, 0, 1, from.cols)));
    for (std::int64_t row = 1; row < from.rows; ++row) {
        s(Op{{to, to, from.block(row, 0, 1, from.cols)}});
    }
}

} // namespace

struct DecodeCombine::Rooms {
    Rooms(Stream& s, std::int64_t parts, std::int64_t value_size)
        : maxima(s.ring(Memory::Ub, DType::Fp32, parts, kRows, 2)),
          sums(s.ring(Memory::Ub, DType::Fp32, parts, kRows, 2)),
          outputs(s.ring(Memory::Ub, DType::Fp32, kRows, value_size, 2)),
          total(s.tile(Memory::Ub, DType::Fp32, kRows, value_size)),
          row(s.tile(Memory::Ub, DType::Fp32, 1, kRows)),
          column(s.tile(Memory::Ub, DType::Fp32, kRows, kBlockFloats)) {}
    Ring maxima;
    Ring sums;
    Ring outputs;
    Tile total;
    Tile row;
    Tile column;
};

DecodeCombine::DecodeCombine(const config::HardwareConfig& hardware,
                             const DecodeAttentionShape& shape)
    : Operator(hardware), shape_(checked(shape)), split_(choose_split(hardware, shape)) {
    const auto [parts, rows, cols] = partial_shape(shape, split_);
    const auto input = Tensor::Role::Input;
    partial_.o = add("partial_o", input, DType::Fp32, parts * rows, shape.value_size);
    partial_.max = add("partial_max", input, DType::Fp32, parts, cols);
    partial_.sum = add("partial_sum", input, DType::Fp32, parts, cols);
    o_ = add("o",
             Tensor::Role::Output,
             shape.dtype,
             std::ssize(shape.cached) * shape.query_tokens,
             shape.heads * shape.value_size);
}

void DecodeCombine::combine(
    Stream& s, Rooms& rooms, std::int64_t sequence, std::int64_t kv_head, const Range& rows) const {
    const std::int64_t parts = split_.of(shape_.cached[static_cast<std::size_t>(sequence)]);
    const auto part_of = [&](std::int64_t part) {
        return partial_of(shape_, split_, partial_, sequence, kv_head, part, rows);
    };
    const bool cold = spills(partial_.o.bytes());
    const Tile weight = shaped(rooms.maxima.next(), parts, kRows);
    const Tile sum = shaped(rooms.sums.next(), parts, kRows);
    const auto load = [&](const Tile& to, Tile from) { // the same rows of every part
        from.rows = parts;
        s(isa::Copy{to.block(0, 0, parts, rows.size()), from, cold});
    };
    load(weight, part_of(0).max);
    load(sum, part_of(0).sum);
    fold_rows<isa::Vmax>(s, rooms.row, weight);
    s(isa::Vsub{{weight, weight, repeated(rooms.row, parts)}});
    s(isa::Vexp{{weight, weight}});
    s(isa::Vmul{{sum, sum, weight}});
    fold_rows<isa::Vadd>(s, rooms.row, sum);
    s(isa::Vdiv{{weight, weight, repeated(rooms.row, parts)}});
    const Tile& total = rooms.total;
    for (std::int64_t part = 0; part < parts; ++part) {
        const Tile& output = rooms.outputs.next();
        s(isa::Copy{output.block(0, 0, rows.size(), shape_.value_size), part_of(part).o, cold});
        s(isa::Vbrcb{rooms.column, weight.block(part, 0, 1, kRows)});
        const Tile& to = part == 0 ? total : output;
        by_slices<isa::Vmul>(s, to, output, rooms.column);
        if (part > 0) {
            s(isa::Vadd{{total, total, output}});
        }
    }
    Tile stored = total;
    if (shape_.dtype != DType::Fp32) {
        stored = isa::dense(Memory::Ub, shape_.dtype, total.address, kRows, shape_.value_size);
        s(isa::Vcast{stored, total});
    }
    for (const QueryRun& run : decode_runs(shape_, {}, o_, sequence, kv_head, rows)) {
        s(isa::Copy{
            run.o, stored.block(run.row, 0, run.o.rows, shape_.value_size), spills(o_.bytes())});
    }
}

isa::Program DecodeCombine::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Rooms rooms(s, split_.parts, shape_.value_size);
    const std::int64_t blocks = ceil_div(shape_.rows(), kRows);
    const Range mine = worker->of(std::ssize(shape_.cached) * shape_.kv_heads * blocks);
    for (std::int64_t item = mine.begin; item < mine.end; ++item) {
        const std::int64_t row = item % blocks * kRows;
        const std::int64_t head = item / blocks;
        combine(s,
                rooms,
                head / shape_.kv_heads,
                head % shape_.kv_heads,
                {row, std::min(row + kRows, shape_.rows())});
        co_yield s.take();
    }
    co_yield s.finish();
}

} // namespace npusim::kernels
