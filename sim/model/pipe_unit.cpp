// SPDX-License-Identifier: Apache-2.0
#include "sim/model/pipe_unit.h"

#include "sim/isa/instruction.h"
#include "sim/model/core.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace npusim::model {

namespace {

bool is_set(const isa::Instruction& instruction) {
    return std::holds_alternative<isa::SetFlag>(instruction) ||
           std::holds_alternative<isa::CrossSet>(instruction);
}

} // namespace

PipeUnit::PipeUnit(Pipe pipe, std::size_t queue_depth, Core& core)
    : pipe_(pipe), core_(core), left_(queue_depth) {}

void PipeUnit::push(const isa::Instruction& instruction, Cycles issued) {
    if (!drained() || !start(instruction, issued)) {
        if (waiting_.empty()) {
            waiting_.resize(left_.size());
        }
        Entry& entry = waiting_[next_];
        entry.instruction = instruction;
        entry.due = issued;
        ++queued_;
    }
    next_ = after(next_, 1);
}

void PipeUnit::advance() {
    while (queued_ > 0 && !transfer_ && start(head().instruction, head().due)) {
        --queued_;
    }
}

void PipeUnit::served(Cycles end) {
    const auto [alone, settled, gm] = transfer_->timing;
    finish(transfer_->instruction, transfer_->start, alone, end, end + (settled - alone));
    transfer_.reset();
}

bool PipeUnit::needs_settled(const isa::Instruction& head) const {
    return std::holds_alternative<isa::PipeBarrier>(head) || isa::depends(head, last_);
}

/// Works out when `instruction`, due at the pipe at `due`, starts, and unless it is a transfer of
/// GM all that follows from it; false if it waits for a flag nobody has raised yet.
bool PipeUnit::start(const isa::Instruction& instruction, Cycles due) {
    Start start{due, std::max(due, ended_), std::max(due, ended_)};
    const auto stall = [&](observe::State state, Cycles until) {
        core_.span(pipe_, state, start.at, until, &instruction);
        start.stall = state;
        start.at = until;
    };
    if (settled_ > start.at && needs_settled(instruction)) {
        stall(observe::State::Sync, settled_);
    }
    const bool cross = std::holds_alternative<isa::CrossWait>(instruction);
    if (cross || std::holds_alternative<isa::WaitFlag>(instruction)) {
        const std::optional<Cycles> raised = core_.consume(instruction);
        blocked_ = !raised;
        if (!raised) {
            return false;
        }
        if (*raised > start.at) {
            stall(cross ? observe::State::CrossCore : observe::State::Flag, *raised);
        }
    }
    left_[place()] = start.at;
    const Timing timing = core_.begin(instruction, pipe_, start.at);
    if (timing.gm) {
        transfer_ = Transfer{instruction, start, timing};
    } else {
        finish(instruction, start, timing.alone, timing.alone, timing.settled);
    }
    return true;
}

/// A flag goes up when what came before it is settled; the pipe does not wait for that.
void PipeUnit::finish(const isa::Instruction& instruction,
                      const Start& start,
                      Cycles alone,
                      Cycles end,
                      Cycles settled) {
    const observe::State state =
        isa::is_sync(instruction) ? observe::State::Sync : observe::State::Busy;
    if (alone > start.at) {
        core_.span(pipe_, state, start.at, alone, &instruction);
    }
    if (end > alone) {
        core_.span(pipe_, observe::State::Gm, alone, end, &instruction);
    }
    ended_ = end;
    settled_ = std::max(settled_, settled);
    if (settled_ > end && !isa::is_sync(instruction)) {
        last_ = instruction;
    }
    core_.executed({.pipe = pipe_,
                    .instruction = &instruction,
                    .issued = start.due,
                    .head = start.head,
                    .start = start.at,
                    .alone = alone,
                    .end = end,
                    .settled = settled,
                    .stall = start.stall});
    core_.apply(instruction, is_set(instruction) ? std::max(end, settled_) : end);
}

Cycles PipeUnit::earliest(Cycles none) const {
    Cycles earliest = transfer_ ? std::min(none, transfer_->start.at) : none;
    for (std::size_t i = 0; i < queued_; ++i) {
        earliest = std::min(earliest, waiting_[after(place(), i)].due);
    }
    return earliest;
}

void PipeUnit::add_times(StateHash& hash, const Moment& moment) const {
    hash.add(queued_);
    for (std::size_t i = 0; i < left_.size() - queued_; ++i) {
        hash.add(moment.from_now(left_[after(next_, i)]));
    }
    for (std::size_t i = 0; i < queued_; ++i) {
        hash.add(moment.from_now(waiting_[after(place(), i)].due));
    }
    if (transfer_) {
        for (const Cycles at :
             {transfer_->start.at, transfer_->timing.alone, transfer_->timing.settled}) {
            hash.add(moment.from_now(at));
        }
    }
    hash.add(moment.from_now(ended_));
    hash.add(moment.from_now(settled_));
}

void PipeUnit::add_work(StateHash& hash,
                        const Moment& moment,
                        const timing::FlagTurns& turns) const {
    hash.add(blocked_);
    const isa::Instruction* before = nullptr; // that what follows may have to wait for
    const auto add = [&](const isa::Instruction& instruction) {
        turns.add_to(hash, instruction);
        hash.add(before != nullptr && isa::depends(instruction, *before));
        before = !isa::is_sync(instruction) ? &instruction : before;
    };
    if (settled_ > std::max(moment.least, ended_)) {
        add(last_);
    }
    if (transfer_) {
        add(transfer_->instruction);
    }
    for (std::size_t i = 0; i < queued_; ++i) {
        add(waiting_[after(place(), i)].instruction);
    }
}

} // namespace npusim::model
