// SPDX-License-Identifier: Apache-2.0
#include "sim/app/report_parts.h"

#include <cmath>
#include <fmt/format.h>

namespace npusim::app {

json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

json parameters_json(const std::vector<kernels::Parameter>& parameters,
                     const kernels::ParameterValues& values) {
    json object = json::object();
    for (const kernels::Parameter& parameter : parameters) {
        const std::int64_t value = values.at(parameter.name);
        const std::string text = kernels::parameter_text(parameter, value);
        object[parameter.name] = text == fmt::format("{}", value) ? json(value) : json(text);
    }
    return object;
}

std::string worst_text(const inverse::Accuracy& accuracy) {
    const std::string worst = fmt::format("{:.3g}", accuracy.rel_frobenius_max);
    const std::string lost =
        fmt::format("{} of {} non-finite", accuracy.non_finite, accuracy.matrices);
    return accuracy.non_finite == 0                   ? worst
           : accuracy.non_finite == accuracy.matrices ? lost
                                                      : worst + ", " + lost;
}

} // namespace npusim::app
