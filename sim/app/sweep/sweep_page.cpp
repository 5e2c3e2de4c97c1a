// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep/sweep_page.h"

#include "sim/app/page.h"
#include "sim/app/report_parts.h"
#include "sim/app/sweep/sweep_job.h"
#include "sim/base/error.h"
#include "traces/pareto_plot.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

using explore::Objective;
using explore::Record;
using explore::Status;

constexpr std::size_t kMostColours = 8;

/// Job of a point, and where its hardware differs from the file.
std::string config_text(const explore::Sweep& sweep, const Record& record) {
    const explore::Point point = sweep.point(record.id);
    std::string text = fmt::format("hardware: {}\n", point.hardware_file);
    for (const config::Override& change : point.hardware) {
        text += fmt::format("  {}: {}\n", change.key, change.value);
    }
    text += "job:\n";
    for (const auto& [key, value] : point.job) {
        text += fmt::format("  {}: {}\n", short_key(key), explore::to_text(value));
    }
    return text;
}

std::string failure_text(const Record& record) {
    if (record.status == Status::Done) {
        return "no finite result, or against a constraint";
    }
    return record.message.empty() ? std::string(to_string(record.status)) : record.message;
}

json point_json(const SweepReport& report,
                const std::vector<std::string>& keys,
                std::size_t i,
                bool scored) {
    const explore::Sweep& sweep = *report.sweep;
    const Record& record = report.records[i];
    json axes = json::array();
    for (const std::string& key : keys) {
        const explore::Value& value = record.axes.at(key);
        axes.push_back(std::holds_alternative<std::string>(value) ? json(short_value(value))
                                                                  : json(explore::to_json(value)));
    }
    json point{{"id", record.id},
               {"axes", axes},
               {"objectives", nullptr},
               {"front", std::ranges::count(report.front, i) > 0},
               {"failed", nullptr},
               {"config", config_text(sweep, record)}};
    if (!scored) {
        point["failed"] = failure_text(record);
        return point;
    }
    point["objectives"] = json::array();
    for (const Objective& objective : sweep.objectives) {
        point["objectives"].push_back(result_of(record, objective.name));
    }
    return point;
}

/// What points are coloured by: the values of the first axis that has few.
std::optional<std::string> colour_key(const explore::Sweep& sweep) {
    for (const explore::Axis& axis : sweep.space.axes()) {
        if (axis.size() > 1 && axis.size() <= kMostColours) {
            return axis.keys.front();
        }
    }
    return std::nullopt;
}

/// Places of the two objectives to draw, among those of the sweep.
std::pair<std::size_t, std::size_t> drawn_objectives(const explore::Sweep& sweep) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < sweep.objectives.size(); ++i) {
        if (sweep.objectives[i].direction == explore::Direction::Min) {
            places.push_back(i);
        }
    }
    if (places.size() < 2) {
        throw ConfigError(fmt::format(
            "{}: objectives: a picture needs two that are to be minimised", sweep.file));
    }
    return {places[0], places[1]};
}

} // namespace

std::string sweep_page(const std::string& command, const SweepReport& report) {
    const explore::Sweep& sweep = *report.sweep;
    json axes = json::array();
    const std::vector<std::string> keys = telling_keys(sweep);
    for (const std::string& key : keys) {
        axes.push_back({{"name", short_key(key)}});
    }
    json objectives = json::array();
    for (const Objective& objective : sweep.objectives) {
        objectives.push_back(
            {{"name", objective.name},
             {"unit", unit_of(objective.name)},
             {"direction", objective.direction == explore::Direction::Min ? "min" : "max"}});
    }
    const auto scores = scores_of(sweep, report.records);
    json points = json::array();
    for (std::size_t i = 0; i < report.records.size(); ++i) {
        points.push_back(point_json(report, keys, i, scores[i].has_value()));
    }
    const std::string title = sweep.description.empty()
                                  ? sweep.name
                                  : fmt::format("{}: {}", sweep.name, sweep.description);
    return page_of_sweep(
        title,
        command,
        {{"title", title}, {"axes", axes}, {"objectives", objectives}, {"points", points}});
}

std::string sweep_svg(const SweepReport& report) {
    const explore::Sweep& sweep = *report.sweep;
    const auto [x, y] = drawn_objectives(sweep);
    const std::optional<std::string> colour = colour_key(sweep);
    const auto scores = scores_of(sweep, report.records);
    traces::ParetoSet set;
    std::vector<explore::Score> drawn;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (!scores[i] || (*scores[i])[x] <= 0 || (*scores[i])[y] <= 0) {
            ++set.left_out;
            continue;
        }
        const explore::Settings& settings = report.records[i].axes;
        drawn.push_back({(*scores[i])[x], (*scores[i])[y]});
        set.points.push_back({.series = colour ? fmt::format("{}={}",
                                                             short_key(*colour),
                                                             explore::to_text(settings.at(*colour)))
                                               : "points",
                              .name = fmt::format("point {}", report.records[i].id),
                              .cycles = drawn.back()[0],
                              .error = drawn.back()[1]});
    }
    if (drawn.empty()) {
        throw ConfigError(fmt::format("{}: no point has {} and {} above 0",
                                      sweep.file,
                                      sweep.objectives[x].name,
                                      sweep.objectives[y].name));
    }
    for (const std::size_t i : explore::pareto_front(drawn)) {
        set.points[i].front = true;
    }
    return traces::pareto_svg(
        {.subtitle = sweep.description.empty() ? sweep.name : sweep.description,
         .sets = {std::move(set)},
         .x = {sweep.objectives[x].name, with_unit(sweep.objectives[x].name)},
         .y = {sweep.objectives[y].name, with_unit(sweep.objectives[y].name)}});
}

} // namespace npusim::app
