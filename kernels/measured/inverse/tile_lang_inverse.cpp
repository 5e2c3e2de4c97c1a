// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/inverse/tile_lang_inverse.h"

#include "kernels/common/script.h"
#include "kernels/measured/inverse/fractals.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kBlock = TileLangInverse::kBlock;

// Cross-core flags.
constexpr std::int32_t kDiagonal = 0; ///< and 1: blocks on the diagonal are in GM
constexpr std::int32_t kBelow = 2;    ///< at 128: -M below the diagonal is in GM
constexpr std::int32_t kProduct = 3;  ///< at 64: the cube's product is in GM

/// A block of 32 of a matrix, or a rectangle of such.
Tile part(const Tile& matrix,
          std::int64_t row,
          std::int64_t col,
          std::int64_t rows = 1,
          std::int64_t cols = 1) {
    return matrix.block(row * kBlock, col * kBlock, rows * kBlock, cols * kBlock);
}

/// One vector core.
class VectorSide {
  public:
    VectorSide(Script& script, DType dtype, bool barriers)
        : s(script), barriers_(barriers), o_(f32(kBlock)), row_(f32(1)),
          spread_(s.tile(Memory::Ub, DType::Fp32, kBlock, 8)), i_(f32(kBlock)), mul_(f32(kBlock)),
          red_(f32(1)), half_(s.tile(Memory::Ub, dtype, kBlock, kBlock)),
          zero_(s.tile(Memory::Ub, dtype, kBlock, kBlock)),
          fat_(s.tile(Memory::Ub, dtype, kBlock, 2 * kBlock)),
          fat_zero_(s.tile(Memory::Ub, dtype, kBlock, 2 * kBlock)) {}

    /// The inverse of a block on the diagonal, left in GM.
    void invert(const Tile& inverse, const Tile& m, const Tile& i, bool cold) {
        s(isa::Copy{half_, m, cold});
        s(isa::Copy{i_, i});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vdup{mul_, 0});
        s(isa::Vcast{o_, half_});
        for (std::int64_t row = 2; row < kBlock; ++row) {
            eliminate(row);
        }
        s(isa::Vsub{{o_, i_, o_}});
        s(isa::Vcast{half_, o_});
        send(inverse, half_);
    }

    /// At 128, this core's half of what is beside the diagonal: zeros above it, -M below.
    void prepare(const Tile& inverse, const Tile& m, bool cold) {
        const std::int64_t lane = s.lane();
        s(isa::Copy{half_, part(m, 2 * lane + 1, 2 * lane), cold});
        s(isa::Copy{fat_, part(m, lane + 2, 0, 1, 2), cold});
        s(isa::Vdup{zero_, 0});
        s(isa::Vdup{fat_zero_, 0});
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{part(inverse, 2 * lane, 2 * lane + 1), zero_});
        s(isa::Copy{part(inverse, lane, 2, 1, 2), fat_zero_});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vsub{{half_, zero_, half_}});
        s(isa::Vsub{{fat_, fat_zero_, fat_}});
        send(part(inverse, 2 * lane + 1, 2 * lane), half_);
        s(isa::Copy{part(inverse, lane + 2, 0, 1, 2), fat_});
        s.to_cube(Pipe::Mte3, kBelow);
        s.order(Pipe::Mte3, Pipe::Mte2);
    }

    /// At 64, the block above the diagonal, by the first core.
    void zero_above(const Tile& inverse) {
        s(isa::Vdup{zero_, 0});
        send(part(inverse, 0, 1), zero_);
    }

    /// At 64, the sign of the cube's product, by the second core.
    void negate_product(const Tile& inverse) {
        s(isa::Vdup{zero_, 0});
        s.from_cube(kProduct);
        s(isa::Copy{half_, part(inverse, 1, 0)});
        s.order(Pipe::Mte2, Pipe::Vector);
        s(isa::Vsub{{half_, zero_, half_}});
        send(part(inverse, 1, 0), half_);
    }

  private:
    Tile f32(std::int64_t rows) { return s.tile(Memory::Ub, DType::Fp32, rows, kBlock); }
    void send(const Tile& to, const Tile& from) {
        s.order(Pipe::Vector, Pipe::Mte3);
        s(isa::Copy{to, from});
    }
    void settle() {
        if (barriers_) {
            s.barrier_all();
        }
    }

    /// o(row) -= sum over k of o(row, k) o(k).
    void eliminate(std::int64_t row) {
        const Tile of_row = o_.block(row, 0, 1, kBlock);
        s(isa::Vmuls{{row_, of_row}, 1});
        settle();
        s(isa::Vbrcb{spread_, row_});
        settle();
        s(isa::Vdup{red_, 0});
        settle();
        s(isa::Vmul{{mul_, o_, spread_}});
        settle();
        sum_rows();
        settle();
        s(isa::Vsub{{of_row, of_row, red_}});
        settle();
    }

    /// red = sum of the rows of mul, half of them onto the other half at a time.
    void sum_rows() {
        for (std::int64_t rows = kBlock / 2; rows > 0; rows /= 2) {
            const Tile low = mul_.block(0, 0, rows, kBlock);
            s(isa::Vadd{{rows == 1 ? red_ : low, low, mul_.block(rows, 0, rows, kBlock)}});
        }
    }

    Script& s;
    bool barriers_;
    Tile o_; ///< in UB, as all that follow
    Tile row_;
    Tile spread_;
    Tile i_;
    Tile mul_;
    Tile red_;
    Tile half_;
    Tile zero_;
    Tile fat_;
    Tile fat_zero_;
};

