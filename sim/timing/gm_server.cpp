// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/gm_server.h"

#include <algorithm>
#include <cmath>

namespace npusim::timing {

namespace {

/// Serves `bytes` after what is queued already; returns the time the last byte is through.
double serve(double& free_at, double now, double bytes, double bytes_per_cycle) {
    free_at = std::max(free_at, now) + bytes / bytes_per_cycle;
    return free_at;
}

} // namespace

Cycles GmServer::finish(Cycles now, Cycles alone, const GmTraffic& traffic) {
    const auto start = static_cast<double>(now.count());
    const auto bytes = static_cast<double>(traffic.line_bytes);
    double served = traffic.write
                        ? serve(l2_write_free_, start, bytes, config_.l2_write_bytes_per_cycle)
                        : serve(l2_read_free_, start, bytes, config_.l2_read_bytes_per_cycle);
    if (traffic.cold) {
        served = std::max(served, serve(hbm_free_, start, bytes, config_.hbm_bytes_per_cycle));
    }
    return std::max(alone, Cycles{static_cast<std::int64_t>(std::ceil(served))});
}

} // namespace npusim::timing
