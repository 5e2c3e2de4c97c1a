// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/hand_over.h"
#include "kernels/common/stream.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/delta_rule/delta_shape.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

namespace npusim::kernels {

/// A tile in UB with the contents of `constant`, in GM, on every vector core of the AI core.
isa::Tile on_every_lane(Stream& s, const isa::Tile& constant);

/// Factors [tokens, heads] in GM as rows in UB, one a head: sixteen heads of a chunk are loaded and
/// transposed at a time, and kept while the next item asks for another of them.
class HeadRows {
  public:
    HeadRows(Stream& stream, const isa::Tile& factors, std::int64_t chunk);
    static std::int64_t bytes(std::int64_t chunk) { return 2 * chunk * kGroup * 4; }
    /// [1, chunk] of `head`, 0 beyond the chunk's tokens. Stays until the lane asks for another
    /// group or chunk.
    isa::Tile row(const Chunk& chunk, std::int64_t head, std::int64_t lane);

  private:
    static constexpr std::int64_t kGroup = isa::kTransposeSide;
    /// What a lane has in its rows.
    struct Held {
        std::int64_t first = -1; ///< token
        std::int64_t group = -1;
    };
    Stream& s_;
    isa::Tile factors_;
    isa::Tile columns_;
    isa::Tile rows_;
    std::vector<Held> lanes_;
};

/// exp(G_i - G_j) of a chunk, from the row G [1, chunk] (`HeadRows`).
class DecayMatrix {
  public:
    DecayMatrix(Stream& stream, std::int64_t chunk);
    /// Takes up the decays of another head.
    void set(const isa::Tile& gates);
    /// to [R,C] = exp(G_i - G_j) for i from `row`, j from `col`; infinite above the diagonal,
    /// maybe.
    void operator()(const isa::Tile& to, std::int64_t row, std::int64_t col);

  private:
    Stream& s_;
    isa::Tile row_;    ///< -G
    isa::Tile column_; ///< the same
};

/// Products on the cube of operands in L1, cut to what L0A, L0B and L0C hold twice.
class Products {
  public:
    /// A matrix in L1, or its transpose.
    struct Operand {
        isa::Tile tile;
        bool transpose = false;
    };
    struct Term {
        Operand a;
        Operand b;
    };
    /// Gets columns `col`.. of a sum, in L0C.
    using Sink = std::function<void(const isa::Tile& sum, std::int64_t col)>;

    Products(Stream& stream, const config::HardwareConfig& hardware);
    /// The sum of the products a [M,K] * b [K,N] of all terms.
    void operator()(std::initializer_list<Term> terms, const Sink& sink);

  private:
    static isa::Tile part(const Operand& operand,
                          std::int64_t row,
                          std::int64_t col,
                          std::int64_t rows,
                          std::int64_t cols);
    static isa::Tile cut(const isa::Tile& room, DType dtype, std::int64_t rows, std::int64_t cols) {
        return isa::dense(room.memory, dtype, room.address, rows, cols);
    }
    void multiply(const isa::Tile& sum, const Term& term, std::int64_t col, bool accumulate);

    Stream& s_;
    Ring lefts_;
    Ring rights_;
    Ring sums_;
};

/// Rows of keys or queries times the exponential of their decays by channel, on the way to L1.
class DecayedRows {
  public:
    DecayedRows(Stream& stream, DType dtype, std::int64_t depth);
    static std::int64_t bytes(DType dtype, std::int64_t depth) {
        return (3 * kRows + 1) * bytes_of(DType::Fp32, depth) + kRows * bytes_of(dtype, depth);
    }
    /// to [n, depth] in L1 = rows * exp(gates), both [n, depth] in GM.
    void operator()(HandOver& hand_over,
                    const isa::Tile& to,
                    const isa::Tile& rows,
                    const isa::Tile& gates) {
        run(hand_over, to, rows, gates, false);
    }
    /// to = rows * exp(the last of the gates - gates). Returns that last one, [1, depth] in UB.
    isa::Tile until_last(HandOver& hand_over,
                         const isa::Tile& to,
                         const isa::Tile& rows,
                         const isa::Tile& gates) {
        s_(isa::Copy{last_, gates.block(gates.rows - 1, 0, 1, gates.cols)});
        run(hand_over, to, rows, gates, true);
        return last_;
    }

  private:
    static constexpr std::int64_t kRows = isa::kTransposeSide;
    void run(HandOver& hand_over,
             const isa::Tile& to,
             const isa::Tile& rows,
             const isa::Tile& gates,
             bool from_last);

    Stream& s_;
    Ring gates_;
    Ring halves_;
    isa::Tile wide_;
    isa::Tile last_;
};

/// Rows of an fp32 tile [rows, cols] of the vector unit that takes at most `bytes`.
inline std::int64_t rows_within(std::int64_t bytes, std::int64_t rows, std::int64_t cols) {
    const std::int64_t most = bytes / (cols * 4) / isa::kTransposeSide * isa::kTransposeSide;
    return std::clamp(most, isa::kTransposeSide, rows);
}

/// Bytes of a working tile of the vector unit: a twelfth of UB, so that rings of fp32 and 16-bit
/// tiles and the factors fit.
inline std::int64_t working_bytes(const config::HardwareConfig& hardware) {
    constexpr std::int64_t kShare = 12;
    return hardware.buffer(Memory::Ub).size_bytes / kShare;
}

} // namespace npusim::kernels
