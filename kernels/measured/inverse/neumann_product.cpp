// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/neumann_product.h"

#include "kernels/measured/inverse/cube_steps.h"
#include "kernels/measured/inverse/fractals.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Matrices in L1 of one core.
struct Room {
    Tile x;
    Tile y;
    Tile identity;
};

/// Y = M M, X = I - M and I, of M in Y and -I in X.
void start(Script& s, CubeSteps& cube, const Room& room) {
    cube.left(room.y);
    cube.loaded();
    cube.read();
    cube.right(room.y);
    cube.product_to(room.y);

    cube.right(room.x);
    cube.loaded();
    cube.multiply();
    cube.read();
    cube.left(room.x);
    cube.loaded();
    cube.multiply(true);
    cube.summed();
    cube.store(room.x);
    s.order(Pipe::FixPipe, Pipe::Cube);
    cube.multiply();
    cube.summed();
    cube.store(room.identity);
    cube.stored();
}

/// X <- X + X Y, left in L0C, and but for the last time Y <- Y Y.
void double_once(CubeSteps& cube, const Room& room, bool last) {
    cube.left(room.x);
    cube.right(room.identity);
    cube.loaded();
    cube.multiply();
    cube.read();
    cube.right(room.y);
    cube.loaded();
    cube.multiply(true);
    cube.summed();
    if (!last) {
        cube.store(room.x);
        cube.stored();
        cube.left(room.y);
        cube.product_to(room.y);
    }
}

} // namespace

NeumannProduct::NeumannProduct(const config::HardwareConfig& hardware, const InverseBatch& batch)
    : SteadyKernel(hardware), batch_(batch), cores_(batch.cores_of(hardware)),
      m_(add("m", Tensor::Role::Input, batch.in, batch.rows(), batch.cols())),
      inverse_(add("inverse", Tensor::Role::Output, batch.out, batch.rows(), batch.cols())),
      minus_i_(constant("minus_i", batch.in, batch.side, batch.side, minus_identity(batch.side))) {}

isa::Program NeumannProduct::program(isa::CoreId core) const {
    if (core.unit != 0 || core.ai_core >= cores_) {
        co_return;
    }
    Script s(hardware(), core);
    const auto l1 = [&] { return s.tile(Memory::L1, batch_.in, batch_.side, batch_.side); };
    const Room room{l1(), l1(), l1()};
    CubeSteps cube(s, batch_.in, batch_.side);
    const std::int64_t mine = limited(share_in_turn(batch_.count, cores_, core.ai_core));
    for (std::int64_t round = 0; round < mine; ++round) {
        const std::int64_t index = round * cores_ + core.ai_core;
        s(isa::Copy{room.y, batch_.matrix(m_, index), batch_.cold});
        s(isa::Copy{room.x, minus_i_});
        s.order(Pipe::Mte2, Pipe::Mte1);
        start(s, cube, room);
        for (std::int64_t power = 2; power < kTerms; power *= 2) {
            double_once(cube, room, 2 * power == kTerms);
        }
        cube.store(batch_.matrix(inverse_, index));
        s.barrier_all();
        co_yield s.block();
    }
}

} // namespace npusim::kernels
