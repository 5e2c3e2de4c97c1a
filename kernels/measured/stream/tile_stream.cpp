// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/stream/tile_stream.h"

#include "kernels/common/stream.h"

#include <numeric>
#include <string>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

namespace {

std::int32_t slot_of(std::int64_t turn, std::int64_t buffers) {
    return static_cast<std::int32_t>(turn % buffers);
}

} // namespace

TileStream::TileStream(const config::HardwareConfig& hardware, TileStreamShape shape)
    : SteadyKernel(hardware), shape_(std::move(shape)),
      in_(add("in",
              shape_.in_place ? Tensor::Role::State : Tensor::Role::Input,
              DType::Int8,
              shape_.tiles,
              shape_.tile_bytes)) {
    for (const std::int64_t bytes : shape_.results) {
        const std::string name = "result" + std::to_string(results_.size());
        results_.push_back(shape_.in_place
                               ? in_
                               : add(name, Tensor::Role::Output, DType::Int8, shape_.tiles, bytes));
    }
}

std::int64_t TileStream::result_bytes() const {
    return std::accumulate(shape_.results.begin(), shape_.results.end(), std::int64_t{0});
}

double TileStream::bytes() const {
    return static_cast<double>(shape_.tiles * (shape_.tile_bytes + result_bytes()));
}

std::int64_t TileStream::rounds() const {
    return ceil_div(shape_.tiles, vector_workers(hardware()));
}

void TileStream::load(Script& s, const Tiles& tiles, std::int64_t turn, std::int64_t index) const {
    const std::int32_t slot = slot_of(turn, shape_.buffers);
    s.wait(Pipe::Mte3, Pipe::Mte2, slot);
    s(isa::Copy{
        tiles.in[static_cast<std::size_t>(slot)], in_.block(index, 0, 1, in_.cols), cold()});
    s.set(Pipe::Mte2, Pipe::Vector, slot);
}

void TileStream::work(Script& s, const Tile& tile) const {
    const Tile values = isa::dense(Memory::Ub, DType::Fp16, tile.address, 1, tile.cols / 2);
    const Tile low = values.block(0, 0, 1, values.cols / 2);
    const Tile high = values.block(0, values.cols / 2, 1, values.cols / 2);
    if (shape_.passes.scalar > 0) {
        s.order(Pipe::Vector, Pipe::Scalar);
        s.scalar(shape_.passes.scalar);
    }
    for (std::int64_t i = 0; i < shape_.passes.butterflies; ++i) {
        s(isa::Vadd{{values, values, values}});
    }
    for (std::int64_t i = 0; i < shape_.passes.rotations; ++i) {
        s(isa::Vmuls{{low, high}});
    }
    for (std::int64_t i = 0; i < shape_.passes.whole; ++i) {
        s(isa::Vmuls{{values, values}});
    }
}

void TileStream::store(Script& s, const Tiles& tiles, std::int64_t turn, std::int64_t index) const {
    const std::int32_t slot = slot_of(turn, shape_.buffers);
    const Tile& from = shape_.in_place || shape_.results.empty()
                           ? tiles.in[static_cast<std::size_t>(slot)]
                           : tiles.out[static_cast<std::size_t>(slot)];
    std::int64_t at = 0;
    for (const Tile& result : results_) {
        s(isa::Copy{
            result.block(index, 0, 1, result.cols), from.block(0, at, 1, result.cols), cold()});
        at += result.cols;
    }
    s.set(Pipe::Mte3, Pipe::Mte2, slot);
}

isa::Program TileStream::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Script s(hardware(), core);
    Tiles tiles;
    for (std::int64_t i = 0; i < shape_.buffers; ++i) {
        tiles.in.push_back(s.tile(Memory::Ub, DType::Int8, 1, shape_.tile_bytes));
        if (!shape_.in_place && !shape_.results.empty()) {
            tiles.out.push_back(s.tile(Memory::Ub, DType::Int8, 1, result_bytes()));
        }
        s.set(Pipe::Mte3, Pipe::Mte2, slot_of(i, shape_.buffers));
    }
    // Tiles worker, worker + workers..
    const std::int64_t own = limited(share_in_turn(shape_.tiles, worker->count, worker->index));
    const auto index = [&](std::int64_t turn) { return worker->index + turn * worker->count; };
    for (std::int64_t turn = 0; turn < std::min(shape_.prefetch, own); ++turn) {
        load(s, tiles, turn, index(turn));
    }
    for (std::int64_t turn = 0; turn < own; ++turn) {
        if (turn + shape_.prefetch < own) {
            load(s, tiles, turn + shape_.prefetch, index(turn + shape_.prefetch));
        }
        const std::int32_t slot = slot_of(turn, shape_.buffers);
        s.scalar(shape_.tile_code);
        s.wait(Pipe::Mte2, Pipe::Vector, slot);
        work(s, tiles.in[static_cast<std::size_t>(slot)]);
        s.order(Pipe::Vector, Pipe::Mte3, slot);
        store(s, tiles, turn, index(turn));
        co_yield s.block();
    }
    for (std::int64_t i = 0; i < shape_.buffers; ++i) {
        s.wait(Pipe::Mte3, Pipe::Mte2, slot_of(i, shape_.buffers));
    }
    co_yield s.block();
}

} // namespace npusim::kernels
