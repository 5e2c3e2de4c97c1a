// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/op_texts.h"
#include "traces/output_file.h"
#include "traces/spool.h"
#include "traces/trace.h"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace npusim::traces {

/// Value change dump for GTKWave and Surfer: of each lane whether it is busy, its state and its op
/// as strings, and every counter as a real. A unit of time is a cycle, so that all times are exact;
/// the clock stands in a comment.
class VcdTrace : public TraceWriter {
  public:
    /// Throws ConfigError if `path` cannot be written.
    VcdTrace(const std::filesystem::path& path, double clock_mhz);

    void lane(LaneId id, const Lane& lane) override;
    void slice(const Slice& slice) override;
    void counter(const Counter& counter, const Series& series) override;
    void end(Cycles total) override;

  private:
    static constexpr std::uint8_t kIdle = observe::kStateCount; ///< beside the states
    /// From `at` on.
    struct Change {
        Cycles at;
        std::uint8_t state; ///< of a lane
        std::uint32_t op;   ///< of a lane: 0 none, else a text and 1
        double value;       ///< of a counter
    };

    void variable(std::string_view type, std::size_t number, std::string_view name);
    void define(std::size_t signal, const Lane& lane);
    void declare();
    void change(std::size_t signal, const Change& change);

    OutputFile file_;
    double clock_mhz_;
    std::vector<Lane> lanes_;
    std::vector<Cycles> ends_; ///< of the last slice, by lane
    std::vector<Counter> counters_;
    OpTexts texts_;
    Spool<Change> changes_; ///< by lane, then by counter
};

/// The same in GTKWave's own format, by its program vcd2fst.
class FstTrace : public TraceWriter {
  public:
    /// Throws ConfigError if `path` cannot be written or there is no vcd2fst.
    FstTrace(std::filesystem::path path, double clock_mhz);
    ~FstTrace() override;
    FstTrace(const FstTrace&) = delete;
    FstTrace& operator=(const FstTrace&) = delete;
    FstTrace(FstTrace&&) = delete;
    FstTrace& operator=(FstTrace&&) = delete;

    void lane(LaneId id, const Lane& lane) override { vcd_.lane(id, lane); }
    void slice(const Slice& slice) override { vcd_.slice(slice); }
    void counter(const Counter& counter, const Series& series) override {
        vcd_.counter(counter, series);
    }
    void end(Cycles total) override;

  private:
    std::filesystem::path path_;
    std::filesystem::path dump_; ///< beside it, for a while
    VcdTrace vcd_;
};

} // namespace npusim::traces
