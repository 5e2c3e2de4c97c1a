// SPDX-License-Identifier: Apache-2.0
#include "sim/model/core.h"

#include "sim/base/error.h"
#include "sim/isa/instruction.h"
#include "sim/model/clock.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace npusim::model {

namespace {

/// How far the dispatcher runs ahead of the kernel where nothing else holds it up: it bounds what
/// is kept of a run for those who want it in order of time.
constexpr Cycles kHorizon{8192};

} // namespace

Core::Core(const sc_core::sc_module_name& name,
           const config::HardwareConfig& hardware,
           CoreSetup setup,
           isa::Program program,
           CoreHost& host,
           const observe::Observers& observers)
    : sc_module(name), hardware_(hardware), setup_(std::move(setup)), host_(host),
      observers_(observers), flags_(hardware.sync.flag_ids, hardware.sync.cross_flag_ids),
      feed_(std::move(program), hardware.sync.flag_ids) {
    if (setup_.gm != nullptr) {
        memory_.emplace(hardware, *setup_.gm);
    }
    for (const Pipe pipe : setup_.info.pipes) {
        if (pipe != Pipe::Scalar) {
            units_[static_cast<std::size_t>(pipe)] = std::make_unique<PipeUnit>(
                pipe, static_cast<std::size_t>(hardware.scalar.queue_depth), *this);
        }
    }
    std::ranges::copy_if(observers_, std::back_inserter(detailed_), &observe::Observer::detailed);
    SC_HAS_PROCESS(Core);
    SC_METHOD(wake);
    sensitive << wake_;
}

/// Called at the start of the run, when a flag of another core arrives, and when the kernel has
/// caught up with a core that has run far ahead.
void Core::wake() {
    try {
        if (local_ < hardware_.launch) {
            for (const Pipe pipe : setup_.info.pipes) {
                span(pipe, observe::State::Launch, Cycles{0}, hardware_.launch, nullptr);
            }
            local_ = accounted_ = hardware_.launch;
        }
        for (; !crossings_.empty() && crossings_.front().at <= now(); crossings_.pop_front()) {
            const Crossing& crossing = crossings_.front();
            flags_.raise_cross(crossing.id, {crossing.at, crossing.number});
            reached_ = std::max(reached_, crossing.at + passed_);
            unsettled_ = ~0U; // any pipe may wait for it
        }
        if (!crossings_.empty()) {
            wake_.notify(until(crossings_.front().at));
        }
        run();
    } catch (...) {
        host_.fail();
    }
}

/// Works out all that follows from what is known.
void Core::run() {
    const Cycles reached = now();
    horizon_ = reached + kHorizon;
    if (reached > told_ + kHorizon) {
        told_ = reached;
        for (observe::Observer* observer : observers_) {
            observer->on_time(setup_.index, reached);
        }
    }
    settle();
    while (dispatch_next()) {
        settle();
    }
}

/// Lets every pipe go on that can: one may raise what another waits for.
void Core::settle() {
    while (unsettled_ != 0) {
        const auto pipe = static_cast<std::size_t>(std::countr_zero(unsettled_));
        unsettled_ &= unsettled_ - 1;
        if (pipe < units_.size() && units_[pipe] != nullptr) {
            units_[pipe]->advance();
        }
    }
}

bool Core::fetch() {
    while (next_ == block_end_) {
        const isa::Block* block = feed_.next();
        if (block == nullptr) {
            fetched_all_ = true;
            account();
            return false;
        }
        next_ = block->data();
        block_end_ = next_ + block->size();
    }
    return true;
}

