// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/sweep/sweep_report.h"

#include <cstddef>
#include <string>
#include <vector>

namespace npusim::app {

/// What part of a point's cycles goes with what.
struct PointLimits {
    struct Limit {
        std::string what; ///< "cube", "vector", "GM", "flags between cores"
        double share = 0;
    };
    std::size_t record = 0;    ///< index in the report
    std::vector<Limit> limits; ///< the largest first; shares add up to 1
};

/// Runs the first `most` points of the front again. An inverse is explained by the critical path of
/// its run, launch left out; a decoder by what its operators have busiest: cube, vector unit or
/// HBM, or none of them for half of the time ("latency").
std::vector<PointLimits> explain_front(const SweepReport& report, std::size_t most);

std::string explain_text(const SweepReport& report, const std::vector<PointLimits>& limits);
std::string explain_json(const SweepReport& report, const std::vector<PointLimits>& limits);

/// Two sets of results of `sweep` side by side: how many points they share, and by what factor each
/// objective differs.
std::string diff_text(const explore::Sweep& sweep,
                      const std::vector<explore::Record>& before,
                      const std::vector<explore::Record>& after,
                      explore::MatchBy match);

} // namespace npusim::app
