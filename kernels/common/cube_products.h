// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/emitter.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace npusim::kernels {

/// A matrix in L1 and the signal that says it is there.
struct Operand {
    isa::Tile tile;
    Pipe writer = Pipe::Mte2; ///< the pipe that put it into L1
    Ticket ready;
};

/// One product of a sum of products.
struct Term {
    Operand left;
    Operand right;
};

/// Sums of products of square matrices on the cube: L1 -> L0A/L0B -> mmad -> L0C -> out.
///
/// L0A and L0B are double-buffered and products too large for a slot are split along K; L0C is
/// double-buffered where two results fit. Every result leaves by FixPipe; writing over an operand
/// is safe, since all loads of a sum are issued before its result can exist.
class CubeProducts {
  public:
    /// Throws ConfigError if [n,n] fp32 does not fit L0C.
    CubeProducts(const config::HardwareConfig& hardware,
                 DType dtype,
                 std::int64_t n,
                 Emitter& emit);

    /// to = sum of the terms, in order, rounded once to `to.dtype`; the caller says what follows on
    /// FixPipe by signalling from it.
    void sum(const isa::Tile& to, std::initializer_list<Term> terms, bool cold = false) {
        sum(to, std::span<const Term>(terms.begin(), terms.size()), cold);
    }
    void sum(const isa::Tile& to, std::span<const Term> terms, bool cold = false);

    /// As sum, into a tile in L1 that is to be an operand.
    Operand sum_to_l1(const isa::Tile& to, std::initializer_list<Term> terms) {
        return sum_to_l1(to, std::span<const Term>(terms.begin(), terms.size()));
    }
    Operand sum_to_l1(const isa::Tile& to, std::span<const Term> terms);

  private:
    void multiply(const isa::Tile& c, const Term& term, bool accumulate);

    Emitter& emit_;
    std::int64_t n_;
    std::int64_t depth_; ///< K of one mmad
    struct Slot {
        isa::Tile a;
        isa::Tile b;
        Ticket released;
    };
    std::vector<Slot> slots_;
    struct Result {
        isa::Tile c;
        Ticket released;
    };
    std::vector<Result> results_;
    std::size_t next_slot_ = 0;
    std::size_t next_result_ = 0;
};

} // namespace npusim::kernels
