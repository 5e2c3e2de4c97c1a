// SPDX-License-Identifier: Apache-2.0
#include "sim/model/core.h"

#include "sim/base/error.h"
#include "sim/functional/execute.h"
#include "sim/isa/instruction.h"
#include "sim/model/clock.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace npusim::model {

Core::Core(const sc_core::sc_module_name& name,
           const config::HardwareConfig& hardware,
           CoreSetup setup,
           CoreHost& host,
           const observe::Observers& observers)
    : sc_module(name), hardware_(hardware), setup_(std::move(setup)), host_(host),
      observers_(observers), flags_(hardware.sync.flag_ids, hardware.sync.cross_flag_ids) {
    if (setup_.gm != nullptr) {
        memory_.emplace(hardware, *setup_.gm);
    }
    PipeHost& self = *this;
    for (const Pipe pipe : setup_.info.pipes) {
        if (pipe != Pipe::Scalar) {
            units_[static_cast<std::size_t>(pipe)] = std::make_unique<PipeUnit>(
                sc_core::sc_module_name(std::string(to_string(pipe)).c_str()),
                pipe,
                static_cast<std::size_t>(hardware.scalar.queue_depth),
                self);
        }
    }
    SC_HAS_PROCESS(Core);
    SC_METHOD(dispatch);
    SC_METHOD(deliver_cross);
    sensitive << crossing_;
    dont_initialize();
}

bool Core::fetch() {
    while (block_ == nullptr || next_ == block_->size()) {
        block_ = setup_.program.next();
        next_ = 0;
        if (block_ == nullptr) {
            fetched_all_ = true;
            return false;
        }
    }
    return true;
}

/// Feeds the pipes in program order, one instruction every scalar.issue cycles. A full queue stops
/// it, and so does what the scalar unit itself has to wait for; until then it runs ahead of the
/// kernel, stamping each instruction with its issue time.
void Core::dispatch() {
    try {
        if (local_ < hardware_.launch) {
            for (const Pipe pipe : setup_.info.pipes) {
                span(pipe, observe::State::Launch, Cycles{0}, hardware_.launch, nullptr);
            }
            local_ = accounted_ = hardware_.launch;
        }
        if (waits_for_room_ && !unit(*waits_for_room_)->full()) {
            waits_for_room_.reset();
            if (now() > local_) {
                span(Pipe::Scalar, observe::State::QueueFull, local_, now(), nullptr);
                local_ = accounted_ = now();
            }
        }
        while (fetch()) {
            const isa::Instruction& instruction = (*block_)[next_];
            if (!std::exchange(checked_, true)) {
                isa::check(instruction, hardware_);
            }
            const Pipe pipe = isa::pipe_of(instruction, hardware_);
            if (pipe == Pipe::Scalar) {
                if (!run_scalar(instruction)) {
                    break;
                }
                advance();
                continue;
            }
            PipeUnit* target = unit(pipe);
            if (target == nullptr) {
                throw ProgramError(fmt::format("{}: {} has no {} pipe",
                                               isa::to_text(instruction),
                                               setup_.info.name,
                                               to_string(pipe)));
            }
            if (target->full()) {
                waits_for_room_ = pipe;
                next_trigger(target->room());
                break;
            }
            local_ += hardware_.scalar.issue;
            target->push(instruction, local_);
            advance();
        }
        account();
    } catch (...) {
        fail();
    }
}

/// The scalar unit has been busy up to its own time.
void Core::account() {
    if (local_ > accounted_) {
        span(Pipe::Scalar, observe::State::Busy, accounted_, local_, nullptr);
        accounted_ = local_;
    }
}

/// Does an instruction of the scalar unit; false if it has to wait, with what it waits for set as
/// the next trigger.
bool Core::run_scalar(const isa::Instruction& instruction) {
    if (!std::holds_alternative<isa::ScalarWork>(instruction) &&
        !std::holds_alternative<isa::ScalarLoad>(instruction)) {
        if (local_ > now()) { // it meets the other pipes, whose time is the kernel's
            next_trigger(to_time(local_ - now()));
            return false;
        }
        account();
        if (!scalar_may_pass(instruction)) {
            held_by_ = &instruction;
            return false;
        }
        held_by_ = nullptr;
        if (now() > local_) {
            const bool cross = std::holds_alternative<isa::CrossWait>(instruction) ||
                               std::holds_alternative<isa::SyncAll>(instruction);
            span(Pipe::Scalar,
                 cross ? observe::State::CrossCore : observe::State::Flag,
                 local_,
                 now(),
                 &instruction);
            local_ = accounted_ = now();
        }
        complete(instruction);
    }
    local_ += timing::cost(instruction, hardware_);
    return true;
}

/// Whether the scalar unit may go on; if not, sets the next trigger.
bool Core::scalar_may_pass(const isa::Instruction& instruction) {
    if (std::holds_alternative<isa::BarrierAll>(instruction)) {
        return pipes_settled();
    }
    if (std::holds_alternative<isa::SyncAll>(instruction)) {
        if (!std::exchange(arrived_, true)) {
            host_.arrive();
        }
        if (release_ && *release_ <= now()) {
            release_.reset();
            arrived_ = false;
            return true;
        }
        if (release_) {
            next_trigger(to_time(*release_ - now()));
            return false;
        }
    } else if (pass(instruction)) {
        return true;
    }
    next_trigger(scalar_wake_);
    return false;
}

