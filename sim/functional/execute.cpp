// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/execute.h"

#include "sim/functional/formats.h"
#include "sim/functional/matrix_product.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace npusim::functional {

namespace {

using isa::Tile;

std::size_t size(std::int64_t count) {
    return static_cast<std::size_t>(count);
}

/// An operand or a result of an instruction. Each has a room of its own, kept from one instruction
/// to the next.
enum class Room : std::uint8_t { A, B, To };

template <class Value, Room> std::span<Value> room(std::int64_t count) {
    static thread_local std::vector<Value> values;
    values.resize(std::max(values.size(), size(count)));
    return std::span(values).first(size(count));
}

/// `tile` as one long row, if nothing lies between its rows.
Tile joined(const Tile& tile) {
    if (!tile.contiguous() || tile.cols * bits_of(tile.dtype) % 8 != 0) {
        return tile;
    }
    return isa::dense(tile.memory, tile.dtype, tile.address, 1, tile.rows * tile.cols);
}

/// A copy of all of `tile`, dense.
template <class Value, Room Where = Room::A>
std::span<Value> load(const Tile& tile, CoreMemory& memory) {
    const std::span<Value> values = room<Value, Where>(tile.rows * tile.cols);
    const std::byte* base = memory.at(tile);
    const Tile rows = joined(tile);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        load_row(rows, base, r, values.data() + r * rows.cols);
    }
    return values;
}

template <class Value> void store(const Tile& tile, CoreMemory& memory, std::span<Value> values) {
    std::byte* base = memory.at(tile);
    const Tile rows = joined(tile);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        store_row(rows, base, r, values.data() + r * rows.cols);
    }
}

/// Dense fp32, as it stands in memory.
bool is_fp32_array(const Tile& tile) {
    return (tile.dtype == DType::Fp32 || tile.dtype == DType::Tf32) && tile.contiguous() &&
           tile.address % std::int64_t{alignof(float)} == 0;
}
std::span<float> fp32_array(const Tile& tile, CoreMemory& memory) {
    return {reinterpret_cast<float*>(memory.at(tile)), size(tile.rows * tile.cols)};
}

/// All of `tile`, dense: where it stands if it can be read there.
template <Room Where> std::span<const float> read(const Tile& tile, CoreMemory& memory) {
    return is_fp32_array(tile) ? fp32_array(tile, memory) : load<float, Where>(tile, memory);
}

void move(const Tile& to, const Tile& from, CoreMemory& memory) {
    const std::byte* source = memory.at(from);
    std::byte* target = memory.at(to);
    if (to.contiguous() && from.contiguous()) {
        std::memmove(target, source, size(to.bytes()));
        return;
    }
    for (std::int64_t r = 0; r < to.rows; ++r) {
        std::memmove(
            target + r * to.stride_bytes, source + r * from.stride_bytes, size(to.row_bytes()));
    }
}

/// The elements of `from`, each times `scale`.
std::span<double> scaled(const Tile& from, float scale, CoreMemory& memory) {
    const std::span<double> values = load<double>(from, memory);
    for (double& value : values) {
        value *= scale;
    }
    return values;
}

/// An integer too wide for fp32.
bool wide_integer(DType dtype) {
    return dtype == DType::Int32 || dtype == DType::Int64;
}

/// to = round(scale * from).
void convert(const Tile& to, const Tile& from, float scale, CoreMemory& memory) {
    if (scale == 1 && to.dtype == from.dtype) {
        move(to, from, memory);
    } else if (scale == 1 && !wide_integer(from.dtype)) { // exact so far, and the shorter way
        store(to,
              memory,
              to.memory == from.memory ? load<float>(from, memory) : read<Room::A>(from, memory));
    } else {
        store(to, memory, scaled(from, scale, memory));
    }
}

/// to [C,R] = from [R,C], whole bytes an element.
void transpose(const Tile& to, const Tile& from, CoreMemory& memory) {
    const std::byte* source = memory.at(from);
    std::byte* target = memory.at(to);
    const std::int64_t width = bytes_of(from.dtype, 1);
    for (std::int64_t r = 0; r < from.rows; ++r) {
        for (std::int64_t c = 0; c < from.cols; ++c) {
            std::memcpy(target + c * to.stride_bytes + r * width,
                        source + r * from.stride_bytes + c * width,
                        size(width));
        }
    }
}

