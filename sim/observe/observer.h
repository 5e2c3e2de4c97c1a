// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::isa {
struct Instruction;
}

namespace npusim::observe {

/// What a pipe does in a span of time. Anything not covered by a span is idle.
enum class State : std::uint8_t {
    Busy,      ///< executing an op
    Flag,      ///< stalled: waits for another pipe's flag
    CrossCore, ///< stalled: waits for another core's flag
    Gm,        ///< stalled: global memory is serving others
    Sync,      ///< stalled: executing a set or wait itself
    QueueFull, ///< stalled: the scalar unit cannot dispatch
    Launch,    ///< stalled: the kernel is being launched
};
inline constexpr std::size_t kStateCount = 7;
inline constexpr std::array<std::string_view, kStateCount> kStateNames{
    "busy", "flag", "cross_core", "gm", "sync", "queue_full", "launch"};
constexpr std::string_view to_string(State state) {
    return kStateNames[static_cast<std::size_t>(state)];
}

/// One core of the chip: a stream of instructions and its pipes.
struct CoreInfo {
    std::string name; ///< e.g. "core3.cube", "core3.vector1", "core0"
    std::vector<Pipe> pipes;
    bool operator==(const CoreInfo&) const = default;
};

/// "core3" of "core3.vector1": the AI core that a core belongs to.
constexpr std::string_view ai_core_of(std::string_view core) {
    return core.substr(0, core.find('.'));
}

/// A stretch of one pipe's time in one state. Spans of one pipe never overlap.
struct Span {
    std::size_t core = 0;
    Pipe pipe = Pipe::Scalar;
    State state = State::Busy;
    Cycles start;
    Cycles end;
    /// Null for launch and dispatch; of a full queue, the one there is no room for.
    const isa::Instruction* instruction = nullptr;
};

/// An instruction's way through its pipe. Its stretches follow each other: queued, stalled at the
/// head of the queue, executing, held up by GM, settling while the pipe goes on.
struct Execution {
    std::size_t core = 0;
    Pipe pipe = Pipe::Scalar;
    const isa::Instruction* instruction = nullptr;
    Cycles issued{};            ///< comes into the queue of its pipe
    Cycles head{};              ///< is the next to start
    Cycles start{};             ///< later than that if it is stalled
    Cycles alone{};             ///< its end on an idle chip
    Cycles end{};               ///< lets the pipe go on
    Cycles settled{};           ///< its result may be used
    State stall = State::Busy;  ///< why it starts later than `head`
    std::uint64_t consumed = 0; ///< number of the raise that a wait consumes; else 0
};

/// A flag that goes up. Waits consume the raises of one flag in order of `at`, those of the same
/// time in the order in which they are told.
struct Raise {
    std::uint64_t number = 0; ///< above 0, of this raise only
    std::size_t core = 0;     ///< whose flag it is
    /// What waits for it: (from, to, id), or (-, -, id) of a flag between cores.
    bool cross = false;
    Pipe from = Pipe::Scalar; ///< pipe that set it
    Pipe to = Pipe::Scalar;
    std::int32_t id = 0;
    std::size_t source = 0; ///< core that set it
    Cycles sent{};          ///< by that pipe
    Cycles at{};            ///< seen by the one that waits
};

/// Bytes through the global-memory port, as each transfer is served: in order of their starts.
struct GmAccess {
    std::size_t core = 0;
    Pipe pipe = Pipe::Mte2;
    Cycles start{};
    Cycles end{};
    std::int64_t bytes = 0;
    std::int64_t hbm_bytes = 0; ///< between L2 and HBM for its sake
    bool write = false;
    bool cold = false; ///< as the transfer says
};

/// Listens to a run; every hook may be left out. Spans come in order of time per pipe; those of one
/// pipe may be far ahead of another's, as cores run ahead of the kernel.
class Observer {
  public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    Observer(Observer&&) = delete;
    Observer& operator=(Observer&&) = delete;
    virtual ~Observer() = default;
    virtual void on_begin(const std::vector<CoreInfo>& /*cores*/) {}
    virtual void on_span(const Span& /*span*/) {}
    /// No span of `core` that is still to come ends before `now`.
    virtual void on_time(std::size_t /*core*/, Cycles /*now*/) {}
    virtual void on_gm(const GmAccess& /*access*/) {}
    /// Whether this one listens to the two below, which cost time.
    [[nodiscard]] virtual bool detailed() const { return false; }
    /// In order of their starts per pipe.
    virtual void on_execute(const Execution& /*execution*/) {}
    virtual void on_raise(const Raise& /*raise*/) {}
    /// Whether it can do without what happens in laps that take the same as the one before: it is
    /// told when one begins, and when `laps` more of it, of `cycles` together, are passed over.
    /// Times go on as if they were not there, but for the total.
    [[nodiscard]] virtual bool takes_laps() const { return false; }
    virtual void on_lap_begin() {}
    virtual void on_laps(std::int64_t /*laps*/, Cycles /*cycles*/) {}
    virtual void on_end(Cycles /*total*/) {}
};

using Observers = std::vector<Observer*>;

} // namespace npusim::observe
