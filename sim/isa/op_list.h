// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/ops/copy.h"
#include "sim/isa/ops/fixpipe.h"
#include "sim/isa/ops/mmad.h"
#include "sim/isa/ops/sync.h"
#include "sim/isa/ops/vector_ops.h"
#include "sim/isa/source_line.h"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

namespace npusim::isa {

/// Every op of the machine, once. Execution, cost, text form and the op reference visit this list,
/// so an op that lacks one of them does not compile.
using AnyOp = std::variant<Copy,
                           Mmad,
                           Fixpipe,
                           Vadd,
                           Vsub,
                           Vmul,
                           Vdiv,
                           Vmax,
                           Vge,
                           Vmuls,
                           Vadds,
                           Vmaxs,
                           Vmins,
                           Vabs,
                           Vexp,
                           Vln,
                           Vsqrt,
                           Vcmax,
                           Vcadd,
                           Vcgmax,
                           Vcgadd,
                           Vand,
                           Vbrcb,
                           Vcast,
                           Vtranspose,
                           Vdup,
                           SetFlag,
                           WaitFlag,
                           CrossSet,
                           CrossWait,
                           PipeBarrier,
                           BarrierAll,
                           SyncAll,
                           ScalarWork,
                           ScalarLoad,
                           ScalarStore>;

/// One op of a program and the line of source that wrote it.
struct Instruction : AnyOp {
    using AnyOp::AnyOp;
    SourceLine where;
};

/// Whether an op orders others rather than doing work itself.
template <class Op>
inline constexpr bool is_sync_op =
    std::is_same_v<Op, SetFlag> || std::is_same_v<Op, WaitFlag> || std::is_same_v<Op, CrossSet> ||
    std::is_same_v<Op, CrossWait> || std::is_same_v<Op, PipeBarrier> ||
    std::is_same_v<Op, BarrierAll> || std::is_same_v<Op, SyncAll>;

/// The same of an op at hand. A look-up, where a visit is a call.
inline bool is_sync(const AnyOp& op) {
    static constexpr auto kByPlace = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array{is_sync_op<std::variant_alternative_t<I, AnyOp>>...};
    }
    (std::make_index_sequence<std::variant_size_v<AnyOp>>{});
    return kByPlace[op.index()];
}

/// Whether an op is one of the vector unit.
template <class Op>
inline constexpr bool is_vector =
    std::is_base_of_v<VectorBinary, Op> || std::is_base_of_v<VectorUnary, Op> ||
    std::is_base_of_v<VectorBlocks, Op> || std::is_same_v<Op, Vcmax> || std::is_same_v<Op, Vcadd> ||
    std::is_same_v<Op, Vbrcb> || std::is_same_v<Op, Vcast> || std::is_same_v<Op, Vtranspose> ||
    std::is_same_v<Op, Vdup>;

/// Combines lambdas into one visitor.
template <class... F> struct Overloaded : F... { using F::operator()...; };
template <class... F> Overloaded(F...) -> Overloaded<F...>;

} // namespace npusim::isa
