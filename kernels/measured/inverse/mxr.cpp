// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/mxr.h"

#include "kernels/common/script.h"
#include "kernels/measured/inverse/fractals.h"

#include <algorithm>
#include <array>
#include <vector>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Matrices a core takes at a time: one or two where there are no more, else four.
std::int64_t group_of(std::int64_t matrices, std::int64_t cores) {
    if (matrices <= cores) {
        return 1;
    }
    return matrices <= 2 * cores ? 2 : 4;
}

/// The program of one core; flags are named as in the source.
class MxrCore {
  public:
    MxrCore(Script& script, const InverseBatch& batch, const MxrBuild& build, std::int64_t group)
        : s(script), side_(batch.side), dtype_(batch.in), build_(build), group_(group),
          identity_(l1()), minus_identity_(l1()), zero_(l1()), minus_m_(l1()),
          x_(l1()), a_{l0(Memory::L0a), l0(Memory::L0a)}, b_{l0(Memory::L0b), l0(Memory::L0b)},
          c_{accumulator(), accumulator()} {
        for (std::int64_t i = 0; i < group; ++i) {
            y_.push_back(l1());
        }
    }

    /// Brings -I and makes I and 0 of it, and raises the flags the first matrices wait for.
    void begin(const Tile& minus_i) {
        s(isa::Copy{minus_identity_, minus_i});
        s.order(Pipe::Mte2, Pipe::Mte1);
        prepare();
        s.set(Pipe::FixPipe, Pipe::Cube, 0);
        for (std::int32_t slot = 0; slot < group_; ++slot) {
            s.set(Pipe::Cube, Pipe::Mte2, slot);
        }
    }

    void load(std::int32_t slot, const Tile& matrix, bool cold) {
        s.wait(Pipe::Cube, Pipe::Mte2, slot);
        s(isa::Copy{y(slot), matrix, cold});
        s.set(Pipe::Mte2, Pipe::Mte1, slot);
    }

    void invert(std::int32_t slot, const Tile& inverse) {
        s.wait(Pipe::FixPipe, Pipe::Cube, slot);
        s.wait(Pipe::Mte2, Pipe::Mte1, slot);
        event0_ = slot;
        event1_ = slot + static_cast<std::int32_t>(group_);
        start_doubling(y(slot));
        double_blocks(y(slot));
        join_blocks(y(slot));
        s.set(Pipe::Cube, Pipe::Mte2, slot);
        s(isa::Fixpipe{inverse, c_[side_ > kFractal ? 1 : 0]});
        next_ = (slot + 1) % static_cast<std::int32_t>(group_);
        s.set(Pipe::FixPipe, Pipe::Cube, next_);
    }

    void end() {
        for (std::int32_t slot = 0; slot < group_; ++slot) {
            s.wait(Pipe::Cube, Pipe::Mte2, slot);
        }
        s.wait(Pipe::FixPipe, Pipe::Cube, next_);
    }

  private:
    Tile l1() { return s.tile(Memory::L1, dtype_, side_, side_); }
    Tile l0(Memory memory) { return s.tile(memory, dtype_, side_, side_); }
    Tile accumulator() { return s.tile(Memory::L0c, DType::Fp32, side_, side_); }
    const Tile& y(std::int32_t slot) const { return y_[static_cast<std::size_t>(slot)]; }

    void multiply(const Tile& c, const Tile& a, const Tile& b, bool accumulate = false) {
        s(isa::Mmad{c, a, b, accumulate});
    }
    void move(const Tile& to, const Tile& from) { s(isa::Copy{to, from}); }
    void fix(const Tile& to, const Tile& from) { s(isa::Fixpipe{to, from}); }
    /// A flag that makes FixPipe and the cube wait for each other though no data moves.
    void round_trip(std::int32_t event) {
        s.order(Pipe::Cube, Pipe::FixPipe, event);
        s.order(Pipe::FixPipe, Pipe::Cube, event);
    }

    void prepare() {
        move(a_[0], minus_identity_);
        move(b_[0], minus_identity_);
        s.order(Pipe::Mte1, Pipe::Cube);
        multiply(c_[0], a_[0], b_[0]);
        s.order(Pipe::Cube, Pipe::FixPipe);
        fix(identity_, c_[0]);
        s.order(Pipe::FixPipe, Pipe::Mte1);
        move(b_[0], identity_);
        s.order(Pipe::Mte1, Pipe::Cube);
        multiply(c_[0], a_[0], b_[0], true);
        s.order(Pipe::Cube, Pipe::FixPipe);
        fix(zero_, c_[0]);
        s.order(Pipe::FixPipe, Pipe::Mte1);
    }

