// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/convolution/img2col_conv.h"

#include "kernels/common/stream.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kChannels = 16; ///< of a block: c0
constexpr std::int64_t kTaps = 9;      ///< of the filter
constexpr std::int64_t kBaseM = 128;
constexpr std::int64_t kBaseN = 256;
constexpr std::int64_t kBaseK = 48;
constexpr std::int64_t kSlices = 3; ///< stepKa, stepKb: of a block of channels
constexpr DType kStored = DType::Fp16;

} // namespace

Img2colConv::Img2colConv(const config::HardwareConfig& hardware, const Img2colConvShape& shape)
    : SteadyKernel(hardware), shape_(shape),
      map_(add("map",
               Tensor::Role::Input,
               kStored,
               shape.batch * shape.channel_blocks * shape.height * shape.width,
               kChannels)),
      filter_(add("filter",
                  Tensor::Role::Weight,
                  kStored,
                  shape.channel_blocks * kTaps,
                  shape.outputs * kChannels)),
      out_(add("out",
               Tensor::Role::Output,
               kStored,
               shape.batch * shape.height * shape.width,
               shape.outputs)) {
    if (hardware.ai_cores % shape.batch != 0 ||
        columns() * (hardware.ai_cores / shape.batch) != shape.outputs) {
        throw ConfigError(
            fmt::format("{} outputs and {} images on {} cores (allowed: as many columns "
                        "and images for each)",
                        shape.outputs,
                        shape.batch,
                        hardware.ai_cores));
    }
}

double Img2colConv::flops() const {
    return 2.0 * static_cast<double>(out_.rows) * static_cast<double>(out_.cols) *
           static_cast<double>(filter_.rows * kChannels);
}

std::int64_t Img2colConv::columns() const {
    return shape_.outputs * shape_.batch / hardware().ai_cores;
}

/// Rows of [width] of the feature map that 128 outputs in a row need.
std::int64_t Img2colConv::map_rows() const {
    return std::min(ceil_div(kBaseM, shape_.width) + 2, shape_.height);
}

std::int64_t Img2colConv::rounds() const {
    return ceil_div(shape_.height * shape_.width, kBaseM) * ceil_div(columns(), kBaseN);
}

Img2colConv::Tiles Img2colConv::allocate(Script& s) const {
    Tiles tiles;
    for (std::size_t i = 0; i < 2; ++i) {
        tiles.map[i] = s.tile(Memory::L1, kStored, map_rows() * shape_.width, kChannels);
        tiles.filter[i] = s.tile(Memory::L1, kStored, kTaps, kBaseN * kChannels);
        tiles.left[i] = s.tile(Memory::L0a, kStored, kBaseM, kBaseK);
        tiles.right[i] = s.tile(Memory::L0b, kStored, kBaseK, kBaseN);
    }
    tiles.sum = s.tile(Memory::L0c, DType::Fp32, kBaseM, kBaseN);
    return tiles;
}

Img2colConv::Place Img2colConv::place(std::int64_t core, std::int64_t round) const {
    const std::int64_t parts = hardware().ai_cores / shape_.batch;
    const std::int64_t across = ceil_div(columns(), kBaseN);
    Place place;
    place.blocks_before = round * shape_.channel_blocks;
    place.image = core / parts;
    place.row = round / across * kBaseM;
    place.rows = std::min(kBaseM, shape_.height * shape_.width - place.row);
    place.col = core % parts * columns() + round % across * kBaseN;
    place.first_rows = round < across;
    place.first_columns = round % across == 0;
    return place;
}

