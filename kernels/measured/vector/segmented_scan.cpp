// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/segmented_scan.h"

#include "kernels/common/vector_tiles.h"
#include "kernels/measured/vector/queue.h"
#include "sim/base/error.h"

#include <cmath>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Cross-core flags.
constexpr std::int32_t kTileScanned = 0;
constexpr std::int32_t kTileTaken = 1;

/// A call and the op it issues.
template <class Op> void call(Script& s, Op op) {
    s.scalar(QueueCode::kVectorCall);
    s(std::move(op));
}

} // namespace

/// A row each, in UB.
struct SegmentedScan::Buffers {
    Buffers(Script& s, std::int64_t side)
        : value(s.tile(Memory::Ub, DType::Fp32, 1, side)),
          flag(s.tile(Memory::Ub, DType::Fp32, 1, side)),
          result(s.tile(Memory::Ub, DType::Fp32, 1, side)),
          half(s.tile(Memory::Ub, DType::Fp16, 1, side)),
          wide(s.tile(Memory::Ub, DType::Fp32, 1, side)),
          sum(s.tile(Memory::Ub, DType::Fp32, 1, kBlockFloats)) {}
    Tile value;
    Tile flag;
    Tile result;
    Tile half;
    Tile wide;
    Tile sum;
};

SegmentedScan::SegmentedScan(const config::HardwareConfig& hardware,
                             const SegmentedScanShape& shape)
    : SteadyKernel(hardware), shape_(shape),
      rows_(ceil_div(shape.elements, shape.side * shape.side) * shape.side),
      x_(add("x", Tensor::Role::Input, DType::Fp16, rows_, shape.side)),
      flags_(add("flags", Tensor::Role::Input, DType::Fp16, rows_, shape.side)),
      ones_(add("ones", Tensor::Role::Weight, DType::Fp16, shape.side, shape.side)),
      scan_(add("scan", Tensor::Role::Scratch, DType::Fp32, rows_, shape.side)),
      flag_scan_(add("flag_scan", Tensor::Role::Scratch, DType::Fp32, rows_, shape.side)),
      y_(add("y", Tensor::Role::Output, DType::Fp32, rows_, shape.side)) {
    if (!split()) {
        throw ConfigError(
            fmt::format("{}: a segmented scan needs split cores", hardware.at("composition")));
    }
}

void SegmentedScan::scan(Script& s, const Tile& from, const Tile& to) const {
    const std::int64_t side = shape_.side;
    const Tile a1 = isa::dense(Memory::L1, DType::Fp16, 0, side, side);
    const Tile a2 = isa::dense(Memory::L0a, DType::Fp16, 0, side, side);
    const Tile b2 = isa::dense(Memory::L0b, DType::Fp16, 0, side, side);
    const Tile c = isa::dense(Memory::L0c, DType::Fp32, 0, side, side);
    s(isa::Copy{a1, from, true});
    s.order(Pipe::Mte2, Pipe::Mte1);
    s(isa::Copy{a2, a1});
    s.order(Pipe::Mte1, Pipe::Cube);
    s(isa::Mmad{c, a2, b2});
    s.order(Pipe::Cube, Pipe::FixPipe);
    s(isa::Fixpipe{to, c});
    s.barrier_all();
}

isa::Program SegmentedScan::cube_program(isa::CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t side = shape_.side;
    s.scalar(QueueCode::kStart);
    const Tile b1 = isa::dense(Memory::L1, DType::Fp16, 0, side, side);
    s(isa::Copy{b1, ones_, true});
    s.order(Pipe::Mte2, Pipe::Mte1);
    s(isa::Copy{isa::dense(Memory::L0b, DType::Fp16, 0, side, side), b1});
    s.barrier_all();
    for (std::int64_t row = 0; row < limited(rows_); row += side) {
        scan(s, x_.block(row, 0, side, side), scan_.block(row, 0, side, side));
        scan(s, flags_.block(row, 0, side, side), flag_scan_.block(row, 0, side, side));
        s.to_vectors(Pipe::FixPipe, kTileScanned);
        s.from_vectors(kTileTaken);
        co_yield s.block();
    }
}

