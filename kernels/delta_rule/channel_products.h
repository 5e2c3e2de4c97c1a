// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/hand_over.h"
#include "kernels/delta_rule/stage.h"

namespace npusim::kernels {

/// Products of a chunk's rows under decay by channel: P_ij = sum_d a_id k_jd exp(G_id - G_jd) for
/// i >= j, a being k or q.
///
/// The exponent does not leave the sum, and exp(G_i) exp(-G_j) overflows, so sixteen rows i at a
/// time are formed as <a_i exp(G_i - R), k_j exp(R - G_j)>, R being G at the first of them (as in
/// flash-linear-attention). For j in earlier blocks both exponents are negative. Among the sixteen,
/// R - G_j is positive and at most 15 tokens of decay: operands are fp32, and it is cut at 80
/// (e^80 = 5.5e34), which is exact as long as g > -5.3 a token.
class ChannelProducts {
  public:
    static constexpr std::int64_t kRows = isa::kTransposeSide;

    /// `scratch` for HandOver, as `scratch_rows` and `scratch_cols` say.
    ChannelProducts(Stream& stream,
                    const config::HardwareConfig& hardware,
                    isa::CoreId core,
                    const isa::Tile& scratch,
                    const DeltaShape& shape);
    /// For tiles of `rows`, kRows or more.
    static std::int64_t scratch_rows(const config::HardwareConfig& hardware,
                                     std::int64_t rows = kRows) {
        return HandOver::scratch_rows(hardware, rows);
    }
    static std::int64_t scratch_cols(const DeltaShape& shape) {
        return std::max(shape.chunk, shape.key_size);
    }
    /// Takes up a head of a chunk: a, k and G [tokens, key_size] in GM.
    void load(const isa::Tile& a, const isa::Tile& keys, const isa::Tile& gates);
    /// Makes the operands of rows `row`.. .
    void prepare(std::int64_t row);
    /// exp(G) a of the rows prepared last, in dtype, to [rows, key_size] in L1.
    void decayed(std::int64_t row, const isa::Tile& to);
    /// The rows prepared last: [kRows, chunk] in UB. What is above the diagonal or beyond the chunk
    /// is of no meaning.
    isa::Tile rows(Products& multiply);
    /// Hands what is in UB over to L1.
    void to_cube(const isa::Tile& to, const isa::Tile& from) { hand_over_.to_cube(to, from); }

  private:
    isa::Tile gates(std::int64_t row) { return gates_.block(row, 0, kRows, gates_.cols); }
    isa::Tile wide() { return s_.tile(Memory::Ub, DType::Fp32, kRows, gates_.cols); }

    Stream& s_;
    HandOver hand_over_;
    isa::Tile gates_; ///< [chunk, key_size]
    isa::Tile keys_;
    Ring halves_;
    isa::Tile a_wide_ = wide();
    isa::Tile key_wide_ = wide();
    Ring pieces_;
    Ring products_;
    Ring lefts_;
    Ring rights_;
    isa::Tile a_{}; ///< in GM
    isa::Tile left_{};
    isa::Tile right_{};
};

} // namespace npusim::kernels
