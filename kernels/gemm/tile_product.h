// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/stream.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// Sides of the pieces that a product Y [m,n] = X [m,k] W [k,n] is done in.
struct GemmTiling {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t slab = 0;  ///< along k, in L1
    std::int64_t slice = 0; ///< along k, in L0A and L0B
};

/// Cycles that one tile of Y takes of each pipe of a core that is alone on the chip.
struct TileCost {
    double cube = 0;
    double mte2 = 0; ///< X and W to L1
    double mte1 = 0;
    double out = 0;          ///< FixPipe
    double weight_bytes = 0; ///< of W, in whole lines of GM
    std::int64_t slabs = 0;  ///< along k
    [[nodiscard]] double slowest() const { return std::max({cube, mte2, mte1, out}); }
};

/// Cycles of a transfer of `bytes` in `transfers` parts; the chip must have the link.
double link_cycles(const config::HardwareConfig& hardware,
                   Memory from,
                   Memory to,
                   double bytes,
                   std::int64_t transfers);

/// The cost of a tile [m,n] with k products to an element.
TileCost tile_cost(const config::HardwareConfig& hardware,
                   DType dtype,
                   const GemmTiling& tiling,
                   std::int64_t m,
                   std::int64_t k,
                   std::int64_t n);

/// Whether slices and a sum of that tiling fit L0A, L0B and L0C.
bool fits_l0(const config::HardwareConfig& hardware, DType dtype, const GemmTiling& tiling);

/// The tiling with the smallest `estimate`, in cycles, of those that fit L1 and L0. Throws
/// ConfigError where none does.
GemmTiling fastest_tiling(const config::HardwareConfig& hardware,
                          DType dtype,
                          const std::function<double(const GemmTiling&)>& estimate);

/// A tile of Y where the rows of X belong to several matrices W: those of the experts of a layer.
struct OutputTile {
    std::int64_t expert = 0;
    std::int64_t row = 0;
    std::int64_t m = 0;
    std::int64_t col = 0;
    std::int64_t n = 0;
    bool first = false; ///< of those that read these columns of W
};

/// All tiles of at most `tile_m` x `tile_n`, by expert, column, row. The `rows` of an expert are
/// cut into equal parts, n into columns of `tile_n` and a rest.
std::vector<OutputTile> output_tiles(const std::vector<std::int64_t>& rows,
                                     std::int64_t n,
                                     std::int64_t tile_m,
                                     std::int64_t tile_n);

/// Throws ConfigError unless there is a row, no negative number of them, and n is a multiple of 16.
void check_grouped(std::string_view name,
                   const std::vector<std::int64_t>& rows,
                   std::int64_t k,
                   std::int64_t n);

/// The cube's part of a product: operands in L1 go through L0A and L0B in slices, two of each in
/// turn, into sums in L0C; two sums in turn where there is room.
class TileProduct {
  public:
    TileProduct(Stream& stream,
                const config::HardwareConfig& hardware,
                DType dtype,
                const GemmTiling& tiling);

    /// Where the next tile [m,n] of the result is summed up.
    isa::Tile next_sum(std::int64_t m, std::int64_t n) { return shaped(sums_.next(), m, n); }
    /// sum [m,n] = (accumulate ? sum : 0) + left [m,depth] * right [depth,n], both in L1.
    void add(const isa::Tile& sum, const isa::Tile& left, const isa::Tile& right, bool accumulate);

  private:
    Stream& s_;
    std::int64_t slice_;
    Ring lefts_;
    Ring rights_;
    Ring sums_;
};

/// A block of X or W in GM.
struct Panel {
    isa::Tile tile;
    bool cold = false; ///< lives in HBM rather than in L2
};

/// The same with both operands in GM, through two slabs of each in L1 in turn.
class StreamedProduct {
  public:
    StreamedProduct(Stream& stream,
                    const config::HardwareConfig& hardware,
                    DType dtype,
                    const GemmTiling& tiling);

    isa::Tile next_sum(std::int64_t m, std::int64_t n) { return product_.next_sum(m, n); }
    /// As TileProduct::add.
    void add(const isa::Tile& sum, const Panel& x, const Panel& w, bool accumulate);

  private:
    Stream& s_;
    Ring lefts_;
    Ring rights_;
    TileProduct product_;
};

} // namespace npusim::kernels