void run(const isa::Copy& op, CoreMemory& memory) {
    if (op.transpose) {
        transpose(op.to, op.from, memory);
    } else {
        move(op.to, op.from, memory);
    }
}

/// convert, with a record of it if the op's step and `numerics` ask for one.
template <class Op>
void convert_step(const Op& op, float scale, CoreMemory& memory, Numerics* numerics) {
    if (numerics == nullptr || op.step < 0) {
        convert(op.to, op.from, scale, memory);
        return;
    }
    const std::span<const double> values = scaled(op.from, scale, memory);
    convert(op.to, op.from, scale, memory); // may overwrite them in their memory
    numerics->record(op.step, op.to.dtype, op.unit, values, load<double, Room::To>(op.to, memory));
}

void run(const isa::Fixpipe& op, CoreMemory& memory, Numerics* numerics) {
    convert_step(op, op.scale, memory, numerics);
}
void run(const isa::Vcast& op, CoreMemory& memory, Numerics* numerics) {
    convert_step(op, 1, memory, numerics);
}

ProductShape shape_of(const isa::Mmad& op) {
    return {op.a.rows, op.a.cols, op.b.cols};
}

void multiply_floats(const isa::Mmad& op, CoreMemory& memory) {
    const float* a = read<Room::A>(op.a, memory).data();
    const float* b = read<Room::B>(op.b, memory).data();
    const bool in_place = is_fp32_array(op.c);
    const std::span<float> sum = in_place        ? fp32_array(op.c, memory)
                                 : op.accumulate ? load<float, Room::To>(op.c, memory)
                                                 : room<float, Room::To>(op.c.rows * op.c.cols);
    if (!op.accumulate) {
        std::ranges::fill(sum, 0.0F);
    }
    const bool exact =
        op.a.dtype == DType::Fp16 || op.a.dtype == DType::Fp8E4m3 || op.a.dtype == DType::Fp8E5m2;
    if (exact) {
        add_exact_product(shape_of(op), a, b, sum.data());
    } else {
        add_product(shape_of(op), a, b, sum.data());
    }
    if (!in_place) {
        store(op.c, memory, sum);
    }
}

/// a * b of integers, in a type that holds it.
template <class Value> std::span<Value> integer_product(const isa::Mmad& op, CoreMemory& memory) {
    const std::span<Value> sum = room<Value, Room::To>(op.c.rows * op.c.cols);
    std::ranges::fill(sum, Value{0});
    add_product(shape_of(op),
                load<Value, Room::A>(op.a, memory).data(),
                load<Value, Room::B>(op.b, memory).data(),
                sum.data());
    return sum;
}

/// sum = clamp(sum + terms). Returns how many elements were clamped. Without a branch, so that it
/// is vectorised.
std::int64_t add_clamped(std::span<std::int32_t> sum, std::span<const std::int32_t> terms) {
    std::int64_t clamped = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const auto total = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum[i]) +
                                                     static_cast<std::uint32_t>(terms[i]));
        // Both terms have the sign that a sum which left the range has lost.
        const bool overflow = ((total ^ sum[i]) & (total ^ terms[i])) < 0;
        const std::int32_t end = terms[i] < 0 ? std::numeric_limits<std::int32_t>::min()
                                              : std::numeric_limits<std::int32_t>::max();
        sum[i] = overflow ? end : total;
        clamped += overflow ? 1 : 0;
    }
    return clamped;
}

/// c = clamp(sum + what is there of c). Returns how many elements were clamped.
std::int64_t
store_clamped(const isa::Mmad& op, CoreMemory& memory, std::span<const std::int64_t> sum) {
    const std::span<std::int64_t> total = load<std::int64_t, Room::A>(op.c, memory);
    const IntegerRange range = integer_range(op.c.dtype);
    std::int64_t clamped = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const std::int64_t term = sum[i];
        const bool overflow = __builtin_add_overflow(term, op.accumulate ? total[i] : 0, &total[i]);
        if (overflow || total[i] < range.low || total[i] > range.high) {
            // Both terms have the sign of a sum that left 64 bits.
            total[i] = (overflow ? term : total[i]) < 0 ? range.low : range.high;
            ++clamped;
        }
    }
    store(op.c, memory, total);
    return clamped;
}

