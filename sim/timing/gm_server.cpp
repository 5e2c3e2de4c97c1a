// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/gm_server.h"

#include <algorithm>
#include <cmath>

namespace npusim::timing {

namespace {

constexpr int kTickBits = 24;

std::int64_t to_ticks(Cycles cycles) {
    return cycles.count() << kTickBits;
}
Cycles whole_cycles(std::int64_t ticks) {
    return Cycles{(ticks + (std::int64_t{1} << kTickBits) - 1) >> kTickBits};
}

/// Serves what takes `cycles` after what is queued already; returns when the last byte is through.
/// Parts of a tick are dropped: what adds up to a whole cycle must not take another one.
std::int64_t serve(std::int64_t& free_at, Cycles now, double cycles) {
    free_at =
        std::max(free_at, to_ticks(now)) + static_cast<std::int64_t>(std::ldexp(cycles, kTickBits));
    return free_at;
}

} // namespace

L2Cache::Traffic GmServer::past_l2(const GmTraffic& traffic) {
    if (!traffic.bypass && config_.l2_tracked) {
        return l2_.access(traffic.tile, traffic.write, traffic.cold);
    }
    const std::int64_t bytes = traffic.bypass || traffic.cold ? traffic.line_bytes : 0;
    return traffic.write ? L2Cache::Traffic{0, bytes} : L2Cache::Traffic{bytes, 0};
}

GmServer::Outcome GmServer::transfer(Cycles now,
                                     Cycles alone,
                                     const GmTraffic& traffic,
                                     const L2Cache::Traffic& past) {
    const auto bytes = static_cast<double>(traffic.line_bytes);
    const std::int64_t served =
        traffic.write ? serve(l2_write_free_, now, bytes / config_.l2_write_bytes_per_cycle)
                      : serve(l2_read_free_, now, bytes / config_.l2_read_bytes_per_cycle);
    const Cycles in_l2 = std::max(alone, whole_cycles(served));
    const std::int64_t moved = past.fetched + past.written_back;
    if (moved == 0) {
        return {in_l2, 0};
    }
    const double cycles =
        traffic.bypass
            ? bytes / config_.hbm_bytes_per_cycle
            : static_cast<double>(past.fetched) / config_.hbm_fill_bytes_per_cycle +
                  static_cast<double>(past.written_back) / config_.hbm_write_bytes_per_cycle;
    const std::int64_t hbm = serve(hbm_free_, now, cycles);
    const Cycles reached = past.fetched > 0 ? alone + config_.miss_latency : alone;
    const Cycles late = std::max(Cycles{0}, std::max(reached, whole_cycles(hbm)) - in_l2);
    // Part of a line that is expected to miss is that part of a chance to be late.
    const std::int64_t chance = std::min(moved, config_.line_bytes);
    return {in_l2 + Cycles{late.count() * chance / config_.line_bytes}, moved};
}

void GmServer::add_to(StateHash& hash, Cycles now) const {
    for (const Ticks free_at : {l2_read_free_, l2_write_free_, hbm_free_}) {
        hash.add(std::max(free_at, to_ticks(now)) - to_ticks(now));
    }
}

} // namespace npusim::timing
