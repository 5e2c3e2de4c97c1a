// SPDX-License-Identifier: Apache-2.0
#include "traces/critical_path.h"

#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace npusim::traces {

namespace {

/// Instructions of a pipe that settle at a time, at most.
constexpr std::ptrdiff_t kMostSettling = 16;

} // namespace

void CriticalPath::on_begin(const std::vector<observe::CoreInfo>& cores) {
    cores_.resize(cores.size());
}

/// A full queue holds up the scalar unit.
void CriticalPath::on_span(const observe::Span& span) {
    if (span.state == observe::State::QueueFull && count_ <= most_) {
        cores_[span.core].resumes.push_back({span.end,
                                             {.kind = Cause::Kind::Room,
                                              .pipe = isa::pipe_of(*span.instruction, hardware_),
                                              .core = static_cast<std::uint32_t>(span.core),
                                              .at = span.end}});
    }
}

void CriticalPath::on_raise(const observe::Raise& raise) {
    if (count_ > most_) {
        return;
    }
    Cause cause{
        .pipe = raise.from, .core = static_cast<std::uint32_t>(raise.source), .at = raise.sent};
    const std::vector<Node>& nodes =
        cores_[raise.source].nodes[static_cast<std::size_t>(raise.from)];
    if (raise.from == Pipe::Scalar) {
        cause.kind = Cause::Kind::Scalar;
    } else {
        cause.kind = Cause::Kind::Node;
        cause.index = static_cast<std::uint32_t>(nodes.size() - 1);
    }
    raised_[raise.number] = cause;
}

/// The set of the flag that `execution` waits for.
CriticalPath::Cause CriticalPath::flag_cause(const observe::Execution& execution) {
    const auto at = raised_.find(execution.consumed);
    if (at == raised_.end()) {
        return {};
    }
    const Cause cause = at->second;
    raised_.erase(at);
    return cause;
}

CriticalPath::Cause CriticalPath::cause_of(const observe::Execution& execution) {
    const auto core = static_cast<std::uint32_t>(execution.core);
    const Cause flag = flag_cause(execution); // whether it is what decides or not
    if (execution.pipe == Pipe::Scalar) {
        if (std::holds_alternative<isa::SyncAll>(*execution.instruction)) {
            const std::size_t number = cores_[core].barriers++;
            barriers_.resize(std::max(barriers_.size(), number + 1));
            if (Barrier& barrier = barriers_[number]; execution.head >= barrier.at) {
                barrier = {core, execution.head};
            }
            return {.kind = Cause::Kind::All,
                    .core = core,
                    .index = static_cast<std::uint32_t>(number)};
        }
        if (std::holds_alternative<isa::BarrierAll>(*execution.instruction)) {
            return {.kind = Cause::Kind::Pipes, .core = core, .at = execution.start};
        }
        return flag;
    }
    if (execution.start > execution.head && execution.stall != observe::State::Sync) {
        return flag;
    }
    const std::vector<Node>& nodes = cores_[core].nodes[static_cast<std::size_t>(execution.pipe)];
    if (execution.start > execution.issued && !nodes.empty()) {
        return {.kind = Cause::Kind::Node,
                .pipe = execution.pipe,
                .core = core,
                .index = static_cast<std::uint32_t>(nodes.size() - 1)};
    }
    return {.kind = Cause::Kind::Scalar, .core = core, .at = execution.issued};
}

void CriticalPath::on_execute(const observe::Execution& execution) {
    if (++count_ > most_) {
        return;
    }
    const Cause cause = cause_of(execution);
    Core& core = cores_[execution.core];
    if (execution.pipe != Pipe::Scalar) {
        core.nodes[static_cast<std::size_t>(execution.pipe)].push_back(
            {execution.start, execution.alone, execution.end, execution.settled, cause});
    } else if (execution.start > execution.head) {
        core.resumes.push_back({execution.start, cause});
    }
}

/// The way back from the end of a run.
class CriticalPath::Walk {
  public:
    explicit Walk(const CriticalPath& run) : run_(run), at_(run.total_) {}

    std::vector<Stretch> path() {
        Cause cause = last();
        while (at_ > Cycles{0}) {
            cause = step(cause);
        }
        std::ranges::reverse(path_);
        return std::move(path_);
    }

