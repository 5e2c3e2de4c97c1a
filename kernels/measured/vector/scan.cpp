// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/scan.h"

#include "kernels/common/vector_tiles.h"
#include "kernels/measured/vector/queue.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// A sum of every vector core, in a block of its own.
constexpr std::int64_t kSums = 64;
/// Side of the tiles that kMostTiles counts.
constexpr std::int64_t kLargestSide = 128;

} // namespace

/// One buffer each (KernelRowScan::Init).
struct Scan::CubeQueues {
    static std::vector<Tile> square(Script& s, Memory memory, DType dtype, std::int64_t side) {
        return queue_tiles(s, memory, dtype, side, side, 1);
    }
    CubeQueues(Script& s, std::int64_t side)
        : a1(s, {Pipe::Mte2, Pipe::Mte1, 0}, square(s, Memory::L1, DType::Fp16, side)),
          b1(s, {Pipe::Mte2, Pipe::Mte1, 1}, square(s, Memory::L1, DType::Fp16, side)),
          a2(s, {Pipe::Mte1, Pipe::Cube, 0}, square(s, Memory::L0a, DType::Fp16, side)),
          b2(s, {Pipe::Mte1, Pipe::Cube, 1}, square(s, Memory::L0b, DType::Fp16, side)),
          co1(s, {Pipe::Cube, Pipe::FixPipe, 0}, square(s, Memory::L0c, DType::Fp32, side)) {}
    Queue a1;
    Queue b1;
    Queue a2;
    Queue b2;
    Queue co1;
    Tile ones{};
};

/// Those of the two phases, which use UB one after the other.
struct Scan::VectorQueues {
    static std::vector<Tile> as_halves(const std::vector<Tile>& floats) {
        std::vector<Tile> halves;
        halves.reserve(floats.size());
        for (const Tile& tile : floats) {
            halves.push_back(
                isa::dense(Memory::Ub, DType::Fp16, tile.address, tile.rows, tile.cols));
        }
        return halves;
    }
    VectorQueues(Script& s, std::int64_t rows, std::int64_t side)
        : VectorQueues(s, rows, side, queue_tiles(s, Memory::Ub, DType::Fp32, rows, side, 2)) {}
    VectorQueues(Script& s,
                 std::int64_t rows,
                 std::int64_t side,
                 const std::vector<Tile>& float_tiles)
        : halves(s, {Pipe::Mte2, Pipe::Vector, 0}, as_halves(float_tiles)),
          floats(s, {Pipe::Mte2, Pipe::Vector, 2}, float_tiles),
          sums(s,
               {Pipe::Mte2, Pipe::Vector, 4},
               queue_tiles(s, Memory::Ub, DType::Fp32, kSums, kBlockFloats, 1)),
          result(s,
                 {Pipe::Vector, Pipe::Mte3, 0},
                 queue_tiles(s, Memory::Ub, DType::Fp32, rows, side, 2)),
          sum(s,
              {Pipe::Vector, Pipe::Mte3, 2},
              queue_tiles(s, Memory::Ub, DType::Fp32, 1, kBlockFloats, 1)),
          work(s.tile(Memory::Ub, DType::Fp32, rows, side)),
          partial(s.tile(Memory::Ub, DType::Fp32, 1, ceil_div(rows * side, kBlockFloats))) {}
    Queue halves;
    Queue floats;
    Queue sums;
    Queue result;
    Queue sum;
    Tile work;
    Tile partial; ///< sums of repeats
};