/// Of an instruction, the products fit 32 bits and their sum 64, for any K that L0A can hold, so
/// one addition is left that can leave the range of c.
std::int64_t multiply_integers(const isa::Mmad& op, CoreMemory& memory) {
    const std::int64_t largest = integer_range(op.a.dtype).low * integer_range(op.b.dtype).low;
    const bool sum_fits = op.a.cols <= std::numeric_limits<std::int32_t>::max() / largest;
    if (op.c.dtype != DType::Int32 || !sum_fits) {
        return store_clamped(op, memory, integer_product<std::int64_t>(op, memory));
    }
    const std::span<std::int32_t> sum = integer_product<std::int32_t>(op, memory);
    const std::int64_t clamped =
        op.accumulate ? add_clamped(sum, load<std::int32_t, Room::A>(op.c, memory)) : 0;
    store(op.c, memory, sum);
    return clamped;
}

void run(const isa::Mmad& op, CoreMemory& memory, Numerics* numerics) {
    if (!is_integer(op.a.dtype)) {
        multiply_floats(op, memory);
    } else if (const std::int64_t clamped = multiply_integers(op, memory); numerics != nullptr) {
        numerics->saturated_accumulators += clamped;
    }
}

template <class F> void binary(const isa::VectorBinary& op, CoreMemory& memory, F apply) {
    const std::span<const float> a = read<Room::A>(op.a, memory);
    const std::span<const float> b = read<Room::B>(op.b, memory);
    const std::span<float> to = room<float, Room::To>(std::ssize(a));
    const std::int64_t period = op.b.cols; // of the columns of b
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        const std::int64_t row = r * op.to.cols;
        for (std::int64_t c = 0; c < op.to.cols; c += period) {
            std::transform(a.begin() + row + c,
                           a.begin() + row + std::min(c + period, op.to.cols),
                           b.begin() + r * period,
                           to.begin() + row + c,
                           apply);
        }
    }
    store(op.to, memory, to);
}

void run(const isa::Vadd& op, CoreMemory& memory) {
    binary(op, memory, std::plus<>());
}
void run(const isa::Vsub& op, CoreMemory& memory) {
    binary(op, memory, std::minus<>());
}
void run(const isa::Vmul& op, CoreMemory& memory) {
    binary(op, memory, std::multiplies<>());
}

void run(const isa::Vdiv& op, CoreMemory& memory) {
    binary(op, memory, std::divides<>());
}

/// NaN if either is NaN.
float larger(float a, float b) {
    return std::isnan(a) || a > b ? a : b;
}

void run(const isa::Vmax& op, CoreMemory& memory) {
    binary(op, memory, larger);
}

template <class F> void unary(const isa::VectorUnary& op, CoreMemory& memory, F apply) {
    const std::span<float> values = load<float>(op.from, memory);
    std::ranges::transform(values, values.begin(), apply);
    store(op.to, memory, values);
}

/// The immediate of an op, times the element the program has read for it.
template <class Op> float immediate(const Op& op, CoreMemory& memory) {
    return op.scalar.rows > 0 ? op.value * load<float>(op.scalar, memory).front() : op.value;
}

void run(const isa::Vmuls& op, CoreMemory& memory) {
    const float factor = immediate(op, memory);
    unary(op, memory, [factor](float value) { return value * factor; });
}
void run(const isa::Vadds& op, CoreMemory& memory) {
    const float term = immediate(op, memory);
    unary(op, memory, [term](float value) { return value + term; });
}
void run(const isa::Vmaxs& op, CoreMemory& memory) {
    unary(op, memory, [&op](float value) { return larger(value, op.value); });
}
void run(const isa::Vmins& op, CoreMemory& memory) {
    unary(op, memory, [&op](float value) { return -larger(-value, -op.value); });
}
/// In double precision, so that the bits do not depend on a host's fp32 library.
template <double (*function)(double)>
void transcendental(const isa::VectorUnary& op, CoreMemory& memory) {
    unary(op, memory, [](float value) {
        return static_cast<float>(function(static_cast<double>(value)));
    });
}
void run(const isa::Vexp& op, CoreMemory& memory) {
    transcendental<std::exp>(op, memory);
}
void run(const isa::Vln& op, CoreMemory& memory) {
    transcendental<std::log>(op, memory);
}
void run(const isa::Vsqrt& op, CoreMemory& memory) {
    transcendental<std::sqrt>(op, memory);
}
void run(const isa::Vge& op, CoreMemory& memory) {
    binary(op, memory, [](float a, float b) { return a >= b ? 1.0F : 0.0F; });
}
void run(const isa::Vabs& op, CoreMemory& memory) {
    unary(op, memory, [](float value) { return std::abs(value); });
}

