// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/call_overhead.h"

namespace npusim::app {

void refuse_host_times(const Measurement& row) {
    if (contains(row.timing, "host") || contains(row.timing, "end to end")) {
        throw NotModelled("time of the host");
    }
}

std::int64_t elements_of(const Measurement& row) {
    if (!row.elements) {
        throw NotModelled("number of elements not given");
    }
    return *row.elements;
}

} // namespace npusim::app
