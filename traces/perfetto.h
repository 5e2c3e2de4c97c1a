// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/op_texts.h"
#include "traces/output_file.h"
#include "traces/protobuf.h"
#include "traces/trace.h"

#include <string_view>
#include <vector>

namespace npusim::traces {

/// Perfetto's own format, TrackEvent packets: a process per core, a track per lane in the order of
/// the data's way, arrows for flags, counters with units. Names and texts are written once and
/// referred to by number.
class PerfettoTrace : public TraceWriter {
  public:
    /// `everything`: also the cycle in which each slice begins, which follows from its time, and
    /// the addresses of its tiles. Throws ConfigError if `path` cannot be written.
    PerfettoTrace(const std::filesystem::path& path, double clock_mhz, bool everything);

    void lane(LaneId id, const Lane& lane) override;
    void slice(const Slice& slice) override;
    void counter(const Counter& counter, const Series& series) override;
    void end(Cycles total) override;

  private:
    template <class Fill> void packet(std::size_t fields, std::size_t text, Fill fill);
    template <class Fill>
    void track(std::uint64_t number, std::string_view name, std::size_t text, Fill fill);
    template <class Fill>
    void event(std::uint64_t track, Cycles at, std::uint64_t type, std::size_t fields, Fill fill);
    void introduce(std::uint32_t kind, std::uint64_t number, std::string_view text);
    std::uint64_t core_track(std::size_t core, std::string_view name);
    std::uint64_t name_number(const Slice& slice);
    std::uint64_t op_number(const isa::Instruction& instruction);

    OutputFile file_;
    Nanoseconds nanoseconds_;
    bool everything_;
    ProtobufBuffer out_;
    std::vector<bool> cores_; ///< that have a track
    std::vector<bool> named_; ///< slices' names that the reader knows
    OpTexts texts_;
    std::size_t known_texts_ = 0; ///< those the reader knows
    std::uint64_t counters_ = 0;
};

} // namespace npusim::traces
