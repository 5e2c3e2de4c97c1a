// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Numbers of Perfetto's format that npusim writes and reads: fields by message, kinds of events,
/// flags. As in perfetto's protos/perfetto/trace (trace_packet.proto, track_event.proto,
/// track_descriptor.proto, interned_data.proto).
namespace npusim::traces::perfetto {

inline constexpr std::uint32_t kTracePacket = 1;
namespace packet_field {
inline constexpr std::uint32_t kTimestamp = 8;
inline constexpr std::uint32_t kSequence = 10;
inline constexpr std::uint32_t kTrackEvent = 11;
inline constexpr std::uint32_t kInternedData = 12;
inline constexpr std::uint32_t kSequenceFlags = 13;
inline constexpr std::uint32_t kTrackDescriptor = 60;
} // namespace packet_field
namespace track_field {
inline constexpr std::uint32_t kUuid = 1;
inline constexpr std::uint32_t kName = 2;
inline constexpr std::uint32_t kProcess = 3;
inline constexpr std::uint32_t kProcessPid = 1;
inline constexpr std::uint32_t kProcessName = 6;
inline constexpr std::uint32_t kParent = 5;
inline constexpr std::uint32_t kCounter = 8;
inline constexpr std::uint32_t kCounterUnit = 6;
inline constexpr std::uint32_t kChildOrdering = 11;
inline constexpr std::uint32_t kRank = 12;
} // namespace track_field
namespace event_field {
inline constexpr std::uint32_t kAnnotation = 4;
inline constexpr std::uint32_t kAnnotationName = 1;
inline constexpr std::uint32_t kAnnotationNumber = 3;
inline constexpr std::uint32_t kAnnotationText = 17;
inline constexpr std::uint32_t kType = 9;
inline constexpr std::uint32_t kName = 10;
inline constexpr std::uint32_t kTrack = 11;
inline constexpr std::uint32_t kCounterValue = 44;
inline constexpr std::uint32_t kFlow = 47;
inline constexpr std::uint32_t kFlowEnd = 48;
} // namespace event_field
namespace interned_field {
inline constexpr std::uint32_t kEventName = 2;
inline constexpr std::uint32_t kAnnotationName = 3;
inline constexpr std::uint32_t kAnnotationText = 29;
inline constexpr std::uint32_t kNumber = 1;
inline constexpr std::uint32_t kText = 2;
} // namespace interned_field

// Types of events, orders of tracks, flags of a sequence of packets.
inline constexpr std::uint64_t kSliceBegin = 1;
inline constexpr std::uint64_t kSliceEnd = 2;
inline constexpr std::uint64_t kInstant = 3;
inline constexpr std::uint64_t kCounterEvent = 4;
inline constexpr std::uint64_t kExplicitOrder = 3;
inline constexpr std::uint64_t kOurSequence = 1;
inline constexpr std::uint64_t kForgetInterned = 1;
inline constexpr std::uint64_t kNeedsInterned = 2;

} // namespace npusim::traces::perfetto
