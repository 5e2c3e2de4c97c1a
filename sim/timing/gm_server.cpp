// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/gm_server.h"

#include <algorithm>

namespace npusim::timing {

namespace {

/// Serves what takes `cycles` after what is queued already; returns when the last byte is through.
double serve(double& free_at, double now, double cycles) {
    free_at = std::max(free_at, now) + cycles;
    return free_at;
}

} // namespace

L2Cache::Traffic GmServer::past_l2(const GmTraffic& traffic) {
    if (config_.l2_tracked) {
        return l2_.access(traffic.tile, traffic.write, traffic.cold);
    }
    const std::int64_t bytes = traffic.cold ? traffic.line_bytes : 0;
    return traffic.write ? L2Cache::Traffic{0, bytes} : L2Cache::Traffic{bytes, 0};
}

GmServer::Outcome GmServer::transfer(Cycles now, Cycles alone, const GmTraffic& traffic) {
    const auto start = static_cast<double>(now.count());
    const auto bytes = static_cast<double>(traffic.line_bytes);
    const double served =
        traffic.write ? serve(l2_write_free_, start, bytes / config_.l2_write_bytes_per_cycle)
                      : serve(l2_read_free_, start, bytes / config_.l2_read_bytes_per_cycle);
    const Cycles in_l2 = std::max(alone, rounded_up(served));
    L2Cache::Traffic past;
    double hbm = 0; // when HBM is done
    if (traffic.bypass) {
        (traffic.write ? past.written_back : past.fetched) = traffic.line_bytes;
        hbm = serve(hbm_free_, start, bytes / config_.hbm_bytes_per_cycle);
    } else {
        past = past_l2(traffic);
        if (past.fetched + past.written_back == 0) {
            return {in_l2, 0};
        }
        hbm = serve(hbm_free_,
                    start,
                    static_cast<double>(past.fetched) / config_.hbm_fill_bytes_per_cycle +
                        static_cast<double>(past.written_back) / config_.hbm_write_bytes_per_cycle);
    }
    const std::int64_t moved = past.fetched + past.written_back;
    const Cycles reached = past.fetched > 0 ? alone + config_.miss_latency : alone;
    const Cycles late = std::max(Cycles{0}, std::max(reached, rounded_up(hbm)) - in_l2);
    // Part of a line that is expected to miss is that part of a chance to be late.
    const std::int64_t chance = std::min(moved, config_.line_bytes);
    return {in_l2 + Cycles{late.count() * chance / config_.line_bytes}, moved};
}

} // namespace npusim::timing