/// The cube core: products of blocks that lie in GM, one after another.
class CubeSide {
  public:
    CubeSide(Script& script, DType dtype)
        : s(script), left_(l1(dtype)), middle_(l1(dtype)), right_(l1(dtype)),
          a_(s.tile(Memory::L0a, dtype, 2 * kBlock, 2 * kBlock)),
          b_(s.tile(Memory::L0b, dtype, 2 * kBlock, 2 * kBlock)),
          c_(s.tile(Memory::L0c, DType::Fp32, 2 * kBlock, 2 * kBlock)) {}

    /// The third block of a matrix of `2 n` blocks from the two on the diagonal; `below` is M
    /// there, or -M. `left_first`: which of the two products is made first.
    void third_block(const Tile& inverse, std::int64_t at, std::int64_t n, const Tile& below) {
        const Tile middle = shaped(middle_, n * kBlock, n * kBlock);
        const Tile left = shaped(left_, n * kBlock, n * kBlock);
        const Tile right = shaped(right_, n * kBlock, n * kBlock);
        const Tile third = part(inverse, at + n, at, n, n);
        s(isa::Copy{middle, below});
        s(isa::Copy{right, part(inverse, at, at, n, n)});
        s(isa::Copy{left, part(inverse, at + n, at + n, n, n)});
        multiply(third, middle, right);
        s.order(Pipe::FixPipe, Pipe::Mte2);
        s(isa::Copy{middle, third});
        multiply(third, left, middle);
        s.order(Pipe::FixPipe, Pipe::Mte2);
    }

  private:
    Tile l1(DType dtype) { return s.tile(Memory::L1, dtype, 2 * kBlock, 2 * kBlock); }

    /// gemm_v0 and the copy of its result: L1 to L0, product, L0C to GM.
    void multiply(const Tile& to, const Tile& left, const Tile& right) {
        const Tile a = shaped(a_, left.rows, left.cols);
        const Tile b = shaped(b_, right.rows, right.cols);
        const Tile c = shaped(c_, to.rows, to.cols);
        s.order(Pipe::Mte2, Pipe::Mte1);
        s(isa::Copy{a, left});
        s(isa::Copy{b, right});
        s.order(Pipe::Mte1, Pipe::Cube);
        s(isa::Mmad{c, a, b});
        s.order(Pipe::Cube, Pipe::FixPipe);
        s(isa::Fixpipe{to, c});
    }

    Script& s;
    Tile left_; ///< in L1, as the next two
    Tile middle_;
    Tile right_;
    Tile a_;
    Tile b_;
    Tile c_;
};

