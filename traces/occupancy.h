// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/isa/tile.h"
#include "sim/observe/observer.h"
#include "traces/series.h"

#include <cstdint>
#include <map>

namespace npusim::traces {

/// How many bytes of a local buffer hold something that is still needed: from the start of the
/// instruction that writes it to the end of the last one that reads it.
class Occupancy {
  public:
    explicit Occupancy(Series& series) : series_(series) {}

    /// `tile` is written or read by `execution`. Calls come in an order that respects flags.
    void access(const isa::Tile& tile, bool write, const observe::Execution& execution);
    /// Adds what is there at the end of the run.
    void finish();

  private:
    struct Region {
        std::int64_t end = 0;
        Cycles written;
        Cycles needed; ///< up to here
    };
    using Regions = std::map<std::int64_t, Region>; ///< by start; disjoint

    void close(std::int64_t begin, const Region& region);
    void overwrite(std::int64_t begin, std::int64_t end);

    Series& series_;
    Regions regions_;
};

} // namespace npusim::traces