  private:
    /// What ends last in the run.
    [[nodiscard]] Cause last() const {
        Cause best;
        Cycles latest{-1};
        for (std::size_t core = 0; core < run_.cores_.size(); ++core) {
            const Cause cause = settled_last(static_cast<std::uint32_t>(core), at_);
            if (cause.kind == Cause::Kind::Node && node(cause).settled > latest) {
                latest = node(cause).settled;
                best = cause;
            }
        }
        return best;
    }
    [[nodiscard]] const Node& node(const Cause& cause) const {
        return run_.cores_[cause.core].nodes[static_cast<std::size_t>(cause.pipe)][cause.index];
    }
    /// The instruction of `core` with the latest result by `time`.
    [[nodiscard]] Cause settled_last(std::uint32_t core, Cycles time) const {
        Cause best{.kind = Cause::Kind::Scalar, .core = core, .at = time};
        Cycles latest{-1};
        for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
            const std::vector<Node>& nodes = run_.cores_[core].nodes[pipe];
            const auto after = std::ranges::upper_bound(nodes, time, {}, &Node::end);
            for (auto at = after - std::min<std::ptrdiff_t>(kMostSettling, after - nodes.begin());
                 at != after;
                 ++at) {
                if (at->settled <= time && at->settled > latest) {
                    latest = at->settled;
                    best = {.kind = Cause::Kind::Node,
                            .pipe = static_cast<Pipe>(pipe),
                            .core = core,
                            .index = static_cast<std::uint32_t>(at - nodes.begin())};
                }
            }
        }
        return best;
    }

    /// The path was with others from `start` on; before it is with `core` and `pipe`.
    void go_back(std::uint32_t core, Pipe pipe, Reason reason, Cycles start) {
        if (start >= at_) {
            return;
        }
        if (!path_.empty() && path_.back().core == core && path_.back().pipe == pipe &&
            path_.back().reason == reason) {
            path_.back().start = start;
        } else {
            path_.push_back({core, pipe, reason, start, at_});
        }
        at_ = start;
    }

    Cause step(const Cause& cause) {
        switch (cause.kind) {
        case Cause::Kind::Node:
            return through_instruction(cause);
        case Cause::Kind::Scalar:
            return through_dispatch(cause);
        case Cause::Kind::Room:
            return {.kind = Cause::Kind::Node,
                    .pipe = cause.pipe,
                    .core = cause.core,
                    .index = started_by(cause)};
        case Cause::Kind::Pipes:
            return settled_last(cause.core, cause.at);
        case Cause::Kind::All: {
            const Barrier& barrier = run_.barriers_[cause.index];
            go_back(cause.core, Pipe::Scalar, Reason::Crossing, barrier.at);
            return {.kind = Cause::Kind::Scalar, .core = barrier.core, .at = barrier.at};
        }
        case Cause::Kind::Start:
            go_back(cause.core, cause.pipe, Reason::Launch, Cycles{0});
        }
        return {};
    }
    Cause through_instruction(const Cause& cause) {
        const Node& at = node(cause);
        if (cause.at > Cycles{0}) {
            go_back(cause.core, cause.pipe, Reason::Crossing, cause.at);
        }
        go_back(cause.core, cause.pipe, Reason::Settling, at.end);
        go_back(cause.core, cause.pipe, Reason::Gm, at.alone);
        go_back(cause.core, cause.pipe, Reason::Work, at.start);
        return at.cause;
    }
    Cause through_dispatch(const Cause& cause) {
        go_back(cause.core, Pipe::Scalar, Reason::Crossing, cause.at);
        const std::vector<Resume>& resumes = run_.cores_[cause.core].resumes;
        const auto after = std::ranges::upper_bound(resumes, at_, {}, &Resume::at);
        if (after == resumes.begin()) {
            go_back(cause.core, Pipe::Scalar, Reason::Issue, run_.hardware_.launch);
            return {.core = cause.core};
        }
        go_back(cause.core, Pipe::Scalar, Reason::Issue, std::prev(after)->at);
        return std::prev(after)->cause;
    }
    /// Index of the instruction that left a queue at that time: the last one that has started.
    [[nodiscard]] std::uint32_t started_by(const Cause& cause) const {
        const std::vector<Node>& nodes =
            run_.cores_[cause.core].nodes[static_cast<std::size_t>(cause.pipe)];
        const auto after = std::ranges::upper_bound(nodes, cause.at, {}, &Node::start);
        return static_cast<std::uint32_t>(after - nodes.begin() - 1);
    }

    const CriticalPath& run_;
    Cycles at_;                 ///< all after it is in path_
    std::vector<Stretch> path_; ///< from the end back
};

std::optional<std::vector<CriticalPath::Stretch>> CriticalPath::path() const {
    if (count_ > most_) {
        return std::nullopt;
    }
    return Walk(*this).path();
}

} // namespace npusim::traces
