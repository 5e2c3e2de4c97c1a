// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/column_sweep.h"

#include "kernels/common/script.h"
#include "kernels/measured/vector/queue.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

/// The program of one vector core.
class SweepCore {
  public:
    SweepCore(Script& script, const InverseBatch& batch, bool axpy)
        : s(script), side_(batch.side), axpy_(axpy), a_(s.tile(Memory::Ub, batch.in, side_, side_)),
          b_(s.tile(Memory::Ub, batch.in, 1, side_)), step_(s.tile(Memory::Ub, batch.in, 1, side_)),
          zeros_(s.tile(Memory::Ub, batch.in, 1, side_)),
          x_(s.tile(Memory::Ub, batch.in, side_, side_)) {}

    void load(const Tile& m, bool cold) {
        s(isa::Vdup{x_, 0});
        s.order(Pipe::Vector, Pipe::Mte2);
        s(isa::Copy{a_, m, cold});
        s.order(Pipe::Mte2, Pipe::Vector);
    }

    /// b = e_j, then down all of it.
    void solve(std::int64_t column) {
        s(isa::Vdup{b_, 0});
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::ScalarStore{element(b_, 0, column), 1});
        for (std::int64_t k = side_ - 1; k >= 0; --k) {
            s.order(Pipe::Vector, Pipe::Scalar);
            s.scalar(QueueCode::kGetValue);
            s(isa::ScalarLoad{element(b_, 0, k)});
            s(isa::ScalarStore{element(x_, column, k), 0});
            if (k > 0) {
                eliminate(column, k);
            }
        }
    }

    void store(const Tile& inverse) {
        s.order(Pipe::Vector, Pipe::Mte3);
        s.order(Pipe::Scalar, Pipe::Mte3);
        s(isa::Copy{inverse, x_});
        s.barrier_all();
    }

  private:
    /// An element for the scalar unit: the first of its 32-byte block, which costs the same.
    static Tile element(const Tile& tile, std::int64_t row, std::int64_t col) {
        const std::int64_t block = isa::kVectorBlockBytes / tile.block(0, 0, 1, 1).row_bytes();
        return tile.block(row, col / block * block, 1, 1);
    }

    /// b -= x_k A_k.
    void eliminate(std::int64_t column, std::int64_t k) {
        if (axpy_) {
            s.scalar(QueueCode::kGetValue);
            s(isa::ScalarLoad{element(x_, column, k)});
            s.order(Pipe::Scalar, Pipe::Vector);
            const Tile b = b_.block(0, 0, 1, k);
            s(isa::Vsub{{b, b, a_.block(k, 0, 1, k)}});
            return;
        }
        s(isa::Vdup{zeros_, 0}); // into the same tile, on the device: with no barrier they overlap
        s(isa::Vmuls{{step_, a_.block(k, 0, 1, side_)}});
        s.order(Pipe::Vector, Pipe::Scalar);
        s(isa::Vsub{{b_, b_, step_}});
    }

    Script& s;
    std::int64_t side_;
    bool axpy_;
    Tile a_; ///< in UB, as the next four
    Tile b_;
    Tile step_;
    Tile zeros_;
    Tile x_;
};

} // namespace

VectorColumnSweep::VectorColumnSweep(const config::HardwareConfig& hardware,
                                     const InverseBatch& batch,
                                     const ColumnSweepBuild& build)
    : SteadyKernel(hardware), batch_(batch), build_(build),
      lanes_(build.lanes > 0 ? build.lanes : hardware.vector_cores),
      workers_(std::min((batch.cores > 0 ? batch.cores : hardware.ai_cores) * lanes_, batch.count)),
      m_(add("m", Tensor::Role::Input, batch.in, batch.rows(), batch.cols())),
      inverse_(add("inverse", Tensor::Role::Output, batch.in, batch.rows(), batch.cols())) {}

isa::Program VectorColumnSweep::program(isa::CoreId core) const {
    Script s(hardware(), core);
    const std::int64_t worker = core.ai_core * lanes_ + s.lane();
    if (!s.vector() || s.lane() >= lanes_ || worker >= workers_) {
        co_return;
    }
    SweepCore sweep(s, batch_, build_.axpy);
    const std::int64_t mine = limited(share_in_turn(batch_.count, workers_, worker));
    for (std::int64_t round = 0; round < mine; ++round) {
        const std::int64_t index = round * workers_ + worker;
        sweep.load(batch_.matrix(m_, index), batch_.cold);
        for (std::int64_t column = 0; column < batch_.side; ++column) {
            sweep.solve(column);
            co_yield s.block();
        }
        sweep.store(batch_.matrix(inverse_, index));
        co_yield s.block();
    }
}

} // namespace npusim::kernels