Scan::Scan(const config::HardwareConfig& hardware, const ScanShape& shape)
    : SteadyKernel(hardware), shape_(shape),
      deal_(std::max<std::int64_t>(1, shape.elements / (shape.side * shape.side)), shape.ai_cores),
      per_round_(tiles_per_round(
          deal_.each, kMostTiles * kLargestSide * kLargestSide / (shape.side * shape.side))),
      piece_(std::max<std::int64_t>(1, shape.piece / (shape.side * shape.side * deal_.blocks))),
      spills_(bytes_of(DType::Fp16, std::min(shape.piece, shape.elements)) +
                  bytes_of(DType::Fp32, std::min(shape.piece, shape.elements)) >
              hardware.gm.l2_size_bytes),
      x_(add("x", Tensor::Role::Input, DType::Fp16, deal_.tiles * shape.side, shape.side)),
      ones_(add("ones", Tensor::Role::Weight, DType::Fp16, shape.side, shape.side)),
      y_(add("y", Tensor::Role::Output, DType::Fp32, deal_.tiles * shape.side, shape.side)),
      sums_(add("sums", Tensor::Role::Scratch, DType::Fp32, kSums, kBlockFloats)) {
    if (!split()) {
        throw ConfigError(fmt::format("{}: a scan needs split cores", hardware.at("composition")));
    }
}

Range Scan::Piece::of(std::int64_t index, std::int64_t parts) const {
    const std::int64_t begin = index * each;
    const std::int64_t count = std::clamp<std::int64_t>(parts * tiles - begin, 0, run);
    return {parts * first + begin, parts * first + begin + count};
}

Scan::Piece Scan::piece(std::int64_t index) const {
    const std::int64_t first = index * piece_ * deal_.blocks;
    const std::int64_t tiles = std::min(piece_ * deal_.blocks, deal_.tiles - first);
    const std::int64_t each = ceil_div(tiles, deal_.blocks);
    const std::int64_t left = limited_tiles(deal_.each, per_round_) - index * piece_;
    return {first, tiles, each, std::min(each, left)};
}

Tile Scan::half(const Tile& tensor, std::int64_t index) const {
    return tensor.block(index * half_rows(), 0, half_rows(), shape_.side);
}

void Scan::load_ones(Script& s, CubeQueues& queues) const {
    s(isa::Copy{queues.b1.alloc(), ones_, true});
    queues.b1.enque();
    const Tile b2 = queues.b2.alloc();
    s(isa::Copy{b2, queues.b1.deque()});
    queues.b1.free();
    queues.b2.enque();
    queues.ones = queues.b2.deque();
}

void Scan::scan_rows(Script& s, CubeQueues& queues, std::int64_t tile) const {
    const std::int64_t side = shape_.side;
    s(isa::Copy{queues.a1.alloc(), x_.block(tile * side, 0, side, side), true});
    queues.a1.enque();
    const Tile a2 = queues.a2.alloc();
    const Tile a1 = queues.a1.deque();
    // A load for every row of fractals (CopyL1ToL0).
    for (std::int64_t row = 0; row < side; row += isa::kTransposeSide) {
        s(isa::Copy{a2.block(row, 0, isa::kTransposeSide, side),
                    a1.block(row, 0, isa::kTransposeSide, side)});
    }
    queues.a1.free();
    queues.a2.enque();
    const Tile a = queues.a2.deque();
    s(isa::Mmad{queues.co1.alloc(), a, queues.ones});
    queues.a2.free();
    queues.co1.enque();
    s(isa::Fixpipe{y_.block(tile * side, 0, side, side), queues.co1.deque(), spills_});
    queues.co1.free();
}

/// ReduceSum of a tile into the scalar unit: repeats to one sum each, again and again.
void Scan::reduce(Script& s, VectorQueues& queues, std::int64_t index) const {
    s(isa::Copy{queues.halves.alloc(), half(x_, index)});
    queues.halves.enque();
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vcast{queues.work, queues.halves.deque()});
    queues.halves.free();
    const std::int64_t repeat = slice_floats(hardware());
    Tile from = queues.work;
    for (std::int64_t left = from.rows * from.cols; left > 1;) {
        const std::int64_t sums = ceil_div(left, repeat);
        s.barrier(Pipe::Vector);
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vcadd{shaped(queues.partial, 1, sums), shaped(from, sums, std::min(left, repeat))});
        from = queues.partial;
        left = sums;
    }
    s.order(Pipe::Vector, Pipe::Scalar);
    s.scalar(QueueCode::kGetValue);
    s(isa::ScalarLoad{queues.partial.block(0, 0, 1, 1)});
}

