// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"

#include <cstdint>
#include <systemc>

namespace npusim::model {

/// The one place where cycles meet kernel time. All pipes share one clock, so a cycle is two
/// kernel time units (1 ps at the default resolution) and no period is ever rounded; seconds come
/// from the clock rate in the hardware file. Pipes work in the first half of a cycle, global memory
/// in the second, when all who ask in that cycle have asked.
inline sc_core::sc_time to_time(Cycles cycles) {
    return sc_core::sc_time::from_value(2 * static_cast<sc_dt::uint64>(cycles.count()));
}
inline Cycles now() {
    return Cycles{static_cast<std::int64_t>(sc_core::sc_time_stamp().value() / 2)};
}
/// From now until the start of cycle `at`.
inline sc_core::sc_time until(Cycles at) {
    return to_time(at) - sc_core::sc_time_stamp();
}
/// The same until its second half.
inline sc_core::sc_time until_second_half(Cycles at) {
    return to_time(at) + sc_core::sc_time::from_value(1) - sc_core::sc_time_stamp();
}

} // namespace npusim::model
