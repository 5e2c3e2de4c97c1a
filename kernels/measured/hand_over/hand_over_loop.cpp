// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/hand_over/hand_over_loop.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kTileSize = 128; ///< TILE_SIZE of the source
constexpr std::int32_t kToVectors = 0;
constexpr std::int32_t kToCube = 1;

/// L1 and L0 of the cube core.
struct CubeTiles {
    explicit CubeTiles(Script& s)
        : constant(s.tile(Memory::L1, DType::Fp16, kTileSize, kTileSize)),
          input(s.tile(Memory::L1, DType::Fp16, kTileSize, kTileSize)),
          left(s.tile(Memory::L0a, DType::Fp16, kTileSize, kTileSize)),
          right(s.tile(Memory::L0b, DType::Fp16, kTileSize, kTileSize)),
          sum(s.tile(Memory::L0c,
                     s.hardware().cube_format(DType::Fp16).accumulator,
                     kTileSize,
                     kTileSize)) {}
    Tile constant;
    Tile input;
    Tile left;
    Tile right;
    Tile sum;
};

void load_constant(Script& s, const CubeTiles& t, const Tile& b) {
    s(isa::Copy{t.constant, b, true});
    s.order(Pipe::Mte2, Pipe::Mte1);
    s(isa::Copy{t.right, t.constant});
    s.order(Pipe::Mte1, Pipe::Cube);
}

/// What is in `t.input` times the constant.
void multiply(Script& s, const CubeTiles& t) {
    s.order(Pipe::Mte2, Pipe::Mte1);
    s(isa::Copy{t.left, t.input});
    s.order(Pipe::Mte1, Pipe::Cube);
    s(isa::Mmad{t.sum, t.left, t.right, false});
}

} // namespace

HandOverLoop::HandOverLoop(const config::HardwareConfig& hardware, const HandOverPlan& plan)
    : SteadyKernel(hardware), plan_(plan),
      a_(add(
          "a", Tensor::Role::Input, DType::Fp16, plan.rounds * plan.cores * kTileSize, kTileSize)),
      b_(add("b", Tensor::Role::Weight, DType::Fp16, kTileSize, kTileSize)),
      c_(add(
          "c", Tensor::Role::Output, DType::Fp16, plan.rounds * plan.cores * kTileSize, kTileSize)),
      d_(add(
          "d", Tensor::Role::Input, DType::Fp16, plan.rounds * plan.cores * kTileSize, kTileSize)),
      workspace_(add("workspace",
                     Tensor::Role::Scratch,
                     DType::Fp16,
                     (plan.separate ? plan.rounds : plan.slots) * plan.cores * kTileSize,
                     kTileSize)) {}

double HandOverLoop::workspace_bytes() const {
    constexpr double kTileBytes = 2.0 * kTileSize * kTileSize;
    return 2 * kTileBytes * static_cast<double>(plan_.cores * plan_.rounds);
}

double HandOverLoop::tensor_bytes() const {
    return static_cast<double>(a_.bytes() + c_.bytes() + d_.bytes() + b_.bytes());
}

Tile HandOverLoop::share(const Tile& tile, isa::CoreId core) const {
    if (core.unit == 0) {
        return tile;
    }
    const std::int64_t rows = kTileSize / hardware().vector_cores;
    return tile.block((core.unit - 1) * rows, 0, rows, kTileSize);
}

Tile HandOverLoop::block(const Tile& tensor, isa::CoreId core, std::int64_t round) const {
    const std::int64_t row = (round * plan_.cores + core.ai_core) * kTileSize;
    return share(tensor.block(row, 0, kTileSize, kTileSize), core);
}

Tile HandOverLoop::slot(isa::CoreId core, std::int64_t round) const {
    if (plan_.separate) {
        return block(workspace_, core, round);
    }
    const std::int64_t row = (core.ai_core * plan_.slots + round % plan_.slots) * kTileSize;
    return share(workspace_.block(row, 0, kTileSize, kTileSize), core);
}

isa::Program HandOverLoop::program(isa::CoreId core) const {
    if (core.ai_core >= plan_.cores) {
        return {};
    }
    const bool from_cube = plan_.task == HandOverPlan::Task::StreamToVectors ||
                           plan_.task == HandOverPlan::Task::MatmulAdd;
    if (core.unit == 0) {
        return from_cube ? cube_sends(core) : cube_receives(core);
    }
    return from_cube ? vectors_receive(core) : vectors_send(core);
}

void HandOverLoop::then(Script& s, Pipe from, Pipe to) const {
    if (plan_.separate) {
        s.order(from, to);
    } else {
        s.barrier_all();
    }
}

