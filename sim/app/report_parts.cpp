// SPDX-License-Identifier: Apache-2.0
#include "sim/app/report_parts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace npusim::app {

json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent(double share) {
    return std::isnan(share) ? "-" : fmt::format("{:.1f} %", 100 * share);
}

std::string quoted(const std::string& text) {
    std::string field;
    for (const char c : text) {
        field.append(c == '"' ? 2 : 1, c);
    }
    return fmt::format("\"{}\"", field);
}

double utilization(const observe::RunStatistics& statistics, Pipe pipe, std::int64_t cycles) {
    std::int64_t busy = 0;
    std::int64_t cores = 0;
    for (const observe::CoreStatistics& core : statistics.cores) {
        if (std::ranges::find(core.info.pipes, pipe) != core.info.pipes.end()) {
            busy += core.pipes[static_cast<std::size_t>(pipe)].busy();
            ++cores;
        }
    }
    return cores == 0 ? std::nan("") : ratio(busy, cycles) / static_cast<double>(cores);
}

json parts_json(const physical::Parts& parts, double unit) {
    json object = json::object();
    for (const physical::Part& part : parts) {
        object[std::string(part.name)] = part.value * unit;
    }
    return object;
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
