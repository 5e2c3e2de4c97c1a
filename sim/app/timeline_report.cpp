// SPDX-License-Identifier: Apache-2.0
#include "sim/app/report_parts.h"
#include "sim/app/timeline.h"

#include <fmt/format.h>

namespace npusim::app {

namespace {

using traces::Activity;

json row_json(const traces::PipeRow& row) {
    json cycles = json::object();
    const traces::ActivityCycles sum = row.sum();
    for (std::size_t i = 0; i < traces::kActivityCount; ++i) {
        const auto activity = static_cast<Activity>(i);
        if (sum[activity] == 0) {
            continue;
        }
        json& list = cycles[std::string(traces::look(activity).name)] = json::array();
        for (const traces::ActivityCycles& column : row.columns) {
            list.push_back(column[activity]);
        }
    }
    return {{"core", row.core},
            {"pipe", to_string(row.pipe)},
            {"busy", sum.busy_share()},
            {"cycles", cycles}};
}

json run_json(const Result& result, const traces::TimelineRun& run) {
    json rows = json::array();
    for (const traces::PipeRow& row : run.rows) {
        rows.push_back(row_json(row));
    }
    return {{"kernel", result.kernel},
            {"params", parameters_json(result.parameters, result.values)},
            {"cycles", run.total.count()},
            {"columns", run.scale.columns()},
            {"to", run.scale.to().count()},
            {"pipes", rows}};
}

/// The lines of one row of a run.
std::string row_csv(const Result& result, const traces::TimelineRun& run, std::size_t index) {
    const traces::PipeRow& row = run.rows[index];
    std::string text;
    for (std::size_t column = 0; column < row.columns.size(); ++column) {
        text += fmt::format("{},{},{},{},{}",
                            result.kernel,
                            row.core,
                            to_string(row.pipe),
                            run.scale.start(column).count(),
                            run.scale.end(column).count());
        for (std::size_t i = 0; i < traces::kActivityCount; ++i) {
            text += fmt::format(",{}", row.columns[column][static_cast<Activity>(i)]);
        }
        text += "\n";
    }
    return text;
}

} // namespace

std::string timeline_json(const JobTimeline& timeline) {
    const Result& first = timeline.results.front();
    json runs = json::array();
    for (std::size_t i = 0; i < timeline.runs.size(); ++i) {
        runs.push_back(run_json(timeline.results[i], timeline.runs[i]));
    }
    return json{{"hardware", first.hardware},
                {"clock_mhz", first.clock_mhz},
                {"chunk", first.problem.chunk},
                {"dtype", to_string(first.problem.dtype)},
                {"matrices", first.problem.count},
                {"from", timeline.scale.from().count()},
                {"to", timeline.scale.to().count()},
                {"column_cycles", timeline.scale.step().count()},
                {"runs", runs},
                {"version", NPUSIM_VERSION}}
               .dump() +
           "\n";
}

std::string timeline_csv(const JobTimeline& timeline) {
    std::string text = "kernel,core,pipe,from,to";
    for (const traces::ActivityLook& activity : traces::kActivities) {
        text += fmt::format(",{}", activity.name);
    }
    text += "\n";
    for (std::size_t i = 0; i < timeline.runs.size(); ++i) {
        for (std::size_t row = 0; row < timeline.runs[i].rows.size(); ++row) {
            text += row_csv(timeline.results[i], timeline.runs[i], row);
        }
    }
    return text;
}

} // namespace npusim::app