/// Feeds the pipes in program order, one instruction every scalar.issue cycles. A full queue stops
/// it, and so does what the scalar unit itself has to wait for: false while it is not known for how
/// long.
bool Core::dispatch_next() {
    if (fetched_all_ || !fetch()) {
        return false;
    }
    if (local_ > horizon_) {
        wake_.notify(until(local_));
        return false;
    }
    const isa::Instruction& instruction = *next_;
    if (!std::exchange(checked_, true)) {
        isa::check(instruction, hardware_);
    }
    const Pipe pipe = isa::pipe_of(instruction, hardware_);
    if (pipe == Pipe::Scalar) {
        if (!run_scalar(instruction)) {
            return false;
        }
    } else {
        PipeUnit* target = unit(pipe);
        if (target == nullptr) {
            throw ProgramError(fmt::format("{}: {} has no {} pipe",
                                           isa::to_text(instruction),
                                           setup_.info.name,
                                           to_string(pipe)));
        }
        if (target->full()) {
            waits_for_room_ = pipe;
            return false;
        }
        waits_for_room_.reset();
        if (const Cycles room = target->room(); room > local_) {
            account();
            span(Pipe::Scalar, observe::State::QueueFull, local_, room, &instruction);
            local_ = accounted_ = room;
        }
        local_ += hardware_.scalar.issue;
        target->push(instruction, local_);
    }
    ++next_;
    checked_ = false;
    return true;
}

/// The scalar unit has been busy up to its own time.
void Core::account() {
    if (local_ > accounted_) {
        span(Pipe::Scalar, observe::State::Busy, accounted_, local_, nullptr);
        accounted_ = local_;
    }
}

/// Does an instruction of the scalar unit; false if it has to wait for what is not known yet.
bool Core::run_scalar(const isa::Instruction& instruction) {
    observe::Execution execution{
        .pipe = Pipe::Scalar, .instruction = &instruction, .issued = local_, .head = local_};
    if (!std::holds_alternative<isa::ScalarWork>(instruction) &&
        !std::holds_alternative<isa::ScalarLoad>(instruction)) {
        account();
        const std::optional<Cycles> pass = scalar_may_pass(instruction);
        held_by_ = pass ? nullptr : &instruction;
        if (!pass) {
            return false;
        }
        if (*pass > local_) {
            const bool cross = std::holds_alternative<isa::CrossWait>(instruction) ||
                               std::holds_alternative<isa::SyncAll>(instruction);
            execution.stall = cross ? observe::State::CrossCore : observe::State::Flag;
            span(Pipe::Scalar, execution.stall, local_, *pass, &instruction);
            local_ = accounted_ = *pass;
        }
        apply(instruction, local_);
    }
    execution.start = local_;
    local_ += timing::cost(instruction, hardware_);
    execution.alone = execution.end = execution.settled = local_;
    executed(execution);
    return true;
}

/// From when on the scalar unit may go on, as far as that is known.
std::optional<Cycles> Core::scalar_may_pass(const isa::Instruction& instruction) {
    if (std::holds_alternative<isa::BarrierAll>(instruction)) {
        return pipes_settled();
    }
    if (std::holds_alternative<isa::SyncAll>(instruction)) {
        if (!std::exchange(arrived_, true)) {
            host_.arrive(local_);
        }
        arrived_ = !release_;
        return std::exchange(release_, std::nullopt);
    }
    if (std::holds_alternative<isa::WaitFlag>(instruction) ||
        std::holds_alternative<isa::CrossWait>(instruction)) {
        return consume(instruction);
    }
    return local_;
}

std::optional<Cycles> Core::pipes_settled() const {
    Cycles settled = local_;
    for (const auto& pipe : units_) {
        if (pipe == nullptr) {
            continue;
        }
        if (!pipe->drained()) {
            return std::nullopt;
        }
        settled = std::max({settled, pipe->ended(), pipe->settled()});
    }
    return settled;
}

void Core::release(Cycles at) {
    release_ = at;
    wake_.notify(sc_core::SC_ZERO_TIME);
}

/// A number for a raise of a flag of this core, which no other raise of the chip has.
std::uint64_t Core::next_raise() {
    constexpr int core_bits = 16;
    return ++raises_ << core_bits | setup_.index;
}

