// SPDX-License-Identifier: Apache-2.0
#include "traces/flows.h"

#include <algorithm>
#include <utility>

namespace npusim::traces {

namespace {

/// A number for a flag of a core.
std::size_t flag_of(Pipe from, Pipe to, std::int32_t id) {
    const std::size_t pair =
        static_cast<std::size_t>(from) * kPipeCount + static_cast<std::size_t>(to);
    return static_cast<std::size_t>(id) * (kPipeCount * kPipeCount + 1) + pair + 1;
}
std::size_t cross_flag_of(std::int32_t id) {
    return static_cast<std::size_t>(id) * (kPipeCount * kPipeCount + 1);
}

} // namespace

Flows::Raised& Flows::of(std::size_t core, std::size_t flag) {
    if (raised_.size() <= core) {
        raised_.resize(core + 1);
    }
    std::vector<Raised>& flags = raised_[core];
    if (flags.size() <= flag) {
        flags.resize(flag + 1);
    }
    return flags[flag];
}

Flows::Flow& Flows::raise(const observe::Raise& raise) {
    Raised& waiting =
        of(raise.core,
           raise.cross ? cross_flag_of(raise.id) : flag_of(raise.from, raise.to, raise.id));
    const Flow flow{++count_, raise.at};
    if (!waiting.any) {
        waiting.any = true;
        return waiting.first = flow;
    }
    if (flow.at < waiting.first.at) {
        waiting.later.insert(waiting.later.begin(), std::exchange(waiting.first, flow));
        return waiting.first;
    }
    const auto place = std::ranges::upper_bound(waiting.later, flow.at, {}, &Flow::at);
    return *waiting.later.insert(place, flow);
}

std::optional<Flows::Flow> Flows::consume(const observe::Execution& execution) {
    std::size_t flag = 0;
    if (const auto* wait = std::get_if<isa::WaitFlag>(execution.instruction)) {
        flag = flag_of(wait->from, wait->to, wait->id);
    } else if (const auto* cross = std::get_if<isa::CrossWait>(execution.instruction)) {
        flag = cross_flag_of(cross->id);
    } else {
        return std::nullopt;
    }
    Raised& waiting = of(execution.core, flag);
    if (!waiting.any) {
        return std::nullopt; // raised before anybody listened
    }
    const Flow flow = waiting.first;
    waiting.any = !waiting.later.empty();
    if (waiting.any) {
        waiting.first = waiting.later.front();
        waiting.later.erase(waiting.later.begin());
    }
    return flow;
}

} // namespace npusim::traces