    /// -M, and with D the 16x16 blocks on the diagonal of M: Y = D D and X = I - D.
    void start_doubling(const Tile& m) {
        move(b_[0], m);
        move(a_[0], minus_identity_);
        s.set(Pipe::Mte1, Pipe::Cube, event0_);
        move(a_[1], zero_);
        move(b_[1], zero_);
        s.order(Pipe::Mte1, Pipe::Cube, event1_);
        s.order(Pipe::Cube, Pipe::Mte1, event1_);
        copy_diagonal_blocks(s, a_[1], m, kFractal, 0, 1);
        copy_diagonal_blocks(s, b_[1], m, kFractal, 0, 1);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);

        s.wait(Pipe::Mte1, Pipe::Cube, event0_);
        multiply(c_[0], a_[0], b_[0]);
        s.set(Pipe::Cube, Pipe::FixPipe, event0_);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);
        s.wait(Pipe::Cube, Pipe::FixPipe, event0_);
        fix(minus_m_, c_[0]);
        s.set(Pipe::FixPipe, Pipe::Cube, event0_);

        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);
        multiply(c_[1], a_[1], b_[1]);
        s.order(Pipe::Cube, Pipe::FixPipe, event1_);
        fix(m, c_[1]); // M itself is needed no more: Y lies where it was
        s.order(Pipe::FixPipe, Pipe::Cube, event1_);

        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        move(b_[0], minus_identity_);
        move(a_[0], minus_identity_);
        s.order(Pipe::Mte1, Pipe::Cube, event0_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event0_);
        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        multiply(c_[0], a_[1], b_[0]);
        round_trip(event0_);
        multiply(c_[0], a_[0], b_[0], true);
        s.order(Pipe::Cube, Pipe::FixPipe, event1_);
        fix(x_, c_[0]);
    }

    /// X <- X + X Y and Y <- Y Y until X is the inverse of all 16x16 blocks.
    void double_blocks(const Tile& y) {
        s.set(Pipe::FixPipe, Pipe::Cube, event0_);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);
        s.set(Pipe::FixPipe, Pipe::Mte1, event0_);
        s.set(Pipe::FixPipe, Pipe::Cube, event1_);
        s.set(Pipe::Cube, Pipe::Mte1, event1_);
        s.set(Pipe::FixPipe, Pipe::Mte1, event1_);
        for (std::int64_t power = 2; power < kFractal; power *= 2) {
            double_once(y, 2 * power == kFractal);
        }
        s.wait(Pipe::FixPipe, Pipe::Mte1, event1_);
        s.wait(Pipe::Cube, Pipe::Mte1, event1_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event1_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event0_);
        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event0_);
    }

    void double_once(const Tile& y, bool last) {
        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        move(b_[0], identity_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event0_);
        move(a_[0], x_);
        s.set(Pipe::Mte1, Pipe::Cube, event0_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event1_);
        move(b_[1], y);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);

        s.wait(Pipe::FixPipe, Pipe::Cube, event0_);
        s.wait(Pipe::Mte1, Pipe::Cube, event0_);
        if (!build_.reuses_accumulator) {
            multiply(c_[0], a_[0], b_[0]);
            round_trip(event0_);
        }
        if (!last) {
            square(y);
        }
        s.set(Pipe::FixPipe, Pipe::Mte1, event1_);

        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        multiply(c_[0], a_[0], b_[1], true);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);
        s.order(Pipe::Cube, Pipe::FixPipe, event0_);
        fix(x_, c_[0]);
        s.set(Pipe::FixPipe, Pipe::Cube, event0_);
        s.set(Pipe::FixPipe, Pipe::Mte1, event0_);
    }

    void square(const Tile& y) {
        s.wait(Pipe::Cube, Pipe::Mte1, event1_);
        move(a_[1], y);
        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);
        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event1_);
        multiply(c_[1], a_[1], b_[1]);
        s.set(Pipe::Cube, Pipe::Mte1, event1_);
        s.set(Pipe::Cube, Pipe::FixPipe, event1_);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);
        s.wait(Pipe::Cube, Pipe::FixPipe, event1_);
        fix(y, c_[1]);
        s.set(Pipe::FixPipe, Pipe::Cube, event1_);
    }

    /// Joins inverses of blocks in pairs until there is one.
    void join_blocks(const Tile& y) {
        move(b_[1], minus_m_);
        move(a_[0], identity_);
        if (side_ > kFractal) {
            s.set(Pipe::FixPipe, Pipe::Cube, event1_);
        }
        s.set(Pipe::Cube, Pipe::Mte1, event1_);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);
        s.set(Pipe::FixPipe, Pipe::Mte1, event1_);
        s.set(Pipe::FixPipe, Pipe::Cube, event0_);
        for (std::int64_t block = kFractal; block < side_; block *= 2) {
            join_once(y, block);
        }
        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        s.wait(Pipe::Cube, Pipe::Mte1, event1_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event0_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event1_);
    }

    /// With E the even and O the odd blocks of X: Y = I - O M, X = Y E + O.
    void join_once(const Tile& y, std::int64_t block) {
        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        move(a_[1], zero_);
        s.wait(Pipe::Cube, Pipe::Mte1, event1_);
        move(b_[0], identity_);
        s.set(Pipe::Mte1, Pipe::Cube, event0_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event1_);
        copy_diagonal_blocks(s, a_[1], x_, block, 1, 2);
        s.set(Pipe::Mte1, Pipe::Cube, event1_);

        s.wait(Pipe::Mte1, Pipe::Cube, event0_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event0_);
        multiply(c_[0], a_[0], b_[0]);
        s.wait(Pipe::Mte1, Pipe::Cube, event1_);
        s.wait(Pipe::FixPipe, Pipe::Cube, event1_);
        multiply(c_[1], a_[1], b_[0]);
        s.set(Pipe::Cube, Pipe::Mte1, event1_);
        multiply(c_[0], a_[1], b_[1], true);
        s.set(Pipe::Cube, Pipe::FixPipe, event0_);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);

        s.wait(Pipe::Cube, Pipe::FixPipe, event0_);
        fix(y, c_[0]);
        s.set(Pipe::FixPipe, Pipe::Mte1, event0_);
        s.set(Pipe::FixPipe, Pipe::Cube, event0_);

        s.wait(Pipe::Cube, Pipe::Mte1, event1_);
        move(b_[0], zero_);
        copy_diagonal_blocks(s, b_[0], x_, block, 0, 2);
        s.wait(Pipe::Cube, Pipe::Mte1, event0_);
        s.wait(Pipe::FixPipe, Pipe::Mte1, event0_);
        move(a_[1], y);
        s.order(Pipe::Mte1, Pipe::Cube, event0_);

        multiply(c_[1], a_[1], b_[0], true);
        s.set(Pipe::Cube, Pipe::Mte1, event0_);
        s.set(Pipe::Cube, Pipe::Mte1, event1_);
        s.order(Pipe::Cube, Pipe::FixPipe, event0_);
        if (block < side_ / 2) {
            fix(x_, c_[1]);
            s.set(Pipe::FixPipe, Pipe::Cube, event1_);
        }
        s.set(Pipe::FixPipe, Pipe::Mte1, event1_);
    }

    Script& s;
    std::int64_t side_;
    DType dtype_;
    MxrBuild build_;
    std::int64_t group_;
    Tile identity_; ///< in L1, as the next five
    Tile minus_identity_;
    Tile zero_;
    Tile minus_m_;
    Tile x_;
    std::vector<Tile> y_; ///< M, later Y, of each matrix of a group
    std::array<Tile, 2> a_;
    std::array<Tile, 2> b_;
    std::array<Tile, 2> c_;
    std::int32_t event0_ = 0;
    std::int32_t event1_ = 0;
    std::int32_t next_ = 0;
};

} // namespace

