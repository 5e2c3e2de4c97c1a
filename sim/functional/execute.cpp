// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/execute.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

namespace npusim::functional {

namespace {

using isa::Tile;

std::size_t size(std::int64_t count) {
    return static_cast<std::size_t>(count);
}

/// All of `tile` as dense fp32.
std::vector<float> load(const Tile& tile, CoreMemory& memory) {
    std::vector<float> values(size(tile.rows * tile.cols));
    const std::byte* base = memory.at(tile);
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        load_row(tile, base, r, values.data() + r * tile.cols);
    }
    return values;
}

void store(const Tile& tile, CoreMemory& memory, const std::vector<float>& values) {
    std::byte* base = memory.at(tile);
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        store_row(tile, base, r, values.data() + r * tile.cols);
    }
}

void run(const isa::Copy& op, CoreMemory& memory) {
    const std::byte* from = memory.at(op.from);
    std::byte* to = memory.at(op.to);
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        std::memmove(
            to + r * op.to.stride_bytes, from + r * op.from.stride_bytes, size(op.to.row_bytes()));
    }
}

void run(const isa::Fixpipe& op, CoreMemory& memory) {
    store(op.to, memory, load(op.from, memory));
}
void run(const isa::Vcast& op, CoreMemory& memory) {
    store(op.to, memory, load(op.from, memory));
}

/// k ascends for every element and nothing is fused (-ffp-contract=off), so the bits are the same
/// on every host.
void run(const isa::Mmad& op, CoreMemory& memory) {
    const std::vector<float> a = load(op.a, memory);
    const std::vector<float> b = load(op.b, memory);
    const std::int64_t m = op.a.rows;
    const std::int64_t k = op.a.cols;
    const std::int64_t n = op.b.cols;
    std::vector<float> c =
        op.accumulate ? load(op.c, memory) : std::vector<float>(size(m * n), 0.0F);
    for (std::int64_t i = 0; i < m; ++i) {
        float* row = c.data() + i * n;
        for (std::int64_t p = 0; p < k; ++p) {
            const float factor = a[size(i * k + p)];
            const float* b_row = b.data() + p * n;
            for (std::int64_t j = 0; j < n; ++j) {
                row[j] += factor * b_row[j];
            }
        }
    }
    store(op.c, memory, c);
}

template <class F> void binary(const isa::VectorBinary& op, CoreMemory& memory, F apply) {
    const std::vector<float> a = load(op.a, memory);
    const std::vector<float> b = load(op.b, memory);
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

void run(const isa::Vbrcb& op, CoreMemory& memory) {
    const std::vector<float> from = load(op.from, memory);
    std::vector<float> to(size(op.to.rows * op.to.cols));
    for (std::int64_t r = 0; r < op.to.rows; ++r) {
        std::fill_n(to.begin() + r * op.to.cols, op.to.cols, from[size(r)]);
    }
    store(op.to, memory, to);
}

void run(const isa::Vtranspose& op, CoreMemory& memory) {
    const std::byte* from = memory.at(op.from);
    std::byte* to = memory.at(op.to);
    const std::int64_t width = bytes_of(op.from.dtype);
    for (std::int64_t r = 0; r < op.from.rows; ++r) {
        for (std::int64_t c = 0; c < op.from.cols; ++c) {
            std::memcpy(to + c * op.to.stride_bytes + r * width,
                        from + r * op.from.stride_bytes + c * width,
                        size(width));
        }
    }
}

void run(const isa::Vdup& op, CoreMemory& memory) {
    store(op.to, memory, std::vector<float>(size(op.to.rows * op.to.cols), op.value));
}

// Synchronisation moves no data.
void run(const isa::SetFlag& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::WaitFlag& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::CrossSet& /*op*/, CoreMemory& /*memory*/) {}
void run(const isa::CrossWait& /*op*/, CoreMemory& /*memory*/) {}

} // namespace

void execute(const isa::Instruction& instruction, CoreMemory& memory) {
    std::visit([&](const auto& op) { run(op, memory); }, instruction);
}

} // namespace npusim::functional
