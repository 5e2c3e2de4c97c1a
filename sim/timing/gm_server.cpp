// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/gm_server.h"

#include <algorithm>
#include <cmath>

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
    double served = traffic.write
                        ? serve(l2_write_free_, start, bytes / config_.l2_write_bytes_per_cycle)
                        : serve(l2_read_free_, start, bytes / config_.l2_read_bytes_per_cycle);
    std::int64_t hbm_bytes = 0;
    bool misses = false;
    if (traffic.bypass) {
        hbm_bytes = traffic.line_bytes;
        misses = !traffic.write;
        served = std::max(served, serve(hbm_free_, start, bytes / config_.hbm_bytes_per_cycle));
    } else if (const auto [fetched, back] = past_l2(traffic); fetched + back > 0) {
        hbm_bytes = fetched + back;
        misses = fetched > 0;
        served = std::max(served,
                          serve(hbm_free_,
                                start,
                                static_cast<double>(fetched) / config_.hbm_fill_bytes_per_cycle +
                                    static_cast<double>(back) / config_.hbm_write_bytes_per_cycle));
    }
    const Cycles reached = misses ? alone + config_.miss_latency : alone;
    return {std::max(reached, Cycles{static_cast<std::int64_t>(std::ceil(served))}), hbm_bytes};
}

} // namespace npusim::timing
