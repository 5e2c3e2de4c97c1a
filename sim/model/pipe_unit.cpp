// SPDX-License-Identifier: Apache-2.0
#include "sim/model/pipe_unit.h"

#include "sim/isa/instruction.h"
#include "sim/model/clock.h"

#include <algorithm>
#include <utility>

namespace npusim::model {

namespace {

/// Flags and barriers.
bool is_sync(const isa::Instruction& instruction) {
    return std::visit([](const auto& op) { return isa::is_sync<std::decay_t<decltype(op)>>; },
                      instruction);
}

} // namespace

PipeUnit::PipeUnit(const sc_core::sc_module_name& name,
                   Pipe pipe,
                   std::size_t queue_depth,
                   PipeHost& host)
    : sc_module(name), pipe_(pipe), queue_depth_(queue_depth), host_(host) {
    SC_HAS_PROCESS(PipeUnit);
    SC_METHOD(step);
    sensitive << wake_;
    dont_initialize();
    SC_METHOD(deliver);
    sensitive << settle_;
    dont_initialize();
}

void PipeUnit::push(const isa::Instruction& instruction, Cycles issued) {
    const bool was_idle = drained();
    queue_.push_back({instruction, issued});
    if (was_idle) {
        wake_.notify(to_time(std::max(issued, now()) - now()));
    }
}

void PipeUnit::flag_raised() {
    if (blocked_) {
        wake_.notify(sc_core::SC_ZERO_TIME);
    }
}

void PipeUnit::step() {
    try {
        if (executing_) {
            finish_current();
        }
        while (start_next()) {
        }
        if (drained()) {
            host_.drained();
        }
    } catch (...) {
        host_.fail();
    }
}

void PipeUnit::finish_current() {
    executing_ = false;
    if (is_sync(current_)) {
        host_.span(pipe_, observe::State::Sync, start_, now(), &current_);
    } else {
        host_.span(pipe_, observe::State::Busy, start_, alone_, &current_);
        if (now() > alone_) {
            host_.span(pipe_, observe::State::Gm, alone_, now(), &current_);
        }
    }
    raise_or_defer();
}

/// A flag goes up when what came before it is settled; the pipe does not wait for that.
void PipeUnit::raise_or_defer() {
    const bool set = std::holds_alternative<isa::SetFlag>(current_) ||
                     std::holds_alternative<isa::CrossSet>(current_);
    if (!set || (settled_ <= now() && deferred_.empty())) {
        host_.complete(current_);
        return;
    }
    deferred_.push_back({current_, settled_});
    if (deferred_.size() == 1) {
        settle_.notify(to_time(settled_ - now()));
    }
}

void PipeUnit::deliver() {
    try {
        while (!deferred_.empty() && deferred_.front().due <= now()) {
            host_.complete(deferred_.front().instruction);
            deferred_.pop_front();
        }
        if (!deferred_.empty()) {
            settle_.notify(to_time(deferred_.front().due - now()));
        }
    } catch (...) {
        host_.fail();
    }
}

bool PipeUnit::needs_settled(const isa::Instruction& head) const {
    return std::holds_alternative<isa::PipeBarrier>(head) || isa::depends(head, last_);
}

/// Starts the head if it can; true if it ended at once and the next may start in the same cycle.
bool PipeUnit::start_next() {
    if (queue_.empty()) {
        return false;
    }
    const Entry& head = queue_.front();
    if (head.due > now()) {
        wake_.notify(to_time(head.due - now()));
        return false;
    }
    if (settled_ > now() && needs_settled(head.instruction)) {
        host_.span(pipe_, observe::State::Sync, now(), settled_, &head.instruction);
        wake_.notify(to_time(settled_ - now()));
        return false;
    }
    if (!host_.pass(head.instruction)) {
        if (!std::exchange(blocked_, true)) {
            blocked_since_ = now();
        }
        return false;
    }
    if (std::exchange(blocked_, false) && now() > blocked_since_) {
        const bool cross = std::holds_alternative<isa::CrossWait>(head.instruction);
        host_.span(pipe_,
                   cross ? observe::State::CrossCore : observe::State::Flag,
                   blocked_since_,
                   now(),
                   &head.instruction);
    }
    current_ = head.instruction;
    queue_.pop_front();
    room_.notify(sc_core::SC_ZERO_TIME);
    start_ = now();
    const PipeHost::Timing timing = host_.begin(current_, start_);
    alone_ = timing.alone;
    tail_ = timing.settled - timing.alone;
    executing_ = true;
    if (timing.gm) {
        return false;
    }
    end_at(alone_);
    if (alone_ > start_) {
        return false;
    }
    finish_current();
    return true;
}

void PipeUnit::end_at(Cycles end) {
    settled_ = std::max(settled_, end + tail_);
    if (settled_ > end && isa::accesses(current_).count > 0) {
        last_ = current_;
    }
    if (end > start_) {
        wake_.notify(until(end));
    }
}

void PipeUnit::served(Cycles end) {
    end_at(end);
}

} // namespace npusim::model