std::vector<float> identity() {
    std::vector<float> values = minus_identity(kBlock);
    for (float& value : values) {
        value = value == 0 ? 0 : 1;
    }
    return values;
}

} // namespace

TileLangInverse::TileLangInverse(const config::HardwareConfig& hardware,
                                 const InverseBatch& batch,
                                 bool barriers)
    : SteadyKernel(hardware), batch_(batch), barriers_(barriers),
      blocks_(batch.side == kBlock ? ceil_div(batch.count, hardware.vector_cores) : batch.count),
      cores_(std::min(batch.cores > 0 ? batch.cores : hardware.ai_cores, blocks_)),
      m_(add("m", Tensor::Role::Input, batch.in, batch.rows(), batch.cols())),
      inverse_(add("inverse", Tensor::Role::Output, batch.in, batch.rows(), batch.cols())),
      i_(constant("i", DType::Fp32, kBlock, kBlock, identity())) {}

isa::Program TileLangInverse::program(isa::CoreId core) const {
    if (core.ai_core >= cores_ || (core.unit == 0 && batch_.side == kBlock)) {
        return {};
    }
    return core.unit == 0 ? cube(core) : vectors(core);
}

isa::Program TileLangInverse::vectors(isa::CoreId core) const {
    Script s(hardware(), core);
    VectorSide side(s, batch_.in, barriers_);
    const std::int64_t per_core = batch_.side / kBlock / 2; // blocks on the diagonal
    for (std::int64_t round = 0; round < limited(rounds_of(core.ai_core)); ++round) {
        const std::int64_t block = round * cores_ + core.ai_core;
        if (per_core == 0) {
            const std::int64_t index = std::min(block * s.lanes() + s.lane(), batch_.count - 1);
            side.invert(batch_.matrix(inverse_, index), batch_.matrix(m_, index), i_, batch_.cold);
            s.barrier_all();
            co_yield s.block();
            continue;
        }
        const Tile m = batch_.matrix(m_, block);
        const Tile inverse = batch_.matrix(inverse_, block);
        if (per_core == 2) {
            side.prepare(inverse, m, batch_.cold);
        }
        for (std::int64_t turn = 0; turn < per_core; ++turn) {
            const std::int64_t at = turn * 2 + s.lane();
            side.invert(part(inverse, at, at), part(m, at, at), i_, batch_.cold);
            s.to_cube(Pipe::Mte3, kDiagonal + static_cast<std::int32_t>(turn));
            s.order(Pipe::Mte3, Pipe::Mte2);
            co_yield s.block();
        }
        if (per_core == 1 && s.lane() == 0) {
            side.zero_above(inverse);
        } else if (per_core == 1) {
            side.negate_product(inverse);
        }
        s.barrier_all();
        co_yield s.block();
    }
}

isa::Program TileLangInverse::cube(isa::CoreId core) const {
    Script s(hardware(), core);
    CubeSide side(s, batch_.in);
    const bool large = batch_.side > 2 * kBlock;
    for (std::int64_t round = 0; round < limited(rounds_of(core.ai_core)); ++round) {
        const std::int64_t block = round * cores_ + core.ai_core;
        const Tile m = batch_.matrix(m_, block);
        const Tile inverse = batch_.matrix(inverse_, block);
        if (large) {
            s.from_vectors(kBelow);
            for (std::int64_t turn = 0; turn < 2; ++turn) {
                s.from_vectors(kDiagonal + static_cast<std::int32_t>(turn));
                side.third_block(inverse, 2 * turn, 1, part(inverse, 2 * turn + 1, 2 * turn));
            }
            side.third_block(inverse, 0, 2, part(inverse, 2, 0, 2, 2));
        } else {
            s.from_vectors(kDiagonal);
            side.third_block(inverse, 0, 1, part(m, 1, 0));
            s(isa::CrossSet{Pipe::FixPipe, 2, kProduct}); // the second vector core asks for it
        }
        s.barrier_all();
        co_yield s.block();
    }
}

} // namespace npusim::kernels
