// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/isa/op_list.h"
#include "sim/observe/observer.h"

#include <deque>
#include <string>
#include <systemc>

namespace npusim::model {

class PipeUnit;

/// What a pipe needs of the core around it.
class PipeHost {
  public:
    PipeHost() = default;
    PipeHost(const PipeHost&) = delete;
    PipeHost& operator=(const PipeHost&) = delete;
    PipeHost(PipeHost&&) = delete;
    PipeHost& operator=(PipeHost&&) = delete;
    virtual ~PipeHost() = default;
    /// Consumes the flag `instruction` waits for; true if it is no wait or the flag was raised.
    virtual bool pass(const isa::Instruction& instruction) = 0;
    /// When `instruction` ends on an idle chip and when its result may be used there; a transfer of
    /// GM ends when it has been served.
    struct Timing {
        Cycles alone;
        Cycles settled;
        bool gm;
    };
    virtual Timing begin(const isa::Instruction& instruction, Cycles start) = 0;
    /// Applies the effect of `instruction`: data, flags.
    virtual void complete(const isa::Instruction& instruction) = 0;
    virtual void span(Pipe pipe,
                      observe::State state,
                      Cycles start,
                      Cycles end,
                      const isa::Instruction* instruction) = 0;
    virtual void drained() = 0;       ///< the pipe has nothing left to do
    virtual void fail() noexcept = 0; ///< hands the current exception to the simulation
};

/// One in-order pipe behind a bounded queue. Woken by work, a flag or its own completion, never by
/// the clock: two kernel events per instruction at the most.
class PipeUnit : public sc_core::sc_module {
  public:
    PipeUnit(const sc_core::sc_module_name& name,
             Pipe pipe,
             std::size_t queue_depth,
             PipeHost& host);

    [[nodiscard]] bool full() const { return queue_.size() >= queue_depth_; }
    /// Queues `instruction`, which reaches the pipe at `issued` (now or later).
    void push(const isa::Instruction& instruction, Cycles issued);
    /// Fires when an instruction leaves the queue.
    [[nodiscard]] const sc_core::sc_event& room() const { return room_; }
    /// The transfer of GM under way ends at `end`.
    void served(Cycles end);
    /// A flag went up: look again if a wait is at the head.
    void flag_raised();

    [[nodiscard]] Pipe pipe() const { return pipe_; }
    [[nodiscard]] bool drained() const { return queue_.empty() && !executing_; }
    /// When the result of the last instruction may be used.
    [[nodiscard]] Cycles settled() const { return settled_; }
    /// The instruction this pipe is held by, or nullptr.
    [[nodiscard]] const isa::Instruction* blocked_on() const {
        return blocked_ ? &queue_.front().instruction : nullptr;
    }
    [[nodiscard]] std::size_t queued() const { return queue_.size(); }

  private:
    struct Entry {
        isa::Instruction instruction;
        Cycles due; ///< at the pipe; of a deferred set, to go up
    };

    void step();
    void finish_current();
    bool start_next();
    void end_at(Cycles end);
    void raise_or_defer();
    void deliver();
    /// Whether the head has to wait until the last instruction is settled.
    [[nodiscard]] bool needs_settled(const isa::Instruction& head) const;

    Pipe pipe_;
    std::size_t queue_depth_;
    PipeHost& host_;
    std::deque<Entry> queue_;
    isa::Instruction current_; ///< the last one begun
    isa::Instruction last_;    ///< while something is not settled: the last one that works on data
    Cycles start_;
    Cycles alone_;
    Cycles tail_; ///< from the end of the current one until its result may be used
    Cycles settled_;
    bool executing_ = false;
    bool blocked_ = false; ///< the head waits for a flag
    Cycles blocked_since_;
    /// Sets whose turn has come before the work they announce was settled.
    std::deque<Entry> deferred_;
    sc_core::sc_event settle_;
    sc_core::sc_event wake_;
    sc_core::sc_event room_;
};

} // namespace npusim::model
