// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/op_list.h"

#include <utility>

namespace npusim::kernels {

/// What a program is written with: `s(isa::Copy{...})` passes the op to `Writer::add`, with the
/// line that says so.
///
/// The alternative is named and the block grows elsewhere: else every op costs every source that
/// emits it an overload resolution over all ops and the growth of a vector to compile.
template <class Writer> class OpWriter {
  public:
    template <class Op>
    void operator()(const Op& op, isa::SourceLine where = isa::SourceLine::current()) {
        isa::Instruction instruction(std::in_place_type<Op>, op);
        instruction.where = where;
        static_cast<Writer*>(this)->add(instruction);
    }
    /// Keeps the line it has.
    void operator()(const isa::Instruction& instruction) {
        static_cast<Writer*>(this)->add(instruction);
    }
};

} // namespace npusim::kernels
