// SPDX-License-Identifier: Apache-2.0
#include "traces/recorder.h"

#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace npusim::traces {

namespace {

/// Stalls are held back no longer than this many of them.
constexpr std::size_t kMostHeld = 16;

} // namespace

/// A pipe of a core. An instruction is held back until the next one of its pipe, by when the flags
/// that are set after it are known.
class Recorder::PipeLane {
  public:
    PipeLane(Recorder& recorder, Lane lane)
        : recorder_(recorder), lane_(std::move(lane)), id_(recorder.add_lane(lane_)) {}

    void add(const observe::Span& span) {
        if (recorder_.detail_ == Detail::Pipes) {
            extend(span);
            return;
        }
        const Slice slice{id_, span.state, span.start, span.end, span.instruction};
        if (span.state == observe::State::Busy && span.instruction != nullptr) {
            flush();
            held_ = slice;
            keep(held_, op_);
            std::swap(received_, arrived_);
            arrived_.clear();
            holds_ = true;
        } else if (!holds_) {
            recorder_.writer_->slice(slice);
        } else {
            Stall& stall = after_.emplace_back(Stall{slice, {}});
            keep(stall.slice, stall.instruction);
            if (after_.size() > kMostHeld) {
                flush();
            }
        }
    }
    /// What follows waits for flag `number`.
    void receive(std::uint64_t number) { arrived_.push_back(number); }
    /// What came before lets a flag go up; whether there was anything.
    bool send(std::uint64_t number) {
        if (holds_) {
            sent_.push_back(number);
        }
        return holds_;
    }
    /// A transfer settles while the pipe goes on.
    void settle(const observe::Execution& execution) {
        auto slot = std::ranges::find_if(
            slots_, [&](const Slot& free) { return free.until <= execution.start; });
        if (slot == slots_.end()) {
            Lane lane = lane_;
            lane.in_flight = true;
            slots_.push_back({recorder_.add_lane(lane), {}});
            slot = slots_.end() - 1;
        }
        slot->until = execution.settled;
        recorder_.writer_->slice({slot->lane,
                                  observe::State::Busy,
                                  execution.start,
                                  execution.settled,
                                  execution.instruction});
    }
    void flush() {
        if (!holds_) {
            return;
        }
        held_.sends = sent_;
        held_.receives = received_;
        recorder_.writer_->slice(held_);
        for (const Stall& stall : after_) {
            Slice slice = stall.slice;
            slice.instruction = slice.instruction == nullptr ? nullptr : &stall.instruction;
            recorder_.writer_->slice(slice);
        }
        after_.clear();
        sent_.clear();
        holds_ = false;
    }

  private:
    struct Stall {
        Slice slice;
        isa::Instruction instruction;
    };
    struct Slot {
        LaneId lane;
        Cycles until;
    };

    static void keep(Slice& slice, isa::Instruction& place) {
        if (slice.instruction != nullptr) {
            place = *slice.instruction;
            slice.instruction = &place;
        }
    }
    /// One slice for all that follows in the same state. Flags count as work.
    void extend(const observe::Span& span) {
        const observe::State state =
            span.state == observe::State::Sync ? observe::State::Busy : span.state;
        if (holds_ && held_.state == state && held_.end == span.start) {
            held_.end = span.end;
            return;
        }
        flush();
        held_ = {id_, state, span.start, span.end};
        holds_ = true;
    }

    Recorder& recorder_;
    Lane lane_;
    LaneId id_;
    bool holds_ = false;
    Slice held_;
    isa::Instruction op_; ///< of `held_`
    std::vector<std::uint64_t> sent_;
    std::vector<std::uint64_t> received_;
    std::vector<std::uint64_t> arrived_; ///< for the next instruction
    std::vector<Stall> after_;
    std::vector<Slot> slots_;
};

/// What is counted of one core: queues and local buffers.
class Recorder::CoreCounters {
  public:
    CoreCounters(Recorder& recorder, std::size_t core, const observe::CoreInfo& info) {
        const auto counter =
            [&](std::string group, std::string name, std::string unit, auto limit) {
                return &recorder.add_counter({.group = std::move(group),
                                              .name = std::move(name),
                                              .unit = std::move(unit),
                                              .limit = static_cast<double>(limit),
                                              .core = core,
                                              .core_name = info.name});
            };
        for (const Pipe pipe : info.pipes) {
            if (pipe != Pipe::Scalar) {
                queues_[static_cast<std::size_t>(pipe)] =
                    counter("queue",
                            std::string(to_string(pipe)),
                            "instructions",
                            recorder.hardware_.scalar.queue_depth);
            }
        }
        const bool cube = std::ranges::count(info.pipes, Pipe::Cube) > 0;
        const bool vector = std::ranges::count(info.pipes, Pipe::Vector) > 0;
        for (const Memory memory :
             {Memory::L1, Memory::L0a, Memory::L0b, Memory::L0c, Memory::Ub}) {
            if (memory == Memory::Ub ? vector : cube) {
                Series* series = counter("occupancy",
                                         std::string(to_string(memory)),
                                         "bytes",
                                         recorder.hardware_.buffer(memory).size_bytes);
                buffers_[static_cast<std::size_t>(memory)] = std::make_unique<Occupancy>(*series);
            }
        }
    }
    void add(const observe::Execution& execution) {
        if (Series* queue = queues_[static_cast<std::size_t>(execution.pipe)]) {
            queue->add(execution.issued, execution.start, 1);
        }
        const isa::Accesses accesses = isa::accesses(*execution.instruction);
        for (const isa::Access& access : accesses.all()) {
            if (Occupancy* buffer = buffers_[static_cast<std::size_t>(access.tile->memory)].get()) {
                buffer->access(*access.tile, access.write, execution);
            }
        }
    }
    void finish() {
        for (const auto& buffer : buffers_) {
            if (buffer) {
                buffer->finish();
            }
        }
    }