/// Block `block` of channels and its rows of the filter.
void Img2colConv::load(Script& s,
                       const Tiles& tiles,
                       const Place& place,
                       std::int64_t block) const {
    const auto slot = static_cast<std::int32_t>((place.blocks_before + block) % 2);
    const Tile& map = tiles.map[static_cast<std::size_t>(slot)];
    const std::int64_t plane = place.image * shape_.channel_blocks + block;
    const std::int64_t line =
        std::min(place.row / shape_.width, shape_.height - map_rows()) * shape_.width;
    s.wait(Pipe::Mte1, Pipe::Mte2, slot);
    s(isa::Copy{map,
                map_.block(plane * shape_.height * shape_.width + line, 0, map.rows, kChannels),
                place.first_columns});
    s.set(Pipe::Mte2, Pipe::Mte1, 0);
    s(isa::Copy{tiles.filter[static_cast<std::size_t>(slot)],
                filter_.block(block * kTaps, place.col * kChannels, kTaps, kBaseN * kChannels),
                place.first_rows});
    s.set(Pipe::Mte2, Pipe::Mte1, 1);
}

void Img2colConv::multiply(Script& s,
                           const Tiles& tiles,
                           const Place& place,
                           std::int64_t block,
                           std::int64_t slice) const {
    const auto slot = static_cast<std::int32_t>((place.blocks_before + block) % 2);
    const std::int64_t step = block * kSlices + slice;
    const auto turn = static_cast<std::int32_t>((place.blocks_before * kSlices + step) % 2);
    const Tile left = shaped(tiles.left[static_cast<std::size_t>(turn)], place.rows, kBaseK);
    const Tile& right = tiles.right[static_cast<std::size_t>(turn)];
    s.wait(Pipe::Cube, Pipe::Mte1, turn);
    if (slice == 0) {
        s.wait(Pipe::Mte2, Pipe::Mte1, 0);
    }
    // A row of the left operand: the channels of three pixels, one pixel on from the row before.
    Tile pixels = shaped(tiles.map[static_cast<std::size_t>(slot)], place.rows, kBaseK);
    pixels.stride_bytes = bytes_of(kStored, kChannels);
    s(isa::Copy{left, pixels});
    if (slice == 0) {
        s.wait(Pipe::Mte2, Pipe::Mte1, 1);
    }
    s(isa::Copy{right, shaped(tiles.filter[static_cast<std::size_t>(slot)], kBaseK, kBaseN)});
    if (slice + 1 == kSlices) {
        s.set(Pipe::Mte1, Pipe::Mte2, slot);
    }
    s.order(Pipe::Mte1, Pipe::Cube, turn);
    s(isa::Mmad{shaped(tiles.sum, place.rows, kBaseN), left, right, step > 0});
    s.set(Pipe::Cube, Pipe::Mte1, turn);
}

void Img2colConv::store(Script& s, const Tiles& tiles, const Place& place) const {
    s.order(Pipe::Cube, Pipe::FixPipe);
    const Tile to = out_.block(place.image * shape_.height * shape_.width + place.row,
                               std::min(place.col, out_.cols - kBaseN),
                               place.rows,
                               kBaseN);
    s(isa::Fixpipe{to, shaped(tiles.sum, place.rows, kBaseN), true});
    s.order(Pipe::FixPipe, Pipe::Cube);
}

isa::Program Img2colConv::program(isa::CoreId core) const {
    const auto worker = cube_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Script s(hardware(), core);
    const Tiles tiles = allocate(s);
    for (std::int32_t i = 0; i < 2; ++i) {
        s.set(Pipe::Mte1, Pipe::Mte2, i);
        s.set(Pipe::Cube, Pipe::Mte1, i);
    }
    for (std::int64_t round = 0; round < limited(rounds()); ++round) {
        const Place at = place(worker->index, round);
        for (std::int64_t block = 0; block < shape_.channel_blocks; ++block) {
            load(s, tiles, at, block);
            for (std::int64_t slice = 0; slice < kSlices; ++slice) {
                multiply(s, tiles, at, block, slice);
            }
            co_yield s.block();
        }
        store(s, tiles, at);
        co_yield s.block();
    }
    for (std::int32_t i = 0; i < 2; ++i) {
        s.wait(Pipe::Mte1, Pipe::Mte2, i);
        s.wait(Pipe::Cube, Pipe::Mte1, i);
    }
    co_yield s.block();
}

} // namespace npusim::kernels
