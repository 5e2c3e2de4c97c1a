// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/cube_column_sweep.h"

#include "kernels/measured/inverse/cube_steps.h"
#include "kernels/measured/inverse/fractals.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Control code of one turn of a loop that sets elements one by one: index, address and branch.
/// Estimate: with the store itself, what makes a step of the sweep at side 64 last as measured.
constexpr std::int64_t kElementLoopCycles = 20;

/// Flag of the meetings, both ways.
constexpr std::int32_t kMeet = 0;

/// The cube core's side of a meeting of its AI core.
void meet_vectors(Script& s) {
    s.to_vectors(Pipe::FixPipe, kMeet);
    s.from_vectors(kMeet);
}

/// A vector core's side.
void meet_cube(Script& s) {
    s.to_cube(Pipe::Mte3, kMeet);
    s.from_cube(kMeet);
}

/// Makes the matrices to multiply by, on one vector core.
class StepMaker {
  public:
    StepMaker(Script& script, const InverseBatch& batch)
        : s(script), side_(batch.side), m_(s.tile(Memory::Ub, batch.in, side_, side_)),
          step_(s.tile(Memory::Ub, batch.in, side_, side_)) {}

    /// I - M, in columns.
    void load(const Tile& m, bool cold) {
        s(isa::Copy{m_, m, cold});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vmuls{{m_, m_}, -1});
        s.order(Pipe::Vector, Pipe::Scalar);
        diagonal(m_);
    }

    void write_identity(const Tile& to) {
        identity();
        s.order(Pipe::Scalar, Pipe::Mte3);
        write(to);
    }

    /// The identity with one column of I - M.
    void write_step(const Tile& to, std::int64_t column) {
        identity();
        s.order(Pipe::Scalar, Pipe::Vector);
        s(isa::Vmuls{{step_.block(column, 0, 1, side_), m_.block(column, 0, 1, side_)}, 1});
        s.order(Pipe::Vector, Pipe::Mte3);
        write(to);
    }

  private:
    void diagonal(const Tile& tile) {
        for (std::int64_t i = 0; i < side_; ++i) {
            s.scalar(kElementLoopCycles);
            // The first element of its 32-byte block, which costs the same.
            const std::int64_t block = isa::kVectorBlockBytes / tile.block(0, 0, 1, 1).row_bytes();
            s(isa::ScalarStore{tile.block(i, i / block * block, 1, 1), 1});
        }
    }
    void identity() {
        s(isa::Vdup{step_, 0});
        s.order(Pipe::Vector, Pipe::Scalar);
        diagonal(step_);
    }
    void write(const Tile& to) {
        s(isa::Copy{to, step_});
        s.order(Pipe::Mte3, Pipe::Vector);
    }

    Script& s;
    std::int64_t side_;
    Tile m_;
    Tile step_;
};

} // namespace

CubeColumnSweep::CubeColumnSweep(const config::HardwareConfig& hardware, const InverseBatch& batch)
    : SteadyKernel(hardware), batch_(batch), cores_(batch.cores_of(hardware)),
      m_(add("m", Tensor::Role::Input, batch.in, batch.rows(), batch.cols())),
      inverse_(add("inverse", Tensor::Role::Output, batch.out, batch.rows(), batch.cols())),
      steps_(
          add("steps", Tensor::Role::Scratch, batch.in, cores_ * kSlots * batch.side, batch.side)) {
}

Tile CubeColumnSweep::slot(std::int64_t core, std::int64_t step) const {
    return steps_.block((core * kSlots + step % kSlots) * batch_.side, 0, batch_.side, batch_.side);
}

isa::Program CubeColumnSweep::program(isa::CoreId core) const {
    if (core.ai_core >= cores_) {
        return {};
    }
    return core.unit == 0 ? cube(core) : vectors(core);
}

/// Step 0 brings the identity into L0C; each step after it multiplies its matrix into L0C.
isa::Program CubeColumnSweep::cube(isa::CoreId core) const {
    Script s(hardware(), core);
    const Tile a_l1 = s.tile(Memory::L1, batch_.in, batch_.side, batch_.side);
    const Tile b_l1 = s.tile(Memory::L1, batch_.in, batch_.side, batch_.side);
    CubeSteps cube(s, batch_.in, batch_.side);
    const std::int64_t mine = limited(share_in_turn(batch_.count, cores_, core.ai_core));
    for (std::int64_t round = 0; round < mine; ++round) {
        const auto load = [&](const Tile& to, std::int64_t step) {
            s(isa::Copy{to, slot(core.ai_core, step)});
            s.order(Pipe::Mte2, Pipe::Mte1);
        };
        meet_vectors(s);
        load(a_l1, 0);
        copy_rows_of_fractals(s, cube.a(), a_l1);
        load(b_l1, 0);
        copy_rows_of_fractals(s, cube.b(), b_l1);
        cube.loaded();
        cube.multiply();
        for (std::int64_t step = 0; step < batch_.side; ++step) {
            meet_vectors(s);
            load(a_l1, step);
            cube.read();
            copy_rows_of_fractals(s, cube.a(), a_l1);
            cube.summed();
            cube.store(b_l1);
            cube.stored();
            copy_rows_of_fractals(s, cube.b(), b_l1);
            cube.loaded();
            cube.multiply();
            s.order(Pipe::Mte1, Pipe::Mte2);
            co_yield s.block();
        }
        cube.summed();
        cube.store(batch_.matrix(inverse_, round * cores_ + core.ai_core));
        s.barrier_all();
        co_yield s.block();
    }
}

isa::Program CubeColumnSweep::vectors(isa::CoreId core) const {
    Script s(hardware(), core);
    StepMaker maker(s, batch_);
    const bool writes = s.lane() == 0;
    const std::int64_t mine = limited(share_in_turn(batch_.count, cores_, core.ai_core));
    for (std::int64_t round = 0; round < mine; ++round) {
        maker.load(batch_.matrix(m_, round * cores_ + core.ai_core), batch_.cold);
        if (writes) {
            maker.write_identity(slot(core.ai_core, 0));
        }
        meet_cube(s);
        meet_cube(s); // the first step is the identity again
        for (std::int64_t step = 1; step < batch_.side; ++step) {
            if (writes) {
                maker.write_step(slot(core.ai_core, step), batch_.side - 1 - step);
            }
            meet_cube(s);
            co_yield s.block();
        }
        s.barrier_all();
        co_yield s.block();
    }
}

} // namespace npusim::kernels
