// SPDX-License-Identifier: Apache-2.0
#include "traces/occupancy.h"

#include <algorithm>

namespace npusim::traces {

void Occupancy::access(const isa::Tile& tile, bool write, const observe::Execution& execution) {
    const std::int64_t begin = tile.address;
    const std::int64_t end = tile.end();
    if (begin == end) {
        return;
    }
    if (write) {
        overwrite(begin, end);
        regions_[begin] = {end, execution.start, execution.settled};
        return;
    }
    auto at = regions_.upper_bound(begin);
    if (at != regions_.begin()) {
        --at;
    }
    for (; at != regions_.end() && at->first < end; ++at) {
        if (at->second.end > begin) {
            at->second.needed = std::max(at->second.needed, execution.end);
        }
    }
}

void Occupancy::close(std::int64_t begin, const Region& region) {
    series_.add(region.written, region.needed, static_cast<double>(region.end - begin));
}

/// Takes [begin, end) out of the regions.
void Occupancy::overwrite(std::int64_t begin, std::int64_t end) {
    auto at = regions_.upper_bound(begin);
    if (at != regions_.begin()) {
        --at;
    }
    while (at != regions_.end() && at->first < end) {
        const auto [start, region] = *at;
        if (region.end <= begin) {
            ++at;
            continue;
        }
        at = regions_.erase(at);
        const std::int64_t first = std::max(start, begin);
        const std::int64_t last = std::min(region.end, end);
        close(first, {last, region.written, region.needed});
        if (start < first) {
            regions_.emplace(start, Region{first, region.written, region.needed});
        }
        if (last < region.end) {
            regions_.emplace(last, Region{region.end, region.written, region.needed});
        }
    }
}

void Occupancy::finish() {
    for (const auto& [begin, region] : regions_) {
        close(begin, region);
    }
    regions_.clear();
}

} // namespace npusim::traces
