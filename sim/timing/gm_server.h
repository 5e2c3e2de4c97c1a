// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/config/hardware.h"
#include "sim/timing/cost.h"

namespace npusim::timing {

/// Bandwidth of L2 and HBM shared by all cores: each is a queue served in order of arrival at a
/// fixed rate. Reads and writes use separate L2 ports and share HBM. Keeps no clock.
class GmServer {
  public:
    explicit GmServer(const config::GmConfig& config) : config_(config) {}

    /// When a transfer that starts at `now` and would end at `alone` on an idle chip ends here.
    Cycles finish(Cycles now, Cycles alone, const GmTraffic& traffic);

  private:
    const config::GmConfig& config_;
    double l2_read_free_ = 0;
    double l2_write_free_ = 0;
    double hbm_free_ = 0;
};

} // namespace npusim::timing
