// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/output_file.h"
#include "traces/trace.h"

#include <string>
#include <vector>

namespace npusim::traces {

/// Chrome trace JSON, which Perfetto's UI, DevTools and speedscope open: a process per core, a
/// thread per lane, a slice per stretch with its exact cycles in the arguments, a process for the
/// chip's counters. Arrows are there for those who read them: Perfetto does not, from JSON.
class ChromeTrace : public TraceWriter {
  public:
    /// Throws ConfigError if `path` cannot be written.
    ChromeTrace(const std::filesystem::path& path, double clock_mhz);

    void lane(LaneId id, const Lane& lane) override;
    void slice(const Slice& slice) override;
    void counter(const Counter& counter, const Series& series) override;
    void end(Cycles total) override;

  private:
    void write(std::string_view event);
    void flow(char phase, std::uint64_t number, LaneId lane, Cycles at);
    void process(std::size_t pid, std::string_view name);
    [[nodiscard]] std::string stamp(Cycles time) const;

    OutputFile file_;
    Nanoseconds nanoseconds_;
    std::vector<std::size_t> cores_; ///< by lane
    std::vector<bool> named_;        ///< processes, by number
    bool first_ = true;
};

} // namespace npusim::traces
