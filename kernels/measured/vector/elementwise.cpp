// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/elementwise.h"

#include "kernels/common/vector_tiles.h"
#include "kernels/measured/vector/queue.h"

#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Scalar cycles of a row of DivideRows beside its two calls and the read: offsets of three tensors
/// and the length of the segment. From the scalar unit's busy share in the measured
/// divisions, 91 to 97 cycles a row.
constexpr std::int64_t kRowCode = 24;

} // namespace

ElementwiseKernel::ElementwiseKernel(const config::HardwareConfig& hardware,
                                     const ElementwiseShape& shape)
    : SteadyKernel(hardware), shape_(shape),
      deal_(ceil_div(shape.elements, shape.tile), shape.blocks),
      per_round_(tiles_per_round(deal_.each, kMostTiles)) {
    for (std::int64_t i = 0; i < inputs(); ++i) {
        const bool divisors = divides() && i == 1;
        x_.push_back(add(fmt::format("x{}", i + 1),
                         Tensor::Role::Input,
                         shape.dtype,
                         deal_.tiles,
                         divisors ? shape.tile / shape.row : shape.tile));
    }
    y_ = add("y", Tensor::Role::Output, shape.dtype, deal_.tiles, shape.tile);
}

bool ElementwiseKernel::divides() const {
    return shape_.function == Elementwise::DivideRows || shape_.function == Elementwise::DivideTile;
}

std::int64_t ElementwiseKernel::inputs() const {
    switch (shape_.function) {
    case Elementwise::Copy:
    case Elementwise::Staged:
    case Elementwise::Relu:
        return 1;
    case Elementwise::Mul:
    case Elementwise::Add:
    case Elementwise::DivideRows:
    case Elementwise::DivideTile:
        return 2;
    case Elementwise::AddFour:
        return 4;
    }
    return 0;
}

std::vector<Queue> ElementwiseKernel::input_queues(Script& s) const {
    std::vector<Queue> in;
    // A copy hands its tile straight on to MTE3.
    const Pipe user = shape_.function == Elementwise::Copy ? Pipe::Mte3 : Pipe::Vector;
    for (const Tile& x : x_) {
        in.emplace_back(s,
                        Queue::Ends{Pipe::Mte2,
                                    user,
                                    static_cast<std::int32_t>(std::ssize(in) * shape_.buffers)},
                        queue_tiles(s, Memory::Ub, shape_.dtype, 1, x.cols, shape_.buffers));
    }
    return in;
}

void ElementwiseKernel::load(Script& s, std::vector<Queue>& in, std::int64_t tile) const {
    for (std::size_t i = 0; i < in.size(); ++i) {
        s(isa::Copy{in[i].alloc(), x_[i].block(tile, 0, 1, x_[i].cols), shape_.cold});
        in[i].enque();
    }
}

void ElementwiseKernel::divide(Script& s, const Tile& y, const Tile& x, const Tile& by) const {
    s.order(Pipe::Mte2, Pipe::Scalar);
    for (std::int64_t r = 0; r < shape_.tile / shape_.row; ++r) {
        const Tile row = y.block(0, r * shape_.row, 1, shape_.row);
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{by.block(0, 0, 1, 1)});
        s.scalar(kRowCode + QueueCode::kVectorCall);
        s(isa::Vdup{row, 1});
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vdiv{{row, x.block(0, r * shape_.row, 1, shape_.row), row}});
    }
}

void ElementwiseKernel::divide_tile(
    Script& s, const Tile& y, const Tile& x, const Tile& by, const Tile& wide) const {
    const Tile dividend = wide.block(0, 0, 1, shape_.tile);
    const Tile divisor = wide.block(1, 0, 1, shape_.tile);
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vcast{dividend, x});
    s.order(Pipe::Mte2, Pipe::Scalar);
    for (std::int64_t r = 0; r < shape_.tile / shape_.row; ++r) {
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{by.block(0, 0, 1, 1)});
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vdup{divisor.block(0, r * shape_.row, 1, shape_.row), 1});
    }
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vdiv{{dividend, dividend, divisor}});
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vcast{y, dividend});
}

void ElementwiseKernel::compute(Script& s,
                                std::vector<Queue>& in,
                                Queue& out,
                                const Tile& wide) const {
    std::vector<Tile> x;
    x.reserve(in.size());
    for (Queue& queue : in) {
        x.push_back(queue.deque());
    }
    const Tile y = out.alloc();
    const auto call = [&](const auto& op) {
        s.scalar(QueueCode::kVectorCall);
        s(op);
    };
    switch (shape_.function) {
    case Elementwise::Copy:
        break;
    case Elementwise::Staged:
        call(move(y, x[0]));
        break;
    case Elementwise::Relu:
        call(isa::Vmaxs{{y, x[0]}, 0});
        break;
    case Elementwise::Mul:
        call(isa::Vmul{{y, x[0], x[1]}});
        break;
    case Elementwise::Add:
        call(isa::Vadd{{y, x[0], x[1]}});
        break;
    case Elementwise::AddFour:
        call(isa::Vadd{{y, x[0], x[1]}});
        call(isa::Vadd{{y, y, x[2]}});
        call(isa::Vadd{{y, y, x[3]}});
        break;
    case Elementwise::DivideRows:
        divide(s, y, x[0], x[1]);
        break;
    case Elementwise::DivideTile:
        divide_tile(s, y, x[0], x[1], wide);
        break;
    }
    out.enque();
    for (Queue& queue : in) {
        queue.free();
    }
}

void ElementwiseKernel::store(Script& s, Queue& out, std::int64_t tile) const {
    s(isa::Copy{y_.block(tile, 0, 1, shape_.tile), out.deque(), shape_.cold});
    out.free();
}

isa::Program ElementwiseKernel::program(isa::CoreId core) const {
    const std::int64_t block = vector_block(hardware(), core, deal_.blocks);
    if (block < 0) {
        co_return;
    }
    Script s(hardware(), core);
    s.scalar(shape_.start);
    std::vector<Queue> in = input_queues(s);
    const bool copies = shape_.function == Elementwise::Copy;
    Queue out(
        s,
        {Pipe::Vector, Pipe::Mte3, 0},
        queue_tiles(
            s, Memory::Ub, shape_.dtype, 1, copies ? 1 : shape_.tile, copies ? 1 : shape_.buffers));
    const Tile wide = shape_.function == Elementwise::DivideTile
                          ? s.tile(Memory::Ub, DType::Fp32, 2, shape_.tile)
                          : Tile{};
    const std::int64_t first = block * deal_.each;
    const std::int64_t mine = limited_tiles(deal_.of(block), per_round_);
    for (std::int64_t i = 0; i < mine; ++i) {
        load(s, in, first + i);
        if (copies) {
            store(s, in.front(), first + i);
        } else {
            compute(s, in, out, wide);
            store(s, out, first + i);
        }
        co_yield s.block();
    }
    for (Queue& queue : in) {
        queue.close();
    }
    out.close();
    co_yield s.block();
}

} // namespace npusim::kernels