void run(const isa::Vcmax& op, CoreMemory& memory, Numerics* numerics) {
    const std::span<const float> from = load<float>(op.from, memory);
    const std::span<float> to = room<float, Room::To>(op.to.cols);
    for (std::int64_t r = 0; r < op.from.rows; ++r) {
        const auto row = from.begin() + r * op.from.cols;
        to[size(r)] = std::accumulate(row, row + op.from.cols, *row, larger);
        if (numerics != nullptr && op.step >= 0) {
            numerics->record_peak(op.step, to[size(r)]);
        }
    }
    store(op.to, memory, to);
}

void run(const isa::Vcadd& op, CoreMemory& memory) {
    const std::span<const float> from = load<float>(op.from, memory);
    const std::span<float> to = room<float, Room::To>(op.to.cols);
    for (std::int64_t r = 0; r < op.from.rows; ++r) {
        const auto row = from.begin() + r * op.from.cols;
        to[size(r)] = std::accumulate(row, row + op.from.cols, 0.0F);
    }
    store(op.to, memory, to);
}

template <class Fold>
void fold_blocks(const isa::VectorBlocks& op, CoreMemory& memory, const Fold& fold) {
    const std::span<const float> from = load<float>(op.from, memory);
    const std::span<float> to = room<float, Room::To>(op.from.rows);
    for (std::int64_t block = 0; block < op.from.rows; ++block) {
        const auto first = from.begin() + block * op.from.cols;
        to[size(block)] = std::accumulate(first + 1, first + op.from.cols, *first, fold);
    }
    store(op.to, memory, to);
}
void run(const isa::Vcgmax& op, CoreMemory& memory) {
    fold_blocks(op, memory, larger);
}
void run(const isa::Vcgadd& op, CoreMemory& memory) {
    fold_blocks(op, memory, std::plus<>());
}

void run(const isa::Vand& op, CoreMemory& memory) {
    const std::byte* a = memory.at(op.a);
    const std::byte* b = memory.at(op.b);
    std::byte* to = memory.at(op.to);
    const std::int64_t bytes = op.to.row_bytes();
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        const std::byte* row = a + r * op.a.stride_bytes;
        std::transform(row,
                       row + bytes,
                       b + r * op.b.stride_bytes,
                       to + r * op.to.stride_bytes,
                       std::bit_and<>());
    }
}

template <class Value> void broadcast(const isa::Vbrcb& op, CoreMemory& memory) {
    const std::span<const Value> from = load<Value>(op.from, memory);
    const std::span<Value> to = room<Value, Room::To>(op.to.rows * op.to.cols);
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        std::fill_n(to.begin() + r * op.to.cols, op.to.cols, from[size(r)]);
    }
    store(op.to, memory, to);
}

void run(const isa::Vtranspose& op, CoreMemory& memory) {
    transpose(op.to, op.from, memory);
}

void run(const isa::Vbrcb& op, CoreMemory& memory) {
    if (is_integer(op.to.dtype)) {
        broadcast<std::int64_t>(op, memory);
    } else {
        broadcast<float>(op, memory);
    }
}

void run(const isa::Vdup& op, CoreMemory& memory) {
    const std::span<float> values = room<float, Room::To>(op.to.rows * op.to.cols);
    std::ranges::fill(values, immediate(op, memory));
    store(op.to, memory, values);
}

// Synchronisation moves no data.
void run(const isa::SetFlag& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::WaitFlag& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::CrossSet& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::CrossWait& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::PipeBarrier& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::BarrierAll& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::SyncAll& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::ScalarWork& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::ScalarLoad& /*op*/, CoreMemory& /*memory*/) {}

void run(const isa::ScalarStore& op, CoreMemory& memory) {
    float value = op.value;
    store(op.to, memory, std::span(&value, 1));
}

} // namespace

void execute(const isa::Instruction& instruction, CoreMemory& memory, Numerics* numerics) {
    std::visit(
        [&](const auto& op) {
            if constexpr (requires { run(op, memory, numerics); }) {
                run(op, memory, numerics);
            } else {
                run(op, memory);
            }
        },
        instruction);
}

} // namespace npusim::functional
