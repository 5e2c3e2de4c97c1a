// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/emitter.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace npusim::kernels {

/// Diagonal blocks of a square matrix: `first`, `first + step`, ... of side `size`; all of the
/// matrix if `size` is 0.
struct Blocks {
    std::int64_t size = 0;
    std::int64_t first = 0;
    std::int64_t step = 1;
    bool operator==(const Blocks&) const = default;
};

/// A square matrix in L1, the part of it that counts, and the signal that says it is there.
struct Operand {
    isa::Tile tile;
    Pipe writer = Pipe::Mte2; ///< the pipe that put it into L1
    Ticket ready;
    std::int64_t serial = 0; ///< tells contents apart that follow each other in one place
    Blocks blocks;           ///< what is not in them is loaded as zero

    /// The `size` x `size` block at (`start`, `start`), for sums that stay within diagonal blocks.
    [[nodiscard]] Operand diagonal(std::int64_t start, std::int64_t size) const;
};

/// One product of a sum of products.
struct Term {
    Operand left;
    Operand right;
};

/// How a result leaves L0C.
struct Way {
    bool cold = false;      ///< to HBM
    std::int16_t step = -1; ///< Fixpipe::step
    float scale = 1;        ///< Fixpipe::scale
    float unit = 1;         ///< Fixpipe::unit
};

/// Sums of products of square matrices on the cube: L1 -> L0A/L0B -> mmad -> L0C -> out.
///
/// L0A and L0B are kept as small caches of operands: what is still there from an earlier product is
/// not loaded again, so constants stay put where there is room. An operand of which only diagonal
/// blocks count is loaded as a matrix of zeros and then the blocks, on the way and at no arithmetic
/// (as huawei-csl/pto-kernels' recursive inverse does). Products too large for a slot are split
/// along K; L0C is double-buffered where two results fit.
///
/// Writing a sum over one of its own operands, or over anything loaded before, is safe: MTE1 runs
/// in order, and the sum's own loads come before its result can exist.
class CubeProducts {
  public:
    /// For matrices up to [n,n]. Throws ConfigError if the cube lacks `dtype` or they do not fit
    /// L0A, L0B or L0C.
    CubeProducts(const config::HardwareConfig& hardware,
                 DType dtype,
                 std::int64_t n,
                 Emitter& emit);

    /// A matrix of zeros in L1, needed before an operand with `blocks` can be loaded.
    void set_zero(const Operand& zero) { zero_ = zero; }
    /// Names what now is in `tile`, put there by the last instruction of `writer`.
    Operand operand(const isa::Tile& tile, Pipe writer);

    /// to = scaled sum of the terms, in order, rounded once to `to.dtype`; the caller says what
    /// follows on FixPipe by signalling from it.
    void sum(const isa::Tile& to, std::span<const Term> terms, const Way& way);

    /// The two halves of `sum`, for results that leave by other ways: the sum [size,size] in L0C,
    /// ready for FixPipe, and the end of its use there.
    isa::Tile form(std::int64_t size, std::span<const Term> terms);
    void release();

  private:
    /// What one place in L0A or L0B holds.
    struct Slot {
        isa::Tile room{}; ///< [1, elements]
        std::int64_t serial = -1;
        isa::Tile from{}; ///< the part of the operand in L1
        Blocks blocks{};
        Ticket released{}; ///< the cube has read it for the last time
        std::int64_t used = 0;
    };
    /// A window of an operand: the rows and columns one mmad takes.
    struct Window {
        std::int64_t row = 0;
        std::int64_t col = 0;
        std::int64_t rows = 0;
        std::int64_t cols = 0;
    };

    void multiply(const isa::Tile& c, const Term& term, bool accumulate);
    /// The slot that holds the window, and whether it had to be loaded.
    std::pair<Slot&, bool>
    fetch(std::vector<Slot>& slots, const Operand& operand, const Window& window);
    void load(const isa::Tile& to, const Operand& operand, const Window& window);
    std::vector<Slot> make_slots(Memory memory) const;

    const config::HardwareConfig& hardware_;
    Emitter& emit_;
    DType dtype_;
    std::int64_t slot_elements_; ///< of a slot in L0A and L0B
    std::vector<Slot> left_;
    std::vector<Slot> right_;
    struct Result {
        isa::Tile room;
        Ticket released;
    };
    std::vector<Result> results_;
    Result* formed_ = nullptr; ///< by the last `form`
    Operand zero_;
    std::size_t next_result_ = 0;
    std::int64_t clock_ = 0;   ///< counts fetches, for the least recently used slot
    std::int64_t serials_ = 0; ///< given out so far
};

} // namespace npusim::kernels