void Core::tell(const observe::Raise& raise) {
    for (observe::Observer* observer : detailed_) {
        observer->on_raise(raise);
    }
}

void Core::cross_raise(std::int32_t id, std::size_t source, Pipe from, Cycles sent) {
    const Cycles at = sent + hardware_.sync.cross_core;
    const auto later = std::ranges::upper_bound(crossings_, at, {}, &Crossing::at);
    const std::uint64_t number = next_raise();
    crossings_.insert(later, {at, id, number});
    tell({.number = number,
          .core = setup_.index,
          .cross = true,
          .from = from,
          .id = id,
          .source = source,
          .sent = sent,
          .at = at});
    wake_.notify(until(crossings_.front().at));
}

std::optional<Cycles> Core::consume(const isa::Instruction& wait) {
    const auto take = [&](std::optional<timing::Raised> raised) {
        consumed_ = raised ? raised->number : consumed_;
        return raised ? std::optional(raised->at) : std::nullopt;
    };
    const auto* flag = std::get_if<isa::WaitFlag>(&wait);
    return flag != nullptr ? take(flags_.consume(flag->from, flag->to, flag->id))
                           : take(flags_.consume_cross(std::get<isa::CrossWait>(wait).id));
}

PipeUnit::Timing Core::begin(const isa::Instruction& instruction, Pipe pipe, Cycles start) {
    Cycles full = start + timing::cost(instruction, hardware_);
    if (pipe == Pipe::Vector && !isa::is_sync(instruction)) {
        if (start <= vector_warm_until_) {
            full = std::max(start, full - hardware_.vector.warm);
        }
        vector_warm_until_ = full + hardware_.vector.idle;
    }
    if (!std::holds_alternative<isa::Copy>(instruction) &&
        !std::holds_alternative<isa::Fixpipe>(instruction)) {
        return {full, full, false};
    }
    const Cycles alone = full - timing::overlap(instruction, hardware_);
    const timing::GmTraffic traffic = timing::gm_traffic(instruction, hardware_);
    if (traffic.bytes > 0) {
        gm->transfer({start, setup_.index, pipe, this, alone, traffic});
    }
    return {alone, full, traffic.bytes > 0};
}

void Core::served(Pipe pipe, const timing::GmTraffic& traffic, timing::GmServer::Outcome outcome) {
    try {
        for (observe::Observer* observer : observers_) {
            observer->on_gm({.core = setup_.index,
                             .pipe = pipe,
                             .start = now(),
                             .end = outcome.end,
                             .bytes = traffic.bytes,
                             .hbm_bytes = outcome.hbm_bytes,
                             .write = traffic.write,
                             .cold = traffic.cold});
        }
        unit(pipe)->served(outcome.end);
        unsettled_ |= 1U << static_cast<unsigned>(pipe);
        run();
    } catch (...) {
        host_.fail();
    }
}

void Core::look_ahead() {
    try {
        run();
        account(); // what is not in spans yet would grow from lap to lap
    } catch (...) {
        host_.fail();
    }
}

/// `now`, with the time before which nothing of this core is still to start.
Moment Core::moment(Cycles now) const {
    Moment moment{now, local_};
    each_unit([&](const PipeUnit& unit) { moment.least = unit.earliest(moment.least); });
    return moment;
}

void Core::add_times(StateHash& hash, Cycles now) const {
    const Moment moment = this->moment(now);
    hash.add(moment.from_now(local_));
    hash.add((std::max(vector_warm_until_, moment.least - Cycles{1}) - now).count());
    hash.add(release_.has_value());
    hash.add(release_ ? moment.from_now(*release_) : 0);
    for (const Crossing& crossing : crossings_) {
        hash.add(moment.from_now(crossing.at));
    }
    each_unit([&](const PipeUnit& unit) { unit.add_times(hash, moment); });
}

