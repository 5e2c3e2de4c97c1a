// SPDX-License-Identifier: Apache-2.0
#include "traces/trace.h"

#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::traces {

int rank_of(const Lane& lane) {
    const auto place = std::ranges::find(kDrawingOrder, lane.pipe) - kDrawingOrder.begin();
    return static_cast<int>(2 * place) + (lane.in_flight ? 1 : 0);
}

std::string name_of(const Lane& lane) {
    return std::string(to_string(lane.pipe)) + (lane.in_flight ? " in flight" : "");
}

std::string in_microseconds(std::int64_t nanoseconds) {
    return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

std::string title_of(const Counter& counter) {
    const auto after = [&](std::string_view word) { return counter.name + std::string(word); };
    return counter.group == "gm"            ? (counter.name == "HBM" ? "HBM" : "GM " + counter.name)
           : counter.group == "utilisation" ? after(" busy")
           : counter.group == "occupancy"   ? after(" in use")
                                            : after(" queue");
}

std::string_view name_of(const Slice& slice) {
    if (slice.state != observe::State::Busy) {
        return observe::to_string(slice.state);
    }
    return slice.instruction == nullptr ? "busy" : isa::name_of(*slice.instruction);
}

std::size_t name_id(const Slice& slice) {
    if (slice.state != observe::State::Busy) {
        return static_cast<std::size_t>(slice.state);
    }
    return slice.instruction == nullptr ? 0 : observe::kStateCount + slice.instruction->index();
}

} // namespace npusim::traces
