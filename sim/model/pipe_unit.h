// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/hash.h"
#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"
#include "sim/observe/observer.h"
#include "sim/timing/flag_turns.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace npusim::model {

class Core;

/// A time from which states are seen, so that those of different times can be compared.
struct Moment {
    Cycles now;
    Cycles least; ///< what is earlier makes no difference
    [[nodiscard]] std::int64_t from_now(Cycles at) const {
        return (std::max(at, least) - now).count();
    }
};

/// One in-order pipe behind a bounded queue. It keeps its own time, which runs ahead of the kernel:
/// an instruction's start and end are worked out as soon as all they depend on is known. Only a
/// flag nobody has raised yet and a transfer of GM that has not been served yet hold it up.
class PipeUnit {
  public:
    PipeUnit(Pipe pipe, std::size_t queue_depth, Core& core);

    /// When an instruction ends on an idle chip and when its result may be used there; a transfer
    /// of GM ends when it has been served.
    struct Timing {
        Cycles alone;
        Cycles settled;
        bool gm = false;
    };

    /// Whether it is not known yet when the queue has room for one more.
    [[nodiscard]] bool full() const { return queued_ == left_.size(); }
    /// When the queue has room for one more, unless full().
    [[nodiscard]] Cycles room() const { return left_[next_]; }
    /// Queues `instruction`, which reaches the pipe at `issued`. Not if full().
    void push(const isa::Instruction& instruction, Cycles issued);
    /// Works out what can be known by now.
    void advance();
    /// The transfer of GM under way ends at `end`.
    void served(Cycles end);

    [[nodiscard]] Pipe pipe() const { return pipe_; }
    /// Whether the end of all that was pushed is known.
    [[nodiscard]] bool drained() const { return queued_ == 0 && !transfer_; }
    /// When the last instruction ended.
    [[nodiscard]] Cycles ended() const { return ended_; }
    /// When the result of the last instruction may be used.
    [[nodiscard]] Cycles settled() const { return settled_; }
    /// The wait this pipe is held by, or nullptr.
    [[nodiscard]] const isa::Instruction* blocked_on() const {
        return blocked_ ? &head().instruction : nullptr;
    }
    [[nodiscard]] std::size_t queued() const { return queued_; }

    /// Nothing that is still to start starts earlier, or `none`.
    [[nodiscard]] Cycles earliest(Cycles none) const;
    /// Adds the times its future depends on as seen from `moment`.
    void add_times(StateHash& hash, const Moment& moment) const;
    /// Adds what else it depends on.
    void add_work(StateHash& hash, const Moment& moment, const timing::FlagTurns& turns) const;
    /// Gives the last instruction this address in GM, if it is a transfer of GM.
    void put_last_gm_side(std::int64_t address) {
        if (isa::Tile* tile = isa::gm_side(last_)) {
            tile->address = address;
        }
    }
    /// Calls `see(instruction)` for those that have not ended, in their order.
    template <class See> void each_under_way(const See& see) {
        if (transfer_) {
            see(transfer_->instruction);
        }
        for (std::size_t i = 0; i < queued_; ++i) {
            see(waiting_[after(place(), i)].instruction);
        }
    }

  private:
    struct Entry {
        isa::Instruction instruction;
        Cycles due; ///< at the pipe
    };
    /// How an instruction came to start.
    struct Start {
        Cycles due;
        Cycles head;
        Cycles at;
        observe::State stall = observe::State::Busy; ///< between `head` and `at`
    };
    /// A transfer of GM that has begun and has not been served yet.
    struct Transfer {
        isa::Instruction instruction;
        Start start;
        Timing timing;
    };

    bool start(const isa::Instruction& instruction, Cycles due);
    void finish(const isa::Instruction& instruction,
                const Start& start,
                Cycles alone,
                Cycles end,
                Cycles settled);
    /// Whether `head` has to wait until the last instruction is settled.
    [[nodiscard]] bool needs_settled(const isa::Instruction& head) const;
    /// Where the rings keep the instruction that starts next.
    [[nodiscard]] std::size_t place() const { return after(next_, left_.size() - queued_); }
    /// Place in the rings `steps` places after one, at most once round. Without a division.
    [[nodiscard]] std::size_t after(std::size_t place, std::size_t steps) const {
        place += steps;
        return place < left_.size() ? place : place - left_.size();
    }
    [[nodiscard]] const Entry& head() const { return waiting_[place()]; }

    Pipe pipe_;
    Core& core_;
    std::vector<Entry> waiting_; ///< a ring: those whose start is not known; made when first used
    std::vector<Cycles> left_;   ///< a ring: when the last ones left the queue
    std::size_t next_ = 0;       ///< where the rings keep the instruction that is pushed next
    std::size_t queued_ = 0;     ///< of those, with no start known
    bool blocked_ = false;       ///< the head waits for a flag
    std::optional<Transfer> transfer_;
    isa::Instruction last_; ///< while something is not settled: the last one that works on data
    Cycles ended_;
    Cycles settled_;
};

} // namespace npusim::model
