// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/stream.h"
#include "kernels/measured/gemm/tile_order.h"
#include "kernels/measured/steady.h"

#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// How a published kernel does Y [m,n] = X [m,k] W [k,n].
struct TiledGemmPlan {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
    DType dtype = DType::Fp16;  ///< of X and W
    DType result = DType::Fp16; ///< of Y
    std::int64_t tile_m = 128;  ///< tile of Y that a core forms at a time
    std::int64_t tile_n = 256;
    std::int64_t x_slab = 256;       ///< of X along k in one transfer to L1
    std::int64_t w_slab = 256;       ///< of W
    std::int64_t slice = 64;         ///< along k in L0A and L0B
    std::int64_t sums = 1;           ///< tiles of Y in L0C
    std::int64_t l1_buffers = 2;     ///< slabs of X, and of W, in L1
    bool w_transposed = false;       ///< W lies in GM as [n,k]
    bool w_blocked = false;          ///< W lies in GM slab by slab, in the order of the cube ("zN")
    bool w_per_row = false;          ///< every row of tiles has a W of its own: a batch
    bool barrier_after_tile = false; ///< of all pipes, when a tile is stored
    std::int64_t tail_parts = 1;     ///< into which the columns of a part of a tile are cut
    DealtTiles tiles = {};           ///< of every core that works
    bool in_l2 = false;              ///< X and W are in L2 before the kernel starts
};

/// The product of a published kernel: slabs of X and W through L1, slices through L0A and L0B, all
/// in two buffers in turn, and sums in L0C that FixPipe stores when a tile is done. Tensors `x`,
/// `w` and `y`. A round is a tile of Y.
///
/// With x_slab 512, w_slab 256 and one sum it is the swizzled kernel of huawei-csl/pto-kernels
/// (examples/jit_cpp/matmul_swizzle), with slabs of 64 the one "without swizzle", with slabs of 256
/// that of hw-native-sys/pto-isa (kernels/manual/a2a3/gemm_performance) and the ping-pong product
/// of CATLASS. Their flags are those that the data ask for, which is what a Stream places.
class TiledGemm : public SteadyKernel {
  public:
    /// Throws ConfigError where the slabs do not fit.
    TiledGemm(const config::HardwareConfig& hardware, TiledGemmPlan plan);
    [[nodiscard]] std::string_view name() const override { return "tiled-gemm"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(plan_.m) * static_cast<double>(plan_.n) *
               static_cast<double>(plan_.k);
    }

  private:
    struct Slabs;
    /// Place of a tile of Y.
    struct Area {
        std::int64_t row = 0;
        std::int64_t col = 0;
        std::int64_t m = 0;
        std::int64_t n = 0;
    };
    [[nodiscard]] Area area(const GridTile& at) const;
    [[nodiscard]] isa::Tile x_block(const Area& area, std::int64_t k) const;
    [[nodiscard]] isa::Tile w_block(const Area& area, std::int64_t k) const;

    TiledGemmPlan plan_;
    isa::Tile x_;
    isa::Tile w_;
    isa::Tile y_;
};

} // namespace npusim::kernels
