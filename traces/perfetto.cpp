// SPDX-License-Identifier: Apache-2.0
#include "traces/perfetto.h"

#include "sim/isa/instruction.h"
#include "traces/perfetto_format.h"

#include <utility>

namespace npusim::traces {

using namespace perfetto;

namespace {

// Numbers of tracks. Lanes have the small ones: they stand in every slice.
constexpr std::uint64_t kFirstLane = 1;
constexpr std::uint64_t kFirstCore = std::uint64_t{1} << 32U;
constexpr std::uint64_t kFirstCounter = std::uint64_t{1} << 33U;
constexpr std::uint64_t kAfterLanes = 1000; ///< rank among the tracks of a core

enum Argument : std::uint64_t { kOp = 1, kStalledAt, kCycle, kCycles, kTo, kFrom, kSecond };
constexpr std::array<std::string_view, 7> kArgumentNames{
    "op", "stalled at", "cycle", "cycles", "to address", "from address", "second from address"};

constexpr std::size_t kFlushAt = std::size_t{1} << 18U; ///< bytes

} // namespace

PerfettoTrace::PerfettoTrace(const std::filesystem::path& path, double clock_mhz, bool addresses)
    : file_(path), nanoseconds_(clock_mhz), addresses_(addresses) {
    packet([&] {
        out_.number(packet_field::kSequenceFlags, kForgetInterned);
        for (std::size_t i = 0; i < kArgumentNames.size(); ++i) {
            interned(interned_field::kAnnotationName, i + 1, kArgumentNames[i]);
        }
    });
}

template <class Fill> void PerfettoTrace::packet(Fill fill) {
    out_.message(kTracePacket, [&] {
        out_.number(packet_field::kSequence, kOurSequence);
        fill();
    });
    if (out_.bytes().size() > kFlushAt) {
        file_.write(out_.bytes());
        out_.clear();
    }
}

template <class Fill>
void PerfettoTrace::track(std::uint64_t number, std::string_view name, Fill fill) {
    packet([&] {
        out_.message(packet_field::kTrackDescriptor, [&] {
            out_.number(track_field::kUuid, number);
            out_.text(track_field::kName, name);
            fill();
        });
    });
}

template <class Fill>
void PerfettoTrace::event(std::uint64_t track, Cycles at, std::uint64_t type, Fill fill) {
    out_.number(packet_field::kTimestamp, static_cast<std::uint64_t>(nanoseconds_(at)));
    out_.message(packet_field::kTrackEvent, [&] {
        out_.number(event_field::kType, type);
        out_.number(event_field::kTrack, track);
        fill();
    });
}

/// Tells the reader what `number` stands for from this packet on.
void PerfettoTrace::interned(std::uint32_t kind, std::uint64_t number, std::string_view text) {
    out_.message(packet_field::kInternedData, [&] {
        out_.message(kind, [&] {
            out_.number(interned_field::kNumber, number);
            out_.text(interned_field::kText, text);
        });
    });
}

void PerfettoTrace::annotate(std::uint64_t argument, std::uint64_t value) {
    out_.pair(event_field::kAnnotation,
              event_field::kAnnotationName,
              argument,
              event_field::kAnnotationNumber,
              value);
}

std::uint64_t PerfettoTrace::core_track(std::size_t core, std::string_view name) {
    const std::uint64_t number = kFirstCore + core;
    if (cores_.size() <= core) {
        cores_.resize(core + 1);
    }
    if (!cores_[core]) {
        cores_[core] = true;
        track(number, name, [&] {
            out_.number(track_field::kChildOrdering, kExplicitOrder);
            out_.message(track_field::kProcess, [&] {
                out_.number(track_field::kProcessPid, core + 1);
                out_.text(track_field::kProcessName, name);
            });
        });
    }
    return number;
}

void PerfettoTrace::lane(LaneId id, const Lane& lane) {
    const std::uint64_t parent = core_track(lane.core, lane.core_name);
    track(kFirstLane + id, name_of(lane), [&] {
        out_.number(track_field::kParent, parent);
        out_.number(track_field::kRank, static_cast<std::uint64_t>(rank_of(lane)));
    });
}

std::uint64_t PerfettoTrace::name_number(const Slice& slice) {
    const std::size_t number = name_id(slice);
    if (named_.size() <= number) {
        named_.resize(number + 1);
    }
    if (!named_[number]) {
        named_[number] = true;
        interned(interned_field::kEventName, number + 1, name_of(slice));
    }
    return number + 1;
}

std::uint64_t PerfettoTrace::op_number(const isa::Instruction& instruction) {
    const std::uint32_t number = texts_.number(instruction);
    if (number >= known_texts_) {
        known_texts_ = number + std::size_t{1};
        interned(interned_field::kAnnotationText, known_texts_, texts_.text(number));
    }
    return number + std::uint64_t{1};
}

void PerfettoTrace::annotate_addresses(const isa::Instruction& instruction) {
    Argument from = kFrom;
    const isa::Accesses accesses = isa::accesses(instruction);
    for (const isa::Access& access : accesses.all()) {
        annotate(access.write ? kTo : from, static_cast<std::uint64_t>(access.tile->address));
        from = access.write ? from : kSecond;
    }
}

void PerfettoTrace::slice(const Slice& slice) {
    const bool busy = slice.state == observe::State::Busy;
    const std::uint64_t track = kFirstLane + slice.lane;
    packet([&] {
        out_.number(packet_field::kSequenceFlags, kNeedsInterned);
        const std::uint64_t name = name_number(slice);
        const std::uint64_t op = slice.instruction == nullptr ? 0 : op_number(*slice.instruction);
        event(track, slice.start, kSliceBegin, [&] {
            out_.number(event_field::kName, name);
            annotate(kCycle, static_cast<std::uint64_t>(slice.start.count()));
            annotate(kCycles, static_cast<std::uint64_t>((slice.end - slice.start).count()));
            if (op != 0) {
                out_.pair(event_field::kAnnotation,
                          event_field::kAnnotationName,
                          busy ? kOp : kStalledAt,
                          event_field::kAnnotationText,
                          op);
            }
            if (op != 0 && busy && addresses_) {
                annotate_addresses(*slice.instruction);
            }
            for (const std::uint64_t number : slice.receives) {
                out_.fixed(event_field::kFlowEnd, number);
            }
            for (const std::uint64_t number : slice.sends) {
                out_.fixed(event_field::kFlow, number);
            }
        });
    });
    packet([&] { event(track, slice.end, kSliceEnd, [] {}); });
}

void PerfettoTrace::counter(const Counter& counter, const Series& series) {
    const std::uint64_t parent = counter.core ? core_track(*counter.core, counter.core_name) : 0;
    const std::uint64_t number = kFirstCounter + counters_++;
    track(number, title_of(counter), [&] {
        if (parent != 0) {
            out_.number(track_field::kParent, parent);
            out_.number(track_field::kRank, kAfterLanes);
        }
        out_.message(track_field::kCounter,
                     [&] { out_.text(track_field::kCounterUnit, counter.unit); });
    });
    for (const Sample& sample : changes(series)) {
        packet([&] {
            event(number, sample.at, kCounterEvent, [&] {
                out_.real(event_field::kCounterValue, sample.value);
            });
        });
    }
}

void PerfettoTrace::end(Cycles /*total*/) {
    file_.write(out_.bytes());
    file_.finish();
}

} // namespace npusim::traces
