// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/hash.h"
#include "sim/config/hardware.h"
#include "sim/timing/cost.h"
#include "sim/timing/l2_cache.h"

#include <utility>

namespace npusim::timing {

/// L2 and HBM, shared by all cores. Bandwidth is a queue served in order of arrival at a fixed
/// rate: one for reads of L2, one for writes to it, one for HBM. What a read does not find in L2
/// comes by way of HBM, and so does what a transfer drives out. Keeps no clock.
///
/// Queues are kept in fixed point, so that what is done again takes the same time again, however
/// late it is.
class GmServer {
  public:
    GmServer(const config::GmConfig& config, L2Cache l2) : config_(config), l2_(std::move(l2)) {}

    struct Outcome {
        Cycles end;                 ///< of the transfer
        std::int64_t hbm_bytes = 0; ///< fetched or written back for its sake
    };
    /// Bytes that `traffic` moves between L2 and HBM, as L2 is now.
    L2Cache::Traffic past_l2(const GmTraffic& traffic);
    /// A transfer that starts at `now`, would end at `alone` on an idle chip with all in L2, and
    /// moves `past`.
    Outcome
    transfer(Cycles now, Cycles alone, const GmTraffic& traffic, const L2Cache::Traffic& past);
    /// Adds what queues look like to a transfer that comes at `now` or later; not L2.
    void add_to(StateHash& hash, Cycles now) const;

  private:
    using Ticks = std::int64_t; ///< 2^24 of them are a cycle

    const config::GmConfig& config_;
    L2Cache l2_;
    Ticks l2_read_free_ = 0;
    Ticks l2_write_free_ = 0;
    Ticks hbm_free_ = 0;
};

} // namespace npusim::timing
