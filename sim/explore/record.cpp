// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/record.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>

namespace npusim::explore {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

Results results_from(const json& object) {
    Results results;
    for (const auto& [name, value] : object.items()) {
        results[name] =
            value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    }
    return results;
}

Settings settings_from(const json& object) {
    Settings settings;
    for (const auto& [key, value] : object.items()) {
        settings[key] = from_json(value);
    }
    return settings;
}

} // namespace

std::optional<Status> status_from(std::string_view name) {
    const auto* found = std::ranges::find(kStatusNames, name);
    return found == kStatusNames.end()
               ? std::nullopt
               : std::optional(static_cast<Status>(found - kStatusNames.begin()));
}

Results Record::results() const {
    Results all = objectives;
    all.insert(metrics.begin(), metrics.end());
    return all;
}

std::optional<double> Record::result(std::string_view name) const {
    for (const Results* results : {&objectives, &metrics}) {
        if (const auto found = results->find(name); found != results->end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

std::optional<std::vector<double>> score_of(const Sweep& sweep, const Record& record) {
    return record.status == Status::Done
               ? sweep.score(record.axes,
                             [&](std::string_view name) { return record.result(name); })
               : std::nullopt;
}

std::string to_line(const Record& record) {
    ordered_json line;
    line["id"] = record.id;
    line["hash"] = fmt::format("{:016x}", record.hash); // a number would lose bits in most readers
    line["version"] = record.version;
    line["axes"] = json::object();
    for (const auto& [key, value] : record.axes) {
        line["axes"][key] = to_json(value);
    }
    line["status"] = to_string(record.status);
    line["objectives"] = record.objectives;
    line["metrics"] = record.metrics;
    line["message"] = record.message;
    line["seconds"] = record.seconds;
    return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<Record> parse_record(std::string_view line) {
    try {
        const json object = json::parse(line);
        const auto status = status_from(object.at("status").get<std::string>());
        if (!status) {
            return std::nullopt;
        }
        return Record{.id = object.at("id").get<PointId>(),
                      .hash = std::stoull(object.at("hash").get<std::string>(), nullptr, 16),
                      .version = object.at("version").get<std::string>(),
                      .axes = settings_from(object.at("axes")),
                      .status = *status,
                      .objectives = results_from(object.at("objectives")),
                      .metrics = results_from(object.at("metrics")),
                      .message = object.at("message").get<std::string>(),
                      .seconds = object.at("seconds").get<double>()};
    } catch (const json::exception&) {
        return std::nullopt;
    } catch (const std::logic_error&) { // of stoull
        return std::nullopt;
    }
}

} // namespace npusim::explore
