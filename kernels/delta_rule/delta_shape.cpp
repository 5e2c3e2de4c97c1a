// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/delta_shape.h"

#include "sim/base/error.h"
#include "sim/isa/ops/vector_ops.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <numeric>

namespace npusim::kernels {

namespace {

/// Rows of 16-bit elements then start at multiples of 32 bytes, and squares can be transposed.
void require_multiple(const char* what, std::int64_t size) {
    if (size <= 0 || size % isa::kTransposeSide != 0) {
        throw ConfigError(fmt::format(
            "delta rule: {} {} (allowed: multiples of {})", what, size, isa::kTransposeSide));
    }
}

} // namespace

std::int64_t tokens_of(const DeltaShape& shape) {
    return std::accumulate(shape.lengths.begin(), shape.lengths.end(), std::int64_t{0});
}

std::vector<Chunk> chunks_of(const DeltaShape& shape) {
    std::vector<Chunk> chunks;
    std::int64_t first = 0;
    for (std::int64_t sequence = 0; sequence < std::ssize(shape.lengths); ++sequence) {
        const std::int64_t end = first + shape.lengths[static_cast<std::size_t>(sequence)];
        for (; first < end; first += chunks.back().tokens) {
            chunks.push_back({sequence, first, std::min(shape.chunk, end - first)});
        }
    }
    return chunks;
}

DeltaOperator::DeltaOperator(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : Operator(hardware), shape_(shape) {
    require_multiple("chunk", shape.chunk);
    require_multiple("key size", shape.key_size);
    require_multiple("value size", shape.value_size);
    if (shape.key_heads <= 0 || shape.value_heads % shape.key_heads != 0) {
        throw ConfigError(fmt::format("delta rule: {} value heads (allowed: multiples of the {} "
                                      "key heads)",
                                      shape.value_heads,
                                      shape.key_heads));
    }
    if (shape.lengths.empty() || std::ranges::min(shape.lengths) <= 0) {
        throw ConfigError("delta rule: a sequence has at least one token");
    }
    chunks_ = chunks_of(shape);
}

isa::Tile DeltaOperator::add_by_token(const char* name,
                                      Tensor::Role role,
                                      std::int64_t heads,
                                      std::int64_t size) {
    return add(name, role, shape_.dtype, tokens_of(shape_), heads * size);
}

isa::Tile DeltaOperator::add_factors(const char* name, Tensor::Role role) {
    return add(name, role, DType::Fp32, tokens_of(shape_), shape_.value_heads);
}

isa::Tile DeltaOperator::add_gates(const char* name, Tensor::Role role) {
    const std::int64_t of_head = shape_.per_channel ? shape_.key_size : 1;
    return add(name, role, DType::Fp32, tokens_of(shape_), shape_.value_heads * of_head);
}

isa::Tile DeltaOperator::add_by_chunk(const char* name,
                                      Tensor::Role role,
                                      std::int64_t rows,
                                      std::int64_t cols) {
    return add(name, role, shape_.dtype, std::ssize(chunks_) * shape_.value_heads * rows, cols);
}

isa::Tile DeltaOperator::add_mask(const char* name, std::int64_t diagonal, std::int64_t rows) {
    const std::int64_t cols = 2 * shape_.chunk - rows;
    const std::int64_t first = shape_.chunk - rows;            // where that of row 0 starts
    const auto ones = std::bit_cast<float>(~std::uint32_t{0}); // a NaN, and so in every format
    std::vector<float> values(static_cast<std::size_t>(rows * cols), 0.0F);
    for (std::int64_t i = 0; i < rows; ++i) {
        std::fill_n(values.begin() + i * cols, first + i + 1 + diagonal, ones);
    }
    return constant(name, shape_.dtype, rows, cols, std::move(values));
}

double DeltaOperator::chunk_flops(std::int64_t square, std::int64_t linear) const {
    double sum = 0;
    for (const Chunk& chunk : chunks_) {
        sum += 2.0 * static_cast<double>(chunk.tokens) *
               static_cast<double>(square * chunk.tokens + linear);
    }
    return sum * static_cast<double>(shape_.value_heads);
}

} // namespace npusim::kernels
