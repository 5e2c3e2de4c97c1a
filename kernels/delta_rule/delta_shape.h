// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

#include <cstdint>
#include <vector>

namespace npusim::kernels {

/// A batch of sequences of a gated-delta-rule layer. Value head h uses key head
/// h * key_heads / value_heads.
struct DeltaShape {
    std::vector<std::int64_t> lengths; ///< tokens of each sequence, one after the other in GM
    std::int64_t key_heads = 0;
    std::int64_t value_heads = 0;
    std::int64_t key_size = 128;
    std::int64_t value_size = 128;
    std::int64_t chunk = 64; ///< most tokens of a chunk
    DType dtype = DType::Fp16;
    /// Whether every channel of a key decays by itself (Kimi delta attention): g and G are then
    /// [tokens, value_heads * key_size].
    bool per_channel = false;
};

/// Tokens that are worked on together; never of two sequences.
struct Chunk {
    std::int64_t sequence = 0;
    std::int64_t first = 0;  ///< its first token, among those of all sequences
    std::int64_t tokens = 0; ///< less than DeltaShape::chunk at the end of a sequence
};

std::int64_t tokens_of(const DeltaShape& shape);
/// Every chunk, in the order of the tokens.
std::vector<Chunk> chunks_of(const DeltaShape& shape);

/// A stage of the chunked gated delta rule: its shape, its chunks, and where in GM a head's part of
/// a chunk is. Matrices by token are [tokens, heads * size]; matrices by chunk and value head, one
/// below the other, are [chunks * value_heads * rows, cols].
class DeltaOperator : public Operator {
  public:
    /// Throws ConfigError where a size is not a multiple of 16, or value heads are not of key
    /// heads.
    DeltaOperator(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] const DeltaShape& shape() const { return shape_; }
    [[nodiscard]] const std::vector<Chunk>& chunks() const { return chunks_; }

  protected:
    isa::Tile
    add_by_token(const char* name, Tensor::Role role, std::int64_t heads, std::int64_t size);
    isa::Tile add_factors(const char* name, Tensor::Role role);
    /// Decays: a factor, or one a channel.
    isa::Tile add_gates(const char* name, Tensor::Role role);
    isa::Tile
    add_by_chunk(const char* name, Tensor::Role role, std::int64_t rows, std::int64_t cols);
    [[nodiscard]] static isa::Tile
    of_tokens(const isa::Tile& tensor, const Chunk& chunk, std::int64_t head, std::int64_t size) {
        return tensor.block(chunk.first, head * size, chunk.tokens, size);
    }
    /// `rows` rows of value head `head` in chunk number `index`.
    [[nodiscard]] isa::Tile of_chunk(const isa::Tile& tensor,
                                     std::int64_t index,
                                     std::int64_t head,
                                     std::int64_t rows) const {
        return tensor.block((index * shape_.value_heads + head) * rows, 0, rows, tensor.cols);
    }
    [[nodiscard]] std::int64_t key_head(std::int64_t value_head) const {
        return value_head * shape_.key_heads / shape_.value_heads;
    }
    /// For Vand: all ones at and below diagonal `diagonal` of [chunk, chunk], all zeros above, for
    /// a vector unit that works on `rows` rows at a time. The part for rows from `row` and columns
    /// from `col` stands at column `mask_column`: what lies further down is the same, further
    /// right.
    isa::Tile add_mask(const char* name, std::int64_t diagonal, std::int64_t rows);
    [[nodiscard]] static std::int64_t
    mask_column(const isa::Tile& mask, std::int64_t row, std::int64_t col) {
        return (mask.cols - mask.rows) / 2 - row + col;
    }
    /// 2 per multiply-add, summed over chunks of n tokens and value heads: `square` n^2 + `linear`
    /// n of them.
    [[nodiscard]] double chunk_flops(std::int64_t square, std::int64_t linear) const;

  private:
    DeltaShape shape_;
    std::vector<Chunk> chunks_;
};

} // namespace npusim::kernels
