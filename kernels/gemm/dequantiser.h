// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/hand_over.h"
#include "kernels/common/stream.h"

#include <array>
#include <cstdint>
#include <vector>

namespace npusim::kernels {

/// How weights are stored: W = scale * integer, one scale for `group` rows of a column.
struct QuantFormat {
    DType dtype = DType::Fp16; ///< what W becomes: of the cube's operands
    DType weight = DType::Int8;
    DType scale = DType::Fp16;
    std::int64_t group = 0;

    /// Where W is scaled: in fp16 if all is fp16, else in fp32. There is no bf16 arithmetic on the
    /// vector unit.
    [[nodiscard]] DType arithmetic() const {
        return dtype == DType::Fp16 && scale == DType::Fp16 ? DType::Fp16 : DType::Fp32;
    }
};

/// Sides of what a dequantiser holds in UB.
struct QuantPiece {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t scale_rows = 0; ///< groups whose scales are there at a time
    std::int64_t run = 1;        ///< pieces, one below the other, that are loaded at once
};

/// The vector unit's part of a product with quantised weights: pieces of W from GM to UB, to fp16
/// (the only float that integers of 4 and 8 bits are converted to: asc_int42half, Ascend C), times
/// the scales, rounded to the dtype of the cube and handed over. On a split chip the vector cores
/// work side by side; every one has two of each tile in turn.
class Dequantiser {
  public:
    Dequantiser(Stream& stream,
                HandOver& hand_over,
                const config::HardwareConfig& hardware,
                const QuantFormat& format,
                const QuantPiece& piece);

    /// Bytes of UB it takes.
    static std::int64_t ub_bytes(const QuantFormat& format, const QuantPiece& piece);
    /// Cycles of a vector core for one piece, by closed form.
    static double cycles(const config::HardwareConfig& hardware,
                         const QuantFormat& format,
                         const QuantPiece& piece);

    /// The vector core that what follows belongs to.
    void lane(std::int64_t lane);
    /// Scales [groups, cols] of group `first_group` and those behind it, from GM, for the runs that
    /// are loaded next. A lane holds two such sets.
    void load_scales(const isa::Tile& from, std::int64_t first_group, bool cold);
    /// Integers [rows, cols] of W from its row `first_row`, from GM: number `run` of the runs,
    /// which are dealt to the lanes in turn. A lane holds two.
    void load(std::int64_t run, const isa::Tile& from, std::int64_t first_row, bool cold);
    /// to [rows,cols] in L1 = the weights from row `first_row` of W, which are in run `run`.
    void operator()(const isa::Tile& to, std::int64_t run, std::int64_t first_row);

  private:
    static constexpr std::int64_t kMostLanes = 4;
    static constexpr std::int64_t kTurns = 2;
    struct Scales {
        isa::Tile stored;
        isa::Tile used; ///< in the dtype of the arithmetic
        std::int64_t first_group = 0;
        bool converted = false; ///< or needs no conversion
    };
    struct Run {
        isa::Tile integers;
        std::int64_t first_row = 0;
        std::size_t scales = 0; ///< which
    };
    struct Lane {
        std::size_t turn = 0;
        std::size_t scale_turn = 0;
        std::array<Scales, kTurns> scales;
        std::array<Run, kTurns> runs;
    };

    [[nodiscard]] Lane& current() { return lanes_[static_cast<std::size_t>(lane_)]; }
    [[nodiscard]] std::size_t place(std::int64_t run) const {
        return static_cast<std::size_t>(run / s_.lanes() % kTurns);
    }
    static std::vector<isa::Tile>
    tiles(Stream& s, DType dtype, std::int64_t rows, std::int64_t cols);
    void scale(const isa::Tile& piece, std::int64_t first_row, const Scales& scales);

    Stream& s_;
    HandOver& hand_over_;
    QuantFormat format_;
    std::int64_t repeat_bytes_;
    std::vector<isa::Tile> integers_;
    std::vector<isa::Tile> results_;
    std::vector<isa::Tile> scales_;
    std::vector<isa::Tile> wide_scales_; ///< where the arithmetic is wider than the scales
    isa::Tile halves_;                   ///< where results are not of 16 bits
    isa::Tile wides_;                    ///< where the arithmetic is wider than the results
    std::array<Lane, kMostLanes> lanes_;
    std::int64_t lane_ = 0;
};

} // namespace npusim::kernels