void Core::add_to(StateHash& hash, Cycles now) const {
    hash.add(finished());
    if (finished()) { // and has no future
        return;
    }
    add_times(hash, now);
    hash.add(block_end_ - next_);
    hash.add(feed_.last());
    hash.add(fetched_all_);
    hash.add(unsettled_);
    hash.add(arrived_);
    for (const Crossing& crossing : crossings_) {
        hash.add(crossing.id);
    }
    const Moment moment = this->moment(now);
    flags_.add_to(
        hash, [&](Cycles at) { return moment.from_now(at); }, feed_.turns());
    each_unit([&](const PipeUnit& unit) { unit.add_work(hash, moment, feed_.turns()); });
}

void Core::add_sides(GmSides& sides,
                     const isa::Instruction* begin,
                     const isa::Instruction* end) const {
    for (const isa::Instruction* at = begin; at != end; ++at) {
        if (const isa::Tile* tile = isa::gm_side(*at)) {
            sides[static_cast<std::size_t>(isa::pipe_of(*at, hardware_))].next.push_back(
                tile->address);
        }
    }
}

GmSides Core::gm_sides() {
    GmSides sides;
    each_unit([&](PipeUnit& unit) {
        unit.each_under_way([&](const isa::Instruction& instruction) {
            if (const isa::Tile* tile = isa::gm_side(instruction)) {
                sides[static_cast<std::size_t>(unit.pipe())].next.push_back(tile->address);
            }
        });
    });
    add_sides(sides, next_, block_end_);
    return sides;
}

void Core::add_drawn(GmSides& sides) const {
    for (const Feed::Drawn& drawn : feed_.drawn()) {
        add_sides(sides, drawn.block.data(), drawn.block.data() + drawn.block.size());
    }
}

void Core::pass_lap() {
    const std::ptrdiff_t left = block_end_ - next_;
    if (const isa::Block* block = feed_.pass()) {
        block_end_ = block->data() + block->size();
        next_ = block_end_ - left;
        held_by_ = held_by_ != nullptr ? next_ : nullptr;
    }
}

void Core::catch_up(const GmSides& sides, const timing::FlagTurns& then, Cycles cycles) {
    passed_ += cycles;
    if (finished()) { // its end may be known long before it comes
        return;
    }
    reached_ += cycles;
    flags_.turn(then, feed_.turns());
    each_unit([&](PipeUnit& unit) {
        const GmSide& side = sides[static_cast<std::size_t>(unit.pipe())];
        if (side.last) {
            unit.put_last_gm_side(*side.last);
        }
        auto next = side.next.begin();
        unit.each_under_way([&](isa::Instruction& instruction) {
            feed_.turns().turn(instruction, then);
            if (isa::Tile* tile = isa::gm_side(instruction)) {
                tile->address = *next++;
            }
        });
    });
}

void Core::apply(const isa::Instruction& instruction, Cycles at) {
    reached_ = std::max(reached_, at + passed_);
    if (const auto* set = std::get_if<isa::SetFlag>(&instruction)) {
        const std::uint64_t number = next_raise();
        flags_.raise(set->from, set->to, set->id, {at, number});
        tell({.number = number,
              .core = setup_.index,
              .from = set->from,
              .to = set->to,
              .id = set->id,
              .source = setup_.index,
              .sent = at,
              .at = at});
        unsettled_ |= 1U << static_cast<unsigned>(set->to);
    } else if (const auto* cross = std::get_if<isa::CrossSet>(&instruction)) {
        host_.cross_set(setup_.index, cross->pipe, cross->target, cross->id, at);
    } else if (memory_) {
        setup_.effects->add(at, instruction, *memory_);
    }
}

void Core::span(Pipe pipe,
                observe::State state,
                Cycles start,
                Cycles end,
                const isa::Instruction* instruction) {
    const observe::Span span{setup_.index, pipe, state, start, end, instruction};
    for (observe::Observer* observer : observers_) {
        observer->on_span(span);
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