bool Core::pipes_settled() {
    Cycles settled = now();
    for (const auto& pipe : units_) {
        if (pipe == nullptr) {
            continue;
        }
        if (!pipe->drained()) {
            next_trigger(scalar_wake_);
            return false;
        }
        settled = std::max(settled, pipe->settled());
    }
    if (settled > now()) {
        next_trigger(to_time(settled - now()));
        return false;
    }
    return true;
}

void Core::wake_scalar() {
    if (held_by_ != nullptr) {
        scalar_wake_.notify(sc_core::SC_ZERO_TIME);
    }
}

void Core::release(Cycles at) {
    release_ = at;
    wake_scalar();
}

void Core::cross_raise(std::int32_t id) {
    crossings_.push_back({now() + hardware_.sync.cross_core, id});
    if (crossings_.size() == 1) {
        crossing_.notify(to_time(hardware_.sync.cross_core));
    }
}

void Core::deliver_cross() {
    while (!crossings_.empty() && crossings_.front().at <= now()) {
        flags_.raise_cross(crossings_.front().id);
        crossings_.pop_front();
    }
    for (const auto& pipe : units_) {
        if (pipe != nullptr) {
            pipe->flag_raised();
        }
    }
    wake_scalar();
    if (!crossings_.empty()) {
        crossing_.notify(to_time(crossings_.front().at - now()));
    }
}

bool Core::pass(const isa::Instruction& instruction) {
    if (const auto* wait = std::get_if<isa::WaitFlag>(&instruction)) {
        return flags_.try_consume(wait->from, wait->to, wait->id);
    }
    if (const auto* wait = std::get_if<isa::CrossWait>(&instruction)) {
        return flags_.try_consume_cross(wait->id);
    }
    return true;
}

PipeHost::Timing Core::begin(const isa::Instruction& instruction, Cycles start) {
    const Pipe pipe = isa::pipe_of(instruction, hardware_);
    Cycles full = start + timing::cost(instruction, hardware_);
    if (pipe == Pipe::Vector && isa::accesses(instruction).count > 0) {
        if (start <= vector_warm_until_) {
            full = std::max(start, full - hardware_.vector.warm);
        }
        vector_warm_until_ = full + hardware_.vector.idle;
    }
    const Cycles alone = full - timing::overlap(instruction, hardware_);
    for (observe::Observer* observer : observers_) {
        observer->on_start({setup_.index, pipe, start, alone});
    }
    const timing::GmTraffic traffic = timing::gm_traffic(instruction, hardware_);
    if (traffic.bytes > 0) {
        gm->transfer({this, setup_.index, pipe, start, alone, traffic});
    }
    return {alone, full, traffic.bytes > 0};
}

void Core::served(Pipe pipe, const timing::GmTraffic& traffic, timing::GmServer::Outcome outcome) {
    for (observe::Observer* observer : observers_) {
        observer->on_gm(
            {setup_.index, traffic.bytes, outcome.hbm_bytes, traffic.write, traffic.cold});
    }
    unit(pipe)->served(outcome.end);
}

void Core::complete(const isa::Instruction& instruction) {
    if (const auto* set = std::get_if<isa::SetFlag>(&instruction)) {
        flags_.raise(set->from, set->to, set->id);
        if (set->to == Pipe::Scalar) {
            wake_scalar();
        } else if (PipeUnit* waiter = unit(set->to); waiter != nullptr) {
            waiter->flag_raised();
        }
    } else if (const auto* cross = std::get_if<isa::CrossSet>(&instruction)) {
        host_.cross_set(setup_.index, cross->target, cross->id);
    } else if (memory_) {
        functional::execute(instruction, *memory_, setup_.numerics);
    }
}

void Core::span(Pipe pipe,
                observe::State state,
                Cycles start,
                Cycles end,
                const isa::Instruction* instruction) {
    if (end > start) {
        for (observe::Observer* observer : observers_) {
            observer->on_span({setup_.index, pipe, state, start, end, instruction});
        }
    }
}

bool Core::finished() const {
    return fetched_all_ && std::all_of(units_.begin(), units_.end(), [](const auto& pipe) {
               return pipe == nullptr || pipe->drained();
           });
}

std::string Core::report() const {
    std::string text;
    if (waits_for_room_) {
        text += fmt::format("  {}.scalar: waits for room in the {} queue ({} queued)\n",
                            setup_.info.name,
                            to_string(*waits_for_room_),
                            unit(*waits_for_room_)->queued());
    }
    if (held_by_ != nullptr) {
        text +=
            fmt::format("  {}.scalar: waits at `{}`\n", setup_.info.name, isa::to_text(*held_by_));
    }
    for (const auto& pipe : units_) {
        if (pipe == nullptr) {
            continue;
        }
        const std::string where =
            fmt::format("  {}.{}: ", setup_.info.name, to_string(pipe->pipe()));
        if (const isa::Instruction* held = pipe->blocked_on(); held == nullptr) {
            text += where + "idle, nothing queued\n";
        } else if (const auto* wait = std::get_if<isa::WaitFlag>(held)) {
            text += where + fmt::format("waits at `{}` for {} to set it, {} queued\n",
                                        isa::to_text(*held),
                                        to_string(wait->from),
                                        pipe->queued());
        } else {
            text += where + fmt::format("waits at `{}` for another core of its AI core to set it, "
                                        "{} queued\n",
                                        isa::to_text(*held),
                                        pipe->queued());
        }
    }
    return text;
}

} // namespace npusim::model
