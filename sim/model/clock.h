// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"

#include <cstdint>
#include <systemc>

namespace npusim::model {

/// The one place where cycles meet kernel time. All pipes share one clock, so a cycle is one
/// kernel time unit (1 ps at the default resolution) and no period is ever rounded; seconds come
/// from the clock rate in the hardware file.
inline sc_core::sc_time to_time(Cycles cycles) {
    return sc_core::sc_time::from_value(static_cast<sc_dt::uint64>(cycles.count()));
}
inline Cycles now() {
    return Cycles{static_cast<std::int64_t>(sc_core::sc_time_stamp().value())};
}

} // namespace npusim::model
