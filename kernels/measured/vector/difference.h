// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

namespace npusim::kernels {

/// y[i] = x[i] - x[i-1], `diff` of huawei-csl/pytorch-tcuscan (src/kernels/kernel_diff.h).
///
/// A tile is 20 KiB. The shift by one element is a gather by an index vector that is made anew for
/// every tile: ArithProgression, one dependent repeat after another with a barrier behind each. The
/// last element of a tile is mended by the scalar unit, which thus waits for the vector unit before
/// it can ask for the next tile.
///
/// Tensors `x` and `y` [tiles, tile]. Timing only: index vector and gather are stood for by ops of
/// the same number of repeats, since there is no integer arithmetic and no gather here.
///
/// A round is up to `kMostTiles` tiles.
class Difference : public SteadyKernel {
  public:
    static constexpr std::int64_t kTileBytes = std::int64_t{20} * 1024;
    static constexpr std::int64_t kMostTiles = 8;
    static constexpr std::int64_t kBlocks = 40; ///< at most, run_diff of src/pybind11.cpp

    Difference(const config::HardwareConfig& hardware, std::int64_t elements, DType dtype);
    [[nodiscard]] std::string_view name() const override { return "difference"; }
    [[nodiscard]] std::int64_t rounds() const override { return ceil_div(deal_.each, per_round_); }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    void indices(Script& s, const isa::Tile& index) const;
    void subtract(Script& s, Queue& in, Queue& out, const isa::Tile& index) const;

    DType dtype_;
    std::int64_t tile_;
    Deal deal_;
    std::int64_t per_round_; ///< tiles
    isa::Tile x_;
    isa::Tile y_;
};

} // namespace npusim::kernels