isa::Program HandOverLoop::cube_sends(isa::CoreId core) const {
    Script s(hardware(), core);
    const CubeTiles t(s);
    const std::int64_t rounds = limited(plan_.rounds);
    load_constant(s, t, b_);
    if (!multiplies()) {
        s(isa::Copy{t.input, block(a_, core, 0), true});
        multiply(s, t);
        s.barrier_all();
    }
    co_yield s.block();
    for (std::int64_t i = 0; i < rounds; ++i) {
        if (multiplies()) {
            s(isa::Copy{t.input, block(a_, core, i), true});
            multiply(s, t);
            if (plan_.slots > 1) {
                s.barrier_all();
            } else {
                s.order(Pipe::Cube, Pipe::FixPipe);
            }
        }
        if (!plan_.separate && i >= plan_.slots) {
            s.from_vectors(kToCube);
            if (plan_.slots == 1) {
                s.barrier_all();
            }
        }
        s(isa::Fixpipe{slot(core, i), t.sum});
        s.barrier_all();
        if (!plan_.separate) {
            s.to_vectors(Pipe::FixPipe, kToVectors);
        }
        co_yield s.block();
    }
    if (plan_.separate) {
        s.to_vectors(Pipe::FixPipe, kToVectors);
    } else { // slots that nobody fills again
        for (std::int64_t i = std::max<std::int64_t>(0, rounds - plan_.slots); i < rounds; ++i) {
            s.from_vectors(kToCube);
        }
    }
    co_yield s.block();
}

isa::Program HandOverLoop::vectors_receive(isa::CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t rows = kTileSize / hardware().vector_cores;
    const Tile result = s.tile(Memory::Ub, DType::Fp16, rows, kTileSize);
    const Tile other = s.tile(Memory::Ub, DType::Fp16, rows, kTileSize);
    if (plan_.separate) {
        s.from_cube(kToVectors);
        s.barrier_all();
    }
    for (std::int64_t i = 0; i < limited(plan_.rounds); ++i) {
        if (!plan_.separate) {
            s.from_cube(kToVectors);
        }
        if (!multiplies() && plan_.slots == 1) {
            s.barrier_all();
        }
        s(isa::Copy{result, slot(core, i)});
        if (multiplies()) {
            s(isa::Copy{other, block(d_, core, i), true});
        }
        then(s, Pipe::Mte2, Pipe::Vector);
        const bool frees_late = plan_.slots > 1 && multiplies(); // TFREE stands behind the sum
        if (!plan_.separate && !frees_late) {
            s.to_cube(Pipe::Mte3, kToCube);
        }
        if (multiplies()) {
            s(isa::Vadd{{result, result, other}});
            then(s, Pipe::Vector, Pipe::Mte3);
            if (frees_late) {
                s.to_cube(Pipe::Mte3, kToCube);
            }
            s(isa::Copy{block(c_, core, i), result});
            then(s, Pipe::Mte3, Pipe::Mte2);
        }
        co_yield s.block();
    }
}

isa::Program HandOverLoop::vectors_send(isa::CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t rows = kTileSize / hardware().vector_cores;
    const Tile sum = s.tile(Memory::Ub, DType::Fp16, rows, kTileSize);
    const Tile other = s.tile(Memory::Ub, DType::Fp16, rows, kTileSize);
    const std::int64_t rounds = limited(plan_.rounds);
    for (std::int64_t i = 0; i < rounds; ++i) {
        s(isa::Copy{sum, block(a_, core, i), true});
        s(isa::Copy{other, block(d_, core, i), true});
        then(s, Pipe::Mte2, Pipe::Vector);
        s(isa::Vadd{{sum, sum, other}});
        then(s, Pipe::Vector, Pipe::Mte3);
        if (!plan_.separate && i >= plan_.slots) {
            s.from_cube(kToVectors);
            if (plan_.slots == 1) {
                s.barrier_all();
            }
        }
        s(isa::Copy{slot(core, i), sum});
        then(s, Pipe::Mte3, Pipe::Mte2);
        if (!plan_.separate) {
            s.to_cube(Pipe::Mte3, kToCube);
        }
        co_yield s.block();
    }
    if (plan_.separate) {
        s.barrier_all();
        s.to_cube(Pipe::Mte3, kToCube);
    } else {
        for (std::int64_t i = std::max<std::int64_t>(0, rounds - plan_.slots); i < rounds; ++i) {
            s.from_cube(kToVectors);
        }
    }
    co_yield s.block();
}

isa::Program HandOverLoop::cube_receives(isa::CoreId core) const {
    Script s(hardware(), core);
    const CubeTiles t(s);
    if (multiplies()) {
        load_constant(s, t, b_);
    }
    if (plan_.separate) {
        s.from_vectors(kToCube);
        s.barrier_all();
    }
    for (std::int64_t i = 0; i < limited(plan_.rounds); ++i) {
        if (!plan_.separate) {
            s.from_vectors(kToCube);
        }
        s(isa::Copy{t.input, slot(core, i)});
        if (!plan_.separate) {
            if (plan_.slots > 1) {
                s.barrier_all();
            }
            s.to_vectors(Pipe::Mte2, kToVectors);
        }
        if (multiplies()) {
            multiply(s, t);
            then(s, Pipe::Cube, Pipe::FixPipe);
            s(isa::Fixpipe{block(c_, core, i), t.sum});
            s.barrier_all();
        } else if (plan_.slots == 1) {
            s.barrier(Pipe::Mte2);
        }
        co_yield s.block();
    }
}

} // namespace npusim::kernels
