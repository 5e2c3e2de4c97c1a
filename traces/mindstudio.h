// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/op_texts.h"
#include "traces/output_file.h"
#include "traces/trace.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npusim::traces {

/// A folder as `msprof op simulator` writes it, for MindStudio Insight: `simulator/trace.json` of
/// all cores, and for each core `simulator/core0.veccore1/` with its own trace.json, the cycles of
/// each instruction and those of each line of source. Its visualize_data.bin is not written.
///
/// The folder is made beside its name and renamed at the end.
class MindStudioTrace : public TraceWriter {
  public:
    /// Throws ConfigError if the folder is there already or cannot be made.
    MindStudioTrace(std::filesystem::path folder, double clock_mhz);
    ~MindStudioTrace() override;
    MindStudioTrace(const MindStudioTrace&) = delete;
    MindStudioTrace& operator=(const MindStudioTrace&) = delete;
    MindStudioTrace(MindStudioTrace&&) = delete;
    MindStudioTrace& operator=(MindStudioTrace&&) = delete;

    void lane(LaneId id, const Lane& lane) override;
    void slice(const Slice& slice) override;
    void end(Cycles total) override;

  private:
    /// A list of events.
    class Events {
      public:
        explicit Events(const std::filesystem::path& path);
        void add(std::string_view event);
        void finish();

      private:
        OutputFile file_;
        bool first_ = true;
    };
    struct Share {
        std::int64_t calls = 0;
        std::int64_t cycles = 0;
    };
    struct Core {
        std::string name; ///< theirs
        std::unique_ptr<Events> events;
        std::map<std::pair<Pipe, std::uint32_t>, Share> instructions; ///< by pipe and text
    };

    void add(const Lane& lane, char phase, std::string_view name, Cycles at, std::string_view rest);
    void count(Core& core, Pipe pipe, const Slice& slice);
    void write_tables(const Core& core);

    std::filesystem::path folder_;
    std::filesystem::path partial_;
    double clock_mhz_;
    Nanoseconds nanoseconds_;
    std::unique_ptr<Events> all_;
    std::map<std::size_t, Core> cores_;
    std::vector<Lane> lanes_;
    OpTexts texts_;
};

} // namespace npusim::traces