Mxr::Mxr(const config::HardwareConfig& hardware, const InverseBatch& batch, const MxrBuild& build)
    : SteadyKernel(hardware), batch_(batch), build_(build), cores_(batch.cores_of(hardware)),
      group_(group_of(batch.count, cores_)),
      m_(add("m", Tensor::Role::Input, batch.in, batch.rows(), batch.cols())),
      inverse_(add("inverse", Tensor::Role::Output, batch.out, batch.rows(), batch.cols())),
      minus_i_(constant("minus_i", batch.in, batch.side, batch.side, minus_identity(batch.side))) {}

std::int64_t Mxr::rounds_of(std::int64_t core) const {
    return share_in_turn(ceil_div(batch_.count, group_), cores_, core);
}

isa::Program Mxr::program(isa::CoreId core) const {
    const std::int64_t mine = rounds_of(core.ai_core);
    if (core.unit != 0 || mine <= 0) {
        co_return;
    }
    Script s(hardware(), core);
    MxrCore mxr(s, batch_, build_, group_);
    mxr.begin(minus_i_);
    for (std::int64_t round = 0; round < limited(mine); ++round) {
        const std::int64_t first = (round * cores_ + core.ai_core) * group_;
        const auto count = static_cast<std::int32_t>(std::min(group_, batch_.count - first));
        for (std::int32_t slot = 0; slot < count; ++slot) {
            mxr.load(slot, batch_.matrix(m_, first + slot), batch_.cold);
        }
        for (std::int32_t slot = 0; slot < count; ++slot) {
            mxr.invert(slot, batch_.matrix(inverse_, first + slot));
            co_yield s.block();
        }
    }
    mxr.end();
    co_yield s.block();
}

} // namespace npusim::kernels
