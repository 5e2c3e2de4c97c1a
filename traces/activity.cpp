// SPDX-License-Identifier: Apache-2.0
#include "traces/activity.h"

#include "sim/isa/op_list.h"

#include <type_traits>
#include <variant>

namespace npusim::traces {

namespace {

template <class Op> constexpr Activity activity_of_op() {
    if constexpr (std::is_same_v<Op, isa::Mmad>) {
        return Activity::Mmad;
    } else if constexpr (std::is_same_v<Op, isa::Copy>) {
        return Activity::Copy;
    } else if constexpr (std::is_same_v<Op, isa::Fixpipe>) {
        return Activity::Fixpipe;
    } else if constexpr (isa::is_sync_op<Op>) {
        return Activity::Sync;
    } else if constexpr (std::is_same_v<Op, isa::ScalarWork> ||
                         std::is_same_v<Op, isa::ScalarLoad> ||
                         std::is_same_v<Op, isa::ScalarStore>) {
        return Activity::Scalar;
    } else {
        return Activity::Vector;
    }
}

} // namespace

Activity activity_of(const observe::Span& span) {
    if (span.state != observe::State::Busy) {
        constexpr auto kFirst = static_cast<std::size_t>(Activity::Flag);
        return static_cast<Activity>(kFirst + static_cast<std::size_t>(span.state) - 1);
    }
    if (span.instruction == nullptr) {
        return Activity::Scalar;
    }
    return std::visit([]<class Op>(const Op&) { return activity_of_op<Op>(); }, *span.instruction);
}

} // namespace npusim::traces