void Scan::store_sum(Script& s, VectorQueues& queues, std::int64_t block) const {
    s.scalar(QueueCode::kVectorCall);
    s(isa::Vdup{queues.sum.alloc(), 0});
    queues.sum.enque();
    s(isa::Copy{sums_.block(block, 0, 1, kBlockFloats), queues.sum.deque()});
    queues.sum.free();
}

void Scan::sum_before(Script& s, VectorQueues& queues, std::int64_t block) const {
    s(isa::Copy{queues.sums.alloc(), sums_});
    queues.sums.enque();
    const Tile sums = queues.sums.deque();
    s.order(Pipe::Mte2, Pipe::Scalar);
    for (std::int64_t i = 0; i < block; ++i) {
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{sums.block(i, 0, 1, 1)});
    }
    queues.sums.free();
}

void Scan::complete(Script& s, VectorQueues& queues, std::int64_t index) const {
    s(isa::Copy{queues.floats.alloc(), half(y_, index), spills_});
    queues.floats.enque();
    s(move(queues.work, queues.floats.deque()));
    queues.floats.free();
    for (std::int64_t r = 0; r < half_rows(); ++r) {
        const Tile row = queues.work.block(r, 0, 1, shape_.side);
        s.scalar(QueueCode::kVectorCall);
        s(isa::Vadds{{row, row}, 0});
        s.order(Pipe::Vector, Pipe::Scalar);
        s.scalar(QueueCode::kGetValue);
        s(isa::ScalarLoad{row.block(0, 0, 1, 1)});
    }
    s(move(queues.result.alloc(), queues.work));
    queues.result.enque();
    s(isa::Copy{half(y_, index), queues.result.deque(), spills_});
    queues.result.free();
}

isa::Program Scan::cube_program(isa::CoreId core) const {
    Script s(hardware(), core);
    s.scalar(QueueCode::kStart);
    CubeQueues queues(s, shape_.side);
    const bool works = core.ai_core < deal_.blocks;
    if (works) {
        load_ones(s, queues);
    }
    for (std::int64_t index = 0; index < pieces(); ++index) {
        const Range mine = piece(index).of(core.ai_core, 1);
        for (std::int64_t tile = mine.begin; tile < mine.end; ++tile) {
            scan_rows(s, queues, tile);
            co_yield s.block();
        }
        if (shape_.rows_only) {
            continue;
        }
        s.barrier_all();
        s.sync_all();
        if (index + 1 < pieces()) {
            s.sync_all();
        }
        co_yield s.block();
    }
    if (works) {
        queues.b2.free();
    }
    for (Queue* queue : {&queues.a1, &queues.b1, &queues.a2, &queues.b2, &queues.co1}) {
        queue->close();
    }
    co_yield s.block();
}

isa::Program Scan::vector_program(isa::CoreId core) const {
    if (shape_.rows_only) {
        co_return;
    }
    Script s(hardware(), core);
    const std::int64_t lanes = hardware().vector_cores;
    const std::int64_t block = core.ai_core * lanes + core.unit - 1;
    s.scalar(QueueCode::kStart);
    VectorQueues queues(s, half_rows(), shape_.side);
    for (std::int64_t index = 0; index < pieces(); ++index) {
        const Range mine = piece(index).of(block, 2);
        for (std::int64_t item = mine.begin; item < mine.end; ++item) {
            reduce(s, queues, item);
            co_yield s.block();
        }
        if (mine.size() > 0) {
            store_sum(s, queues, block);
        }
        s.barrier_all();
        s.sync_all();
        if (mine.size() > 0) {
            sum_before(s, queues, block);
        }
        for (std::int64_t item = mine.begin; item < mine.end; ++item) {
            complete(s, queues, item);
            co_yield s.block();
        }
        if (index + 1 < pieces()) {
            s.barrier_all();
            s.sync_all();
        }
        co_yield s.block();
    }
    for (Queue* queue :
         {&queues.halves, &queues.floats, &queues.sums, &queues.result, &queues.sum}) {
        queue->close();
    }
    co_yield s.block();
}

isa::Program Scan::program(isa::CoreId core) const {
    return core.unit == 0 ? cube_program(core) : vector_program(core);
}

} // namespace npusim::kernels
