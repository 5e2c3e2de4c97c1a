// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep/sweep_explain.h"

#include "sim/app/report_parts.h"
#include "sim/app/sweep/sweep_job.h"
#include "sim/app/table.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "traces/critical_path.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace npusim::app {

namespace {

using explore::Objective;
using explore::Record;
using traces::CriticalPath;

constexpr double kLeastBusy = 0.5;   ///< of a unit that an operator is said to be limited by
constexpr double kLeastShown = 0.01; ///< share that a text names

using Shares = std::map<std::string, double>; ///< cycles by what they go with

std::vector<PointLimits::Limit> limits_of(const Shares& shares) {
    double whole = 0;
    for (const auto& entry : shares) {
        whole += entry.second;
    }
    std::vector<PointLimits::Limit> limits;
    for (const auto& [what, cycles] : shares) {
        limits.push_back({what, whole > 0 ? cycles / whole : 0});
    }
    std::ranges::stable_sort(limits, std::ranges::greater{}, &PointLimits::Limit::share);
    return limits;
}

std::string name_of(const CriticalPath::Stretch& stretch) {
    switch (stretch.reason) {
    case CriticalPath::Reason::Work:
        return std::string(to_string(stretch.pipe));
    case CriticalPath::Reason::Gm:
        return "GM";
    case CriticalPath::Reason::Settling:
        return "results that settle";
    case CriticalPath::Reason::Crossing:
        return "flags between cores";
    case CriticalPath::Reason::Issue:
        return "issue";
    case CriticalPath::Reason::Launch:
        return "launch";
    }
    return "";
}

Shares inverse_shares(PointRunner& runner, const explore::Point& point) {
    const config::HardwareConfig hardware = runner.hardware_of(point);
    JobOptions options = inverse_options(point.job);
    options.timing_only = true; // the same cycles
    CriticalPath path(hardware);
    run(hardware, inverse_request_of(point.job), runner.workload_of(options), {&path});
    const auto stretches = path.path();
    if (!stretches) {
        throw ModelError(fmt::format("point {}: more than {} instructions, too many to explain",
                                     point.id,
                                     CriticalPath::kMost));
    }
    Shares shares;
    for (const CriticalPath::Stretch& stretch : *stretches) {
        if (stretch.reason != CriticalPath::Reason::Launch) {
            shares[name_of(stretch)] += static_cast<double>((stretch.end - stretch.start).count());
        }
    }
    return shares;
}

/// What an operator has busiest.
std::string limit_of(const OperatorCost& op, const config::HardwareConfig& hardware) {
    const double bytes_per_cycle = static_cast<double>(op.hbm_bytes) /
                                   static_cast<double>(std::max<std::int64_t>(1, op.cycles));
    const std::vector<std::pair<double, const char*>> busy{
        {op.cube, "cube"},
        {op.vector, "vector"},
        {bytes_per_cycle / hardware.gm.hbm_bytes_per_cycle, "HBM"}};
    const auto& most =
        *std::ranges::max_element(busy, {}, [](const auto& unit) { return unit.first; });
    return most.first >= kLeastBusy ? most.second : "latency";
}

Shares layer_shares(PointRunner& runner, const explore::Point& point) {
    const config::HardwareConfig hardware = runner.hardware_of(point);
    const ModelCost cost = runner.model_cost(point.job, hardware);
    Shares shares;
    double operators = 0;
    cost.each_operator([&](const OperatorCost& op, std::int64_t times) {
        const auto cycles = static_cast<double>(op.cycles * times);
        shares[limit_of(op, hardware)] += cycles;
        operators += cycles;
    });
    shares["launches"] = static_cast<double>(cost.total(cost.layers)) - operators;
    return shares;
}

std::string shares_text(const std::vector<PointLimits::Limit>& limits) {
    std::vector<std::string> texts;
    for (const PointLimits::Limit& limit : limits) {
        if (limit.share >= kLeastShown) {
            texts.push_back(fmt::format("{:.0f} % {}", 100 * limit.share, limit.what));
        }
    }
    return join(texts, ", ");
}

} // namespace

std::vector<PointLimits> explain_front(const SweepReport& report, std::size_t most) {
    PointRunner runner(*report.sweep);
    std::vector<PointLimits> all;
    for (const std::size_t i : report.front) {
        if (all.size() == most) {
            break;
        }
        const explore::Point point = report.sweep->point(report.records[i].id);
        all.push_back({i,
                       limits_of(is_inverse(point.job) ? inverse_shares(runner, point)
                                                       : layer_shares(runner, point))});
    }
    return all;
}

std::string explain_text(const SweepReport& report, const std::vector<PointLimits>& limits) {
    Table table(2);
    std::vector<std::string> head;
    const explore::Sweep& sweep = *report.sweep;
    const std::vector<std::string> keys = telling_keys(sweep);
    for (const PointLimits& point : limits) {
        const Record& record = report.records[point.record];
        std::vector<std::string> facts;
        for (const Objective& objective : sweep.objectives) {
            facts.push_back(fmt::format(
                "{} {}", objective.name, result_text(result_of(record, objective.name))));
        }
        for (const std::string& key : keys) {
            facts.push_back(fmt::format("{}={}", short_key(key), short_value(record.axes.at(key))));
        }
        table.row(join(facts, " "), {shares_text(point.limits)});
    }
    return table.text();
}

std::string explain_json(const SweepReport& report, const std::vector<PointLimits>& limits) {
    json points = json::array();
    for (const PointLimits& point : limits) {
        json shares = json::object();
        for (const PointLimits::Limit& limit : point.limits) {
            shares[limit.what] = limit.share;
        }
        points.push_back({{"id", report.records[point.record].id}, {"limits", shares}});
    }
    return json{{"sweep", report.sweep->name}, {"points", points}}.dump(2) + "\n";
}

std::string diff_text(const explore::Sweep& sweep,
                      const std::vector<Record>& before,
                      const std::vector<Record>& after,
                      explore::MatchBy match) {
    const explore::Comparison comparison = explore::compare(before, after, match);
    std::string text = fmt::format("{} points in both, {} only before, {} only after\n",
                                   comparison.pairs.size(),
                                   comparison.only_before.size(),
                                   comparison.only_after.size());
    Table table;
    table.row("after / before", {"points", "least", "median", "most"});
    for (const Objective& objective : sweep.objectives) {
        std::vector<double> factors;
        for (const explore::Pair& pair : comparison.pairs) {
            const double factor = result_of(after[pair.after], objective.name) /
                                  result_of(before[pair.before], objective.name);
            if (std::isfinite(factor)) {
                factors.push_back(factor);
            }
        }
        if (!factors.empty()) {
            const auto [least, most] = std::ranges::minmax(factors);
            table.row(objective.name,
                      {std::to_string(factors.size()),
                       fmt::format("{:.4g}", least),
                       fmt::format("{:.4g}", median(factors)),
                       fmt::format("{:.4g}", most)});
        }
    }
    return text + table.text();
}

} // namespace npusim::app
