// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// A feature map [batch, channel_blocks, height, width, 16] and a 3x3 filter to `outputs` channels,
/// both in fp16; stride 1, padded by 1.
struct Img2colConvShape {
    std::int64_t batch = 1;
    std::int64_t channel_blocks = 1;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::int64_t outputs = 0;
};

/// A convolution as a product [height * width, 9 * 16 * channel_blocks] x [.., outputs], whose left
/// operand is unfolded on the way from L1 to L0A. hw-native-sys/pto-isa, kernels/manual/a2a3/
/// conv2d_forward: an image of the batch for 1/batch of the cores, a part of the outputs for each
/// of those; tiles of 128 x 256, 48 along k, three of which (a block of channels) come to L1 at
/// once; two of everything in turn, one sum. Flags are those of the source.
///
/// A round is a tile of the result. All three rows of the filter see the first of their rows of the
/// feature map, without its padding: outputs have the right time, not the right values.
class Img2colConv final : public SteadyKernel {
  public:
    /// Throws ConfigError unless every core gets a whole number of tiles' columns.
    Img2colConv(const config::HardwareConfig& hardware, const Img2colConvShape& shape);

    [[nodiscard]] std::string_view name() const override { return "img2col-conv"; }
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] double flops() const override;

  private:
    struct Tiles {
        std::array<isa::Tile, 2> map;
        std::array<isa::Tile, 2> filter;
        std::array<isa::Tile, 2> left;
        std::array<isa::Tile, 2> right;
        isa::Tile sum;
    };
    /// A tile of the result.
    struct Place {
        std::int64_t blocks_before = 0; ///< of channels, of this core
        std::int64_t image = 0;
        std::int64_t row = 0;
        std::int64_t rows = 0;
        std::int64_t col = 0;
        bool first_rows = false;    ///< of its columns: the filter is not in L2 yet
        bool first_columns = false; ///< of its rows: the feature map is not in L2 yet
    };

    Tiles allocate(Script& s) const;
    [[nodiscard]] std::int64_t columns() const; ///< of a core
    [[nodiscard]] std::int64_t map_rows() const;
    [[nodiscard]] Place place(std::int64_t core, std::int64_t round) const;
    void load(Script& s, const Tiles& tiles, const Place& place, std::int64_t block) const;
    void multiply(Script& s,
                  const Tiles& tiles,
                  const Place& place,
                  std::int64_t block,
                  std::int64_t slice) const;
    void store(Script& s, const Tiles& tiles, const Place& place) const;

    Img2colConvShape shape_;
    isa::Tile map_;
    isa::Tile filter_;
    isa::Tile out_;
};

} // namespace npusim::kernels
