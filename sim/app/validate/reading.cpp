// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/reading.h"

#include <string>

namespace npusim::app {

std::int64_t required(const std::optional<std::int64_t>& value, std::string_view name) {
    if (!value) {
        throw NotModelled("no " + std::string(name) + " in the row");
    }
    return *value;
}

std::int64_t elements_of(const Measurement& row) {
    if (!row.elements) {
        throw NotModelled("number of elements not given");
    }
    return *row.elements;
}

void refuse_host_times(const Measurement& row) {
    if (!device_timed(row)) {
        throw NotModelled("time of the host");
    }
}

} // namespace npusim::app