  private:
    std::array<Series*, kPipeCount> queues_{};
    std::array<std::unique_ptr<Occupancy>, kMemoryCount> buffers_;
};

struct Recorder::Measured {
    Counter counter;
    Series series;
};

Recorder::Recorder(std::unique_ptr<TraceWriter> writer,
                   const config::HardwareConfig& hardware,
                   Selection selection,
                   Detail detail)
    : writer_(std::move(writer)), hardware_(hardware), selection_(std::move(selection)),
      detail_(detail) {}

Recorder::~Recorder() = default;

LaneId Recorder::add_lane(const Lane& lane) {
    writer_->lane(lanes_, lane);
    return lanes_++;
}

Series& Recorder::add_counter(Counter counter) {
    return counters_
        .emplace_back(Measured{std::move(counter), Series(selection_.from(), selection_.to())})
        .series;
}

Recorder::PipeLane* Recorder::lane_of(std::size_t core, Pipe pipe) {
    return pipes_[core][static_cast<std::size_t>(pipe)].get();
}

void Recorder::on_begin(const std::vector<observe::CoreInfo>& cores) {
    pipes_.resize(cores.size());
    of_core_.resize(cores.size());
    const config::GmConfig& gm = hardware_.gm;
    read_ = &add_counter({"gm", "read", "bytes/cycle", gm.l2_read_bytes_per_cycle});
    written_ = &add_counter({"gm", "written", "bytes/cycle", gm.l2_write_bytes_per_cycle});
    hbm_ = &add_counter({"gm", "HBM", "bytes/cycle", gm.hbm_bytes_per_cycle});
    std::string_view first; // AI core that is shown
    for (std::size_t core = 0; core < cores.size(); ++core) {
        const observe::CoreInfo& info = cores[core];
        for (const Pipe pipe : info.pipes) {
            share_[static_cast<std::size_t>(pipe)] += 1;
        }
        if (!selection_.shows_core(info.name)) {
            continue;
        }
        for (const Pipe pipe : info.pipes) {
            pipes_[core][static_cast<std::size_t>(pipe)] =
                std::make_unique<PipeLane>(*this, Lane{core, info.name, pipe});
        }
        const std::string_view ai_core = observe::ai_core_of(info.name);
        first = first.empty() ? ai_core : first;
        if (detail_ == Detail::All || (detail_ == Detail::Instructions && ai_core == first)) {
            of_core_[core] = std::make_unique<CoreCounters>(*this, core, info);
        }
    }
    for (const Pipe pipe : {Pipe::Cube, Pipe::Vector}) {
        const auto i = static_cast<std::size_t>(pipe);
        if (share_[i] > 0) {
            share_[i] = 100 / share_[i];
            busy_[i] = &add_counter({"utilisation", std::string(to_string(pipe)), "%", 100});
        }
    }
}

void Recorder::on_span(const observe::Span& span) {
    const auto pipe = static_cast<std::size_t>(span.pipe);
    if (busy_[pipe] != nullptr && span.state == observe::State::Busy) {
        busy_[pipe]->add(span.start, span.end, share_[pipe]);
    }
    PipeLane* lane = lane_of(span.core, span.pipe);
    if (lane == nullptr || !selection_.shows(span.start, span.end)) {
        return;
    }
    const bool dispatch = span.pipe == Pipe::Scalar &&
                          (span.instruction == nullptr || span.state == observe::State::QueueFull);
    const bool noise =
        span.state == observe::State::Sync || (dispatch && span.state != observe::State::Launch);
    if (detail_ != Detail::Instructions || !noise) {
        lane->add(span);
    }
}

void Recorder::on_gm(const observe::GmAccess& access) {
    (access.write ? written_ : read_)
        ->spread(access.start, access.end, static_cast<double>(access.bytes));
    hbm_->spread(access.start, access.end, static_cast<double>(access.hbm_bytes));
}

void Recorder::on_execute(const observe::Execution& execution) {
    if (CoreCounters* counters = of_core_[execution.core].get()) {
        counters->add(execution);
    }
    const bool arrow = execution.consumed != 0 && hidden_.erase(execution.consumed) == 0;
    PipeLane* lane = lane_of(execution.core, execution.pipe);
    if (lane == nullptr || !selection_.shows(execution.start, execution.settled)) {
        return;
    }
    if (arrow && execution.pipe != Pipe::Scalar) {
        lane->receive(execution.consumed);
    }
    if (execution.settled > execution.end) {
        lane->settle(execution);
    }
}

void Recorder::on_raise(const observe::Raise& raise) {
    PipeLane* lane = lane_of(raise.source, raise.from);
    if (lane == nullptr || !lane->send(raise.number)) {
        hidden_.insert(raise.number);
    }
}

void Recorder::on_end(Cycles total) {
    for (auto& core : pipes_) {
        for (const auto& lane : core) {
            if (lane) {
                lane->flush();
            }
        }
    }
    for (const auto& counters : of_core_) {
        if (counters) {
            counters->finish();
        }
    }
    for (Measured& measured : counters_) {
        measured.series.reach(total); // all of them in the same steps
        writer_->counter(measured.counter, measured.series);
    }
    writer_->end(total);
}

} // namespace npusim::traces
