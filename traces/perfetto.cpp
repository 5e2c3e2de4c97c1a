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

void annotate(ProtobufFields& to,
              std::uint64_t argument,
              std::uint64_t value,
              std::uint32_t kind = event_field::kAnnotationNumber) {
    to.message(event_field::kAnnotation, [&] {
        to.number(event_field::kAnnotationName, argument);
        to.number(kind, value);
    });
}

void annotate_addresses(ProtobufFields& to, const isa::Instruction& instruction) {
    Argument from = kFrom;
    const isa::Accesses accesses = isa::accesses(instruction);
    for (const isa::Access& access : accesses.all()) {
        annotate(to, access.write ? kTo : from, static_cast<std::uint64_t>(access.tile->address));
        from = access.write ? from : kSecond;
    }
}

} // namespace

PerfettoTrace::PerfettoTrace(const std::filesystem::path& path, double clock_mhz, bool everything)
    : file_(path), nanoseconds_(clock_mhz), everything_(everything) {
    packet(1, 0, [&](ProtobufFields& to) {
        to.number(packet_field::kSequenceFlags, kForgetInterned);
    });
    for (std::size_t i = 0; i < kArgumentNames.size(); ++i) {
        introduce(interned_field::kAnnotationName, i + 1, kArgumentNames[i]);
    }
}

/// As ProtobufBuffer::message.
template <class Fill> void PerfettoTrace::packet(std::size_t fields, std::size_t text, Fill fill) {
    out_.message(kTracePacket, fields + 1, text, [&](ProtobufFields& to) {
        to.number(packet_field::kSequence, kOurSequence);
        fill(to);
    });
    if (out_.bytes().size() > kFlushAt) {
        file_.write(out_.bytes());
        out_.clear();
    }
}

/// Describes a track; `fill(ProtobufFields&)` adds up to five fields and `text` bytes.
template <class Fill>
void PerfettoTrace::track(std::uint64_t number,
                          std::string_view name,
                          std::size_t text,
                          Fill fill) {
    packet(8, name.size() + text, [&](ProtobufFields& to) {
        to.message(packet_field::kTrackDescriptor, [&] {
            to.number(track_field::kUuid, number);
            to.text(track_field::kName, name);
            fill(to);
        });
    });
}

/// An event of a track, to which `fill(ProtobufFields&)` adds up to `fields`.
template <class Fill>
void PerfettoTrace::event(
    std::uint64_t track, Cycles at, std::uint64_t type, std::size_t fields, Fill fill) {
    packet(fields + 5, 0, [&](ProtobufFields& to) {
        if (type == kSliceBegin) {
            to.number(packet_field::kSequenceFlags, kNeedsInterned);
        }
        to.number(packet_field::kTimestamp, static_cast<std::uint64_t>(nanoseconds_(at)));
        to.message(packet_field::kTrackEvent, [&] {
            to.number(event_field::kType, type);
            to.number(event_field::kTrack, track);
            fill(to);
        });
    });
}

/// Tells the reader what `number` stands for from here on.
void PerfettoTrace::introduce(std::uint32_t kind, std::uint64_t number, std::string_view text) {
    packet(5, text.size(), [&](ProtobufFields& to) {
        to.number(packet_field::kSequenceFlags, kNeedsInterned);
        to.message(packet_field::kInternedData, [&] {
            to.message(kind, [&] {
                to.number(interned_field::kNumber, number);
                to.text(interned_field::kText, text);
            });
        });
    });
}

std::uint64_t PerfettoTrace::core_track(std::size_t core, std::string_view name) {
    const std::uint64_t number = kFirstCore + core;
    if (cores_.size() <= core) {
        cores_.resize(core + 1);
    }
    if (!cores_[core]) {
        cores_[core] = true;
        track(number, name, name.size(), [&](ProtobufFields& to) {
            to.number(track_field::kChildOrdering, kExplicitOrder);
            to.message(track_field::kProcess, [&] {
                to.number(track_field::kProcessPid, core + 1);
                to.text(track_field::kProcessName, name);
            });
        });
    }
    return number;
}

void PerfettoTrace::lane(LaneId id, const Lane& lane) {
    const std::uint64_t parent = core_track(lane.core, lane.core_name);
    track(kFirstLane + id, name_of(lane), 0, [&](ProtobufFields& to) {
        to.number(track_field::kParent, parent);
        to.number(track_field::kRank, static_cast<std::uint64_t>(rank_of(lane)));
    });
}

/// The number of a slice's name, which the reader knows by then.
std::uint64_t PerfettoTrace::name_number(const Slice& slice) {
    const std::size_t number = name_id(slice);
    if (named_.size() <= number) {
        named_.resize(number + 1);
    }
    if (!named_[number]) {
        named_[number] = true;
        introduce(interned_field::kEventName, number + 1, name_of(slice));
    }
    return number + 1;
}

/// The same of an instruction's text.
std::uint64_t PerfettoTrace::op_number(const isa::Instruction& instruction) {
    const std::uint32_t number = texts_.number(instruction);
    if (number >= known_texts_) {
        known_texts_ = number + std::size_t{1};
        introduce(interned_field::kAnnotationText, known_texts_, texts_.text(number));
    }
    return number + std::uint64_t{1};
}

void PerfettoTrace::slice(const Slice& slice) {
    const bool busy = slice.state == observe::State::Busy;
    const std::uint64_t track = kFirstLane + slice.lane;
    const std::uint64_t name = name_number(slice);
    const std::uint64_t op = slice.instruction == nullptr ? 0 : op_number(*slice.instruction);
    constexpr std::size_t own = 10; // fields, without those of addresses and arrows
    const std::size_t fields =
        own + 3 * isa::Accesses::kMost + slice.sends.size() + slice.receives.size();
    event(track, slice.start, kSliceBegin, fields, [&](ProtobufFields& to) {
        to.number(event_field::kName, name);
        annotate(to, kCycles, static_cast<std::uint64_t>((slice.end - slice.start).count()));
        if (op != 0) {
            annotate(to, busy ? kOp : kStalledAt, op, event_field::kAnnotationText);
        }
        if (everything_) {
            annotate(to, kCycle, static_cast<std::uint64_t>(slice.start.count()));
            if (op != 0 && busy) {
                annotate_addresses(to, *slice.instruction);
            }
        }
        for (const std::uint64_t number : slice.receives) {
            to.fixed(event_field::kFlowEnd, number);
        }
        for (const std::uint64_t number : slice.sends) {
            to.fixed(event_field::kFlow, number);
        }
    });
    event(track, slice.end, kSliceEnd, 0, [](ProtobufFields& /*to*/) {});
}

void PerfettoTrace::counter(const Counter& counter, const Series& series) {
    const std::uint64_t parent = counter.core ? core_track(*counter.core, counter.core_name) : 0;
    const std::uint64_t number = kFirstCounter + counters_++;
    track(number, title_of(counter), counter.unit.size(), [&](ProtobufFields& to) {
        if (parent != 0) {
            to.number(track_field::kParent, parent);
            to.number(track_field::kRank, kAfterLanes);
        }
        to.message(track_field::kCounter,
                   [&] { to.text(track_field::kCounterUnit, counter.unit); });
    });
    for (const Sample& sample : changes(series)) {
        event(number, sample.at, kCounterEvent, 1, [&](ProtobufFields& to) {
            to.real(event_field::kCounterValue, sample.value);
        });
    }
}

void PerfettoTrace::end(Cycles /*total*/) {
    file_.write(out_.bytes());
    file_.finish();
}

} // namespace npusim::traces
