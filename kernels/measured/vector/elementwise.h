// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

#include <vector>

namespace npusim::kernels {

/// What is done to each element.
enum class Elementwise : std::uint8_t {
    Copy,       ///< y = x: what a load has brought is stored as it lies
    Staged,     ///< y = x by way of another tile of UB
    Relu,       ///< y = max(x, 0)
    Mul,        ///< y = x1 * x2
    Add,        ///< y = x1 + x2
    AddFour,    ///< y = x1 + x2 + x3 + x4
    DivideRows, ///< y[r,:] = x1[r,:] / x2[r], row by row
    DivideTile, ///< the same: divisors spread row by row, one division in fp32 for a tile
};

struct ElementwiseShape {
    Elementwise function = Elementwise::Copy;
    std::int64_t elements = 0;
    DType dtype = DType::Fp16;
    std::int64_t tile = 8192;               ///< elements
    std::int64_t blocks = 0;                ///< vector cores at most
    std::int64_t buffers = 2;               ///< of each queue
    std::int64_t row = 256;                 ///< elements, of a division
    std::int64_t start = QueueCode::kStart; ///< scalar cycles
    bool cold = false;                      ///< whether data lies in HBM
};

/// A kernel of Ascend C's usual form: queues in and out of UB with two buffers each, tile after
/// tile; the blocks take equal runs of tiles. Structure of operators/{relu,mul,add,div}/ascendc of
/// BobbyWeng/cannbot-ascendc-vs-pypto: 20 blocks, 8192 elements a tile.
///
/// Tensors `x1`.. and `y` [tiles, tile]; the last tile is a whole one here. `x2` of DivideRows is
/// [tiles, rows of a tile]. A division reads a divisor into the scalar unit and fills a row with
/// it: its timing is that, but the value it divides by here is 1. DivideTile is how the vendor's
/// library may do it; its source is not public.
///
/// A round is up to `kMostTiles` tiles.
class ElementwiseKernel : public SteadyKernel {
  public:
    static constexpr std::int64_t kMostTiles = 64;

    ElementwiseKernel(const config::HardwareConfig& hardware, const ElementwiseShape& shape);
    [[nodiscard]] std::string_view name() const override { return "elementwise"; }
    [[nodiscard]] std::int64_t rounds() const override { return ceil_div(deal_.each, per_round_); }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t blocks() const { return deal_.blocks; }

  private:
    [[nodiscard]] std::int64_t inputs() const;
    [[nodiscard]] std::vector<Queue> input_queues(Script& s) const;
    void load(Script& s, std::vector<Queue>& in, std::int64_t tile) const;
    void compute(Script& s, std::vector<Queue>& in, Queue& out, const isa::Tile& wide) const;
    void store(Script& s, Queue& out, std::int64_t tile) const;
    [[nodiscard]] bool divides() const;
    void divide(Script& s, const isa::Tile& y, const isa::Tile& x, const isa::Tile& by) const;
    /// `wide`: two tiles of fp32.
    void divide_tile(Script& s,
                     const isa::Tile& y,
                     const isa::Tile& x,
                     const isa::Tile& by,
                     const isa::Tile& wide) const;

    ElementwiseShape shape_;
    Deal deal_;
    std::int64_t per_round_; ///< tiles
    std::vector<isa::Tile> x_;
    isa::Tile y_;
};

} // namespace npusim::kernels
