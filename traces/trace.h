// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/observe/observer.h"
#include "traces/series.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace npusim::traces {

/// How much of a run a trace shows.
enum class Detail : std::uint8_t {
    Pipes,        ///< when each pipe is busy and what it waits for otherwise
    Instructions, ///< each instruction; arrows for flags
    All,          ///< flags and dispatch as well; counters of every core
};
inline constexpr std::array<std::string_view, 3> kDetailNames{"pipes", "instructions", "all"};

/// A row of a trace: a pipe, or transfers that settle while their pipe has gone on.
struct Lane {
    std::size_t core = 0;
    std::string core_name;
    Pipe pipe = Pipe::Scalar;
    bool in_flight = false; ///< the latter: as many rows as settle at a time
};
using LaneId = std::uint32_t;

/// Pipes in the order of the data's way through a core.
inline constexpr std::array kDrawingOrder{
    Pipe::Mte2, Pipe::Mte1, Pipe::Cube, Pipe::FixPipe, Pipe::Vector, Pipe::Mte3, Pipe::Scalar};
/// The place of a lane among those of its core.
int rank_of(const Lane& lane);
/// "mte2", "mte2 in flight".
std::string name_of(const Lane& lane);

/// A stretch of a lane. Those of one lane are disjoint and come in order of time.
struct Slice {
    LaneId lane = 0;
    observe::State state = observe::State::Busy;
    Cycles start;
    Cycles end;
    const isa::Instruction* instruction = nullptr; ///< null: launch, dispatch, several
    std::span<const std::uint64_t> sends = {};     ///< flags that others wait for, by number
    std::span<const std::uint64_t> receives = {};  ///< flags that had to be up, by number
};

/// A quantity over time.
struct Counter {
    std::string group; ///< "gm", "utilisation", "occupancy", "queue"
    std::string name;  ///< in its group, "mte2"
    std::string unit;
    double limit = 0;                     ///< what it can be at most; 0: unknown
    std::optional<std::size_t> core = {}; ///< none: of the chip
    std::string core_name = {};
};

/// "mte2 queue": a counter's name where there are others.
std::string title_of(const Counter& counter);

/// A file format.
class TraceWriter {
  public:
    TraceWriter() = default;
    TraceWriter(const TraceWriter&) = delete;
    TraceWriter& operator=(const TraceWriter&) = delete;
    TraceWriter(TraceWriter&&) = delete;
    TraceWriter& operator=(TraceWriter&&) = delete;
    virtual ~TraceWriter() = default;

    /// Comes before the first slice of the lane; ids count from 0.
    virtual void lane(LaneId id, const Lane& lane) = 0;
    virtual void slice(const Slice& slice) = 0;
    /// After all slices.
    virtual void counter(const Counter& /*counter*/, const Series& /*series*/) {}
    /// Last; makes the file.
    virtual void end(Cycles total) = 0;
};

/// What a slice is called: its op, or its state.
std::string_view name_of(const Slice& slice);
/// A small number for that name.
std::size_t name_id(const Slice& slice);

/// Cycles as real time in whole nanoseconds. Viewers keep no more, and both ends of a slice are
/// rounded: were its start and length, neighbours would overlap.
class Nanoseconds {
  public:
    explicit Nanoseconds(double clock_mhz) : each_(1e3 / clock_mhz) {}
    [[nodiscard]] std::int64_t operator()(Cycles time) const {
        // NOLINTNEXTLINE(bugprone-incorrect-roundings): never negative, and lround is a call
        return static_cast<std::int64_t>(static_cast<double>(time.count()) * each_ + 0.5);
    }

  private:
    double each_;
};

/// Nanoseconds as Chrome's format has them: "12.345" microseconds.
std::string in_microseconds(std::int64_t nanoseconds);

} // namespace npusim::traces