/// GetStartIndexOfSegment and GetDelta: count the flags below the segment's number, read the count
/// and then the element before it.
void SegmentedScan::find_start(Script& s, const Buffers& b) const {
    call(s, isa::Vadds{{b.wide, b.flag}}); // int32 to float
    call(s, isa::Vcast{b.half, b.wide});
    call(s, isa::Vdup{b.wide, 0});
    call(s, isa::Vmuls{{b.half, b.half}, -1});
    call(s, isa::Vadds{{b.half, b.half}, 0});
    s.barrier(Pipe::Vector);
    call(s, move(b.half, b.half)); // not
    call(s, move(b.half, b.half)); // shift right
    s.barrier(Pipe::Vector);
    call(s, isa::Vadds{{b.half, b.half}}); // int16 to half
    call(s, isa::Vcast{b.wide, b.half});
    s.barrier(Pipe::Vector);
    const std::int64_t repeat = slice_floats(hardware());
    const std::int64_t sums = ceil_div(shape_.side, repeat);
    call(s, isa::Vcadd{shaped(b.sum, 1, sums), shaped(b.wide, sums, shape_.side / sums)});
    if (sums > 1) {
        call(s, isa::Vcadd{shaped(b.sum, 1, 1), shaped(b.sum, 1, sums)});
    }
    s.order(Pipe::Vector, Pipe::Scalar);
    s.scalar(QueueCode::kGetValue);
    s(isa::ScalarLoad{b.sum.block(0, 0, 1, 1)});
    s.barrier(Pipe::Vector);
    s.scalar(QueueCode::kGetValue);
    s(isa::ScalarLoad{b.result.block(0, 0, 1, 1)});
    s.barrier(Pipe::Vector);
}

/// FixSpecInPlace: result -= (flag == segment) * delta.
void SegmentedScan::revert(Script& s, const Buffers& b) const {
    call(s, isa::Vcast{b.half, b.flag});   // int32 to int16
    call(s, isa::Vadds{{b.half, b.half}}); // int16 to half
    call(s, isa::Vadds{{b.half, b.half}, 0});
    call(s, move(b.half, b.half)); // not
    call(s, move(b.half, b.half)); // shift right
    s.barrier(Pipe::Vector);
    call(s, isa::Vadds{{b.half, b.half}}); // int16 to half
    call(s, isa::Vcast{b.wide, b.half});
    call(s, isa::Vmuls{{b.wide, b.wide}, 0});
    call(s, isa::Vsub{{b.result, b.result, b.wide}});
    s.barrier(Pipe::Vector);
}

isa::Program SegmentedScan::vector_program(isa::CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t side = shape_.side;
    const bool works = s.lane() == 0; // the other vector core only takes part in the hand-shake
    s.scalar(QueueCode::kStart);
    const Buffers b(s, side);
    const auto segments =
        static_cast<std::int64_t>(std::lround(shape_.segments * static_cast<double>(side)));
    for (std::int64_t row = 0; row < limited(rows_); ++row) {
        if (row % side == 0) {
            s.from_cube(kTileScanned);
            s.to_cube(Pipe::Mte3, kTileTaken);
        }
        if (!works) {
            co_yield s.block();
            continue;
        }
        s.scalar(std::int64_t{3} * 4 * QueueCode::kQueueCall); // three queues
        s(isa::Copy{b.value, scan_.block(row, 0, 1, side)});
        s(isa::Copy{b.flag, flag_scan_.block(row, 0, 1, side)});
        s.order(Pipe::Mte2, Pipe::Vector);
        s.order(Pipe::Mte2, Pipe::Scalar);
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{b.flag.block(0, 0, 1, 1)});
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{b.flag.block(0, 0, 1, 1)});
        call(s, isa::Vadds{{b.result, b.value}, 0});
        s.barrier(Pipe::Vector);
        for (std::int64_t segment = 0; segment < segments; ++segment) {
            find_start(s, b);
            revert(s, b);
            co_yield s.block();
        }
        s.order(Pipe::Vector, Pipe::Scalar);
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{b.result.block(0, 0, 1, 1)});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{y_.block(row, 0, 1, side), b.result});
        s.order(Pipe::Mte3, Pipe::Vector);
        s.order(Pipe::Vector, Pipe::Mte2);
        co_yield s.block();
    }
}

isa::Program SegmentedScan::program(isa::CoreId core) const {
    if (core.ai_core != 0) {
        return {};
    }
    return core.unit == 0 ? cube_program(core) : vector_program(core);
}

} // namespace npusim::kernels
