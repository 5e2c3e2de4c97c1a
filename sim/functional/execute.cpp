// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/execute.h"

#include "sim/functional/formats.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

namespace npusim::functional {

namespace {

using isa::Tile;

std::size_t size(std::int64_t count) {
    return static_cast<std::size_t>(count);
}

/// All of `tile`, dense.
template <class Value> std::vector<Value> load(const Tile& tile, CoreMemory& memory) {
    std::vector<Value> values(size(tile.rows * tile.cols));
    const std::byte* base = memory.at(tile);
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        load_row(tile, base, r, values.data() + r * tile.cols);
    }
    return values;
}

template <class Value>
void store(const Tile& tile, CoreMemory& memory, const std::vector<Value>& values) {
    std::byte* base = memory.at(tile);
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        store_row(tile, base, r, values.data() + r * tile.cols);
    }
}

void move(const Tile& to, const Tile& from, CoreMemory& memory) {
    const std::byte* source = memory.at(from);
    std::byte* target = memory.at(to);
    for (std::int64_t r = 0; r < to.rows; ++r) {
        std::memmove(
            target + r * to.stride_bytes, source + r * from.stride_bytes, size(to.row_bytes()));
    }
}

/// The elements of `from`, each times `scale`.
std::vector<double> scaled(const Tile& from, float scale, CoreMemory& memory) {
    std::vector<double> values = load<double>(from, memory);
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
    } else if (scale == 1 && !wide_integer(from.dtype)) {
        store(to, memory, load<float>(from, memory)); // exact so far, and the shorter way
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
    const std::vector<double> values = scaled(op.from, scale, memory); // `to` may overwrite them
    convert(op.to, op.from, scale, memory);
    numerics->record(op.step, op.to.dtype, op.unit, values, load<double>(op.to, memory));
}

void run(const isa::Fixpipe& op, CoreMemory& memory, Numerics* numerics) {
    convert_step(op, op.scale, memory, numerics);
}
void run(const isa::Vcast& op, CoreMemory& memory, Numerics* numerics) {
    convert_step(op, 1, memory, numerics);
}

/// sum [m,n] += a [m,k] * b [k,n]. k ascends for every element and nothing is fused
/// (-ffp-contract=off), so the bits are the same on every host.
template <class Value>
void multiply_add(const std::vector<Value>& a,
                  const std::vector<Value>& b,
                  std::int64_t k,
                  std::int64_t n,
                  std::vector<Value>& sum) {
    for (std::int64_t i = 0; i < std::ssize(a) / k; ++i) {
        Value* row = sum.data() + i * n;
        for (std::int64_t p = 0; p < k; ++p) {
            const Value factor = a[size(i * k + p)];
            const Value* b_row = b.data() + p * n;
            for (std::int64_t j = 0; j < n; ++j) {
                row[j] += factor * b_row[j];
            }
        }
    }
}

void multiply_floats(const isa::Mmad& op, CoreMemory& memory) {
    std::vector<float> c = op.accumulate ? load<float>(op.c, memory)
                                         : std::vector<float>(size(op.c.rows * op.c.cols), 0.0F);
    multiply_add(load<float>(op.a, memory), load<float>(op.b, memory), op.a.cols, op.b.cols, c);
    store(op.c, memory, c);
}

/// The products of an instruction fit 32 bits and their sum 64, for any K that L0A can hold, so one
/// addition is left that can leave the range of c. Returns how many elements did.
std::int64_t multiply_integers(const isa::Mmad& op, CoreMemory& memory) {
    std::vector<std::int64_t> sum(size(op.c.rows * op.c.cols), 0);
    multiply_add(load<std::int64_t>(op.a, memory),
                 load<std::int64_t>(op.b, memory),
                 op.a.cols,
                 op.b.cols,
                 sum);
    const std::vector<std::int64_t> before =
        op.accumulate ? load<std::int64_t>(op.c, memory) : std::vector<std::int64_t>(sum.size(), 0);
    const IntegerRange range = integer_range(op.c.dtype);
    std::int64_t clamped = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
        std::int64_t total = 0;
        const bool overflow = __builtin_add_overflow(sum[i], before[i], &total);
        if (overflow || total < range.low || total > range.high) {
            // Both terms have the sign of a sum that left 64 bits.
            total = (overflow ? sum[i] : total) < 0 ? range.low : range.high;
            ++clamped;
        }
        sum[i] = total;
    }
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
    const std::vector<float> a = load<float>(op.a, memory);
    const std::vector<float> b = load<float>(op.b, memory);
    std::vector<float> to(a.size());
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        for (std::int64_t c = 0; c < op.to.cols; ++c) {
            const std::int64_t at = r * op.to.cols + c;
            to[size(at)] = apply(a[size(at)], b[size(r * op.b.cols + c % op.b.cols)]);
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
    std::vector<float> values = load<float>(op.from, memory);
    std::transform(values.begin(), values.end(), values.begin(), apply);
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
    const std::vector<float> from = load<float>(op.from, memory);
    std::vector<float> to(size(op.to.cols));
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
    const std::vector<float> from = load<float>(op.from, memory);
    std::vector<float> to(size(op.to.cols));
    for (std::int64_t r = 0; r < op.from.rows; ++r) {
        const auto row = from.begin() + r * op.from.cols;
        to[size(r)] = std::accumulate(row, row + op.from.cols, 0.0F);
    }
    store(op.to, memory, to);
}

template <class Fold>
void fold_blocks(const isa::VectorBlocks& op, CoreMemory& memory, const Fold& fold) {
    const std::vector<float> from = load<float>(op.from, memory);
    std::vector<float> to(size(op.from.rows));
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
    fold_blocks(op, memory, std::plus<float>());
}

void run(const isa::Vand& op, CoreMemory& memory) {
    const std::byte* a = memory.at(op.a);
    const std::byte* b = memory.at(op.b);
    std::byte* to = memory.at(op.to);
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        for (std::int64_t i = 0; i < op.to.row_bytes(); ++i) {
            to[r * op.to.stride_bytes + i] =
                a[r * op.a.stride_bytes + i] & b[r * op.b.stride_bytes + i];
        }
    }
}

template <class Value> void broadcast(const isa::Vbrcb& op, CoreMemory& memory) {
    const std::vector<Value> from = load<Value>(op.from, memory);
    std::vector<Value> to(size(op.to.rows * op.to.cols));
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
    store(op.to, memory, std::vector<float>(size(op.to.rows * op.to.cols), immediate(op, memory)));
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
    store(op.to, memory, std::vector<float>{op.value});
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
