// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// Passes of the vector unit over a tile, by what limits them.
struct TilePasses {
    /// Stages of a butterfly: an addition and a subtraction over half of the tile each, in one
    /// loop.
    std::int64_t butterflies = 0;
    /// Passes over half of the tile that move lanes (vdintlv of register pairs).
    std::int64_t rotations = 0;
    /// Passes over all of the tile, one operation each.
    std::int64_t whole = 0;
    /// Cycles of the scalar unit for a tile, with the vector unit waiting.
    std::int64_t scalar = 0;
};

/// What streams through UB.
struct TileStreamShape {
    std::int64_t tiles = 0;
    std::int64_t tile_bytes = 0; ///< a multiple of 256
    /// Cycles of the scalar unit before each tile is worked on: addresses, descriptors, flags.
    std::int64_t tile_code = 0;
    std::vector<std::int64_t> results; ///< bytes a tile leaves, one transfer each
    bool in_place = false;             ///< the one result goes where the tile came from
    std::int64_t buffers = 4;
    std::int64_t prefetch = 2; ///< tiles loaded ahead; fewer than buffers
    /// Operands of this size that a bench uses in turn, so that L2 holds none or all of them.
    std::int64_t pool = 1;
    TilePasses passes;
};

/// A kernel limited by memory: vector cores in turn take a tile, load it, work on it and store it,
/// with some buffers in turn and flags MTE3 -> MTE2 -> vector -> MTE3 for each. Structure of
/// huawei-csl/pto-kernels, examples/jit_cpp/fast_hadamard_a5/fast_hadamard_256_a5.cpp (the Walsh-
/// Hadamard transform, in place) and mxfp4_quant_a5/mxfp4_quant_a5.cpp. Passes stand for the
/// register code of these kernels: their time, not their values.
///
/// A round is a tile.
class TileStream final : public SteadyKernel {
  public:
    /// Throws ConfigError where the buffers do not fit into UB.
    TileStream(const config::HardwareConfig& hardware, TileStreamShape shape);

    [[nodiscard]] std::string_view name() const override { return "tile-stream"; }
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// Bytes moved between UB and GM.
    [[nodiscard]] double bytes() const;

  private:
    struct Tiles {
        std::vector<isa::Tile> in;
        std::vector<isa::Tile> out; ///< all results of a tile
    };
    void load(Script& s, const Tiles& tiles, std::int64_t turn, std::int64_t index) const;
    void work(Script& s, const isa::Tile& tile) const;
    void store(Script& s, const Tiles& tiles, std::int64_t turn, std::int64_t index) const;
    [[nodiscard]] std::int64_t result_bytes() const;
    /// Whoever waits for data that no longer fit into L2 waits for HBM.
    [[nodiscard]] bool cold() const { return spills(in_.bytes() * shape_.pool); }

    TileStreamShape shape_;
    isa::Tile in_;
    std::vector<isa::Tile> results_;
};

} // namespace npusim::kernels
