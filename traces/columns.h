// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traces/op_texts.h"
#include "traces/trace.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace npusim::traces {

/// A run's slices, arrows and counters by column, as the report page takes them. Times are cycles.
struct Columns {
    struct Slices {
        std::vector<std::int32_t> lane;
        std::vector<std::int32_t> start;
        std::vector<std::int32_t> cycles;
        std::vector<std::int32_t> name;
        std::vector<std::uint8_t> state;
        std::vector<std::int32_t> detail;
    };
    struct Flows {
        std::vector<std::int32_t> from_lane;
        std::vector<std::int32_t> from;
        std::vector<std::int32_t> to_lane;
        std::vector<std::int32_t> to;
        std::vector<std::uint8_t> kind; ///< 1: from core to core
    };
    struct Measured {
        Counter counter;
        Cycles step;
        std::vector<float> values;
    };

    std::vector<Lane> lanes; ///< pipes
    std::vector<std::string> names;
    std::vector<std::string> details;
    Slices slices; ///< by lane, then start
    Flows flows;
    std::vector<Measured> counters;
    std::int64_t left_out = 0; ///< slices there was no room for
};

/// Fills columns, up to `most` slices. What is in flight has no lane of its own.
class ColumnWriter : public TraceWriter {
  public:
    ColumnWriter(Columns& columns, std::size_t most) : columns_(columns), most_(most) {}

    void lane(LaneId id, const Lane& lane) override;
    void slice(const Slice& slice) override;
    void counter(const Counter& counter, const Series& series) override;
    void end(Cycles total) override;

  private:
    /// One end of an arrow.
    struct End {
        std::int32_t lane;
        std::int32_t at;
    };
    using Ends = std::unordered_map<std::uint64_t, End>; ///< by number of the flag

    std::int32_t name(const Slice& slice);
    std::int32_t detail(const Slice& slice);
    void arrow(const End& from, const End& to);

    Columns& columns_;
    std::size_t most_;
    std::vector<std::int32_t> lanes_; ///< in the columns, by id; -1: in flight
    std::vector<std::int32_t> names_; ///< in the columns, by name_id; -1: not yet
    OpTexts texts_;
    Ends sent_;     ///< that nobody has waited for yet
    Ends received_; ///< before it was known who sent them
};

} // namespace npusim::traces
