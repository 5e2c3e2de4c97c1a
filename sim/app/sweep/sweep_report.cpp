// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep/sweep_report.h"

#include "sim/app/report_parts.h"
#include "sim/app/sweep/sweep_job.h"
#include "sim/app/table.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <utility>

namespace npusim::app {

namespace {

using explore::Effect;
using explore::Objective;
using explore::Record;
using explore::Status;

constexpr std::size_t kMostEffects = 5; ///< that are named for a result
constexpr std::size_t kMostRows = 40;   ///< of the front in a text
constexpr double kLeastShare = 0.005;   ///< of the variance

std::size_t count(const SweepReport& report, Status status) {
    return static_cast<std::size_t>(std::ranges::count(report.records, status, &Record::status));
}

/// Keys of all axes, in their order.
std::vector<std::string> axis_keys(const explore::Sweep& sweep) {
    std::vector<std::string> keys;
    for (const explore::Axis& axis : sweep.space.axes()) {
        keys.insert(keys.end(), axis.keys.begin(), axis.keys.end());
    }
    return keys;
}

/// "ascend-910b 512": what a level of an axis is called.
std::string level_text(const explore::Axis& axis, const std::vector<explore::Value>& level) {
    std::vector<std::string> texts;
    for (const std::size_t k : telling_keys(axis)) {
        texts.push_back(short_value(level[k]));
    }
    return join(texts, " ");
}

/// "61 % chunk, 22 % kernel, 9 % chunk with kernel"
std::string effects_text(const std::vector<Effect>& effects) {
    std::vector<Effect> large;
    std::ranges::copy_if(effects, std::back_inserter(large), [](const Effect& effect) {
        return effect.share >= kLeastShare;
    });
    std::ranges::stable_sort(large, std::ranges::greater{}, &Effect::share);
    std::vector<std::string> texts;
    for (const Effect& effect : large) {
        if (texts.size() < kMostEffects) {
            texts.push_back(
                fmt::format("{:.0f} % {}{}",
                            100 * effect.share,
                            short_key(effect.first),
                            effect.second.empty() ? "" : " with " + short_key(effect.second)));
        }
    }
    return texts.empty() ? "nothing: it does not vary" : join(texts, ", ");
}

/// Whether the effects on an objective are those on its logarithm.
bool by_log(const SweepReport& report, const Objective& objective) {
    return explore::effect_scale(report.records, objective.name) == explore::Scale::Log;
}

std::string point_text(const SweepReport& report, const Record& record) {
    std::vector<std::string> texts;
    for (const std::string& key : telling_keys(*report.sweep)) {
        texts.push_back(fmt::format("{}={}", short_key(key), short_value(record.axes.at(key))));
    }
    return join(texts, " ");
}

std::string counts_text(const SweepReport& report) {
    std::string text = fmt::format("{} points evaluated", count(report, Status::Done));
    for (const Status status :
         {Status::Failed, Status::Crashed, Status::Timeout, Status::OutOfMemory}) {
        if (const std::size_t failed = count(report, status); failed > 0) {
            text += fmt::format(", {} {}", failed, to_string(status));
        }
    }
    if (report.progress) {
        const explore::RunProgress& progress = *report.progress;
        text += fmt::format(" ({} now, {} were there", progress.done, progress.reused);
        text += progress.infeasible > 0
                    ? fmt::format("; {} ruled out by constraints)", progress.infeasible)
                    : ")";
    }
    return text;
}

/// The reason that most points which failed give, and how many do.
std::string common_failure(const SweepReport& report) {
    std::map<std::string, std::size_t> reasons;
    for (const Record& record : report.records) {
        if (record.status != Status::Done) {
            ++reasons[record.message.empty() ? std::string(to_string(record.status))
                                             : record.message];
        }
    }
    const auto most =
        std::ranges::max_element(reasons, {}, [](const auto& reason) { return reason.second; });
    return most == reasons.end() ? "" : fmt::format("{} times: {}\n", most->second, most->first);
}

std::string front_text(const SweepReport& report) {
    std::vector<std::string> head;
    for (const Objective& objective : report.sweep->objectives) {
        head.push_back(with_unit(objective.name));
    }
    const std::vector<std::string> keys = telling_keys(*report.sweep);
    std::ranges::transform(keys, std::back_inserter(head), short_key);
    Table table(0);
    table.row("point", head);
    for (std::size_t i = 0; i < std::min(kMostRows, report.front.size()); ++i) {
        const Record& record = report.records[report.front[i]];
        std::vector<std::string> cells;
        for (const Objective& objective : report.sweep->objectives) {
            cells.push_back(result_text(result_of(record, objective.name)));
        }
        for (const std::string& key : keys) {
            cells.push_back(short_value(record.axes.at(key)));
        }
        table.row(std::to_string(record.id), cells);
    }
    const std::size_t left = report.front.size() - std::min(kMostRows, report.front.size());
    return table.text() + (left > 0 ? fmt::format("and {} more\n", left) : "");
}

json record_json(const Record& record) {
    json axes = json::object();
    for (const auto& [key, value] : record.axes) {
        axes[key] = explore::to_json(value);
    }
    json results = json::object();
    for (const auto& [name, value] : record.results()) {
        results[name] = number(value);
    }
    return {{"id", record.id}, {"axes", axes}, {"results", results}};
}

json effects_json(const std::vector<Effect>& effects) {
    json list = json::array();
    for (const Effect& effect : effects) {
        json entry{{"axis", effect.first}, {"share", effect.share}};
        if (!effect.second.empty()) {
            entry["with"] = effect.second;
        }
        list.push_back(entry);
    }
    return list;
}

/// Whether a record has these values along an axis.
bool is_at(const Record& record,
           const explore::Axis& axis,
           const std::vector<explore::Value>& level) {
    for (std::size_t k = 0; k < level.size(); ++k) {
        if (record.axes.at(axis.keys[k]) != level[k]) {
            return false;
        }
    }
    return true;
}

/// Points that differ along one axis alone.
class Peers {
  public:
    Peers(const SweepReport& report, const explore::Axis& axis) : axis_(axis) {
        std::map<explore::Settings, std::vector<const Record*>> groups;
        for (const Record& record : report.records) {
            if (!explore::satisfies(*report.sweep, record, report.conditions)) {
                continue;
            }
            explore::Settings others = record.axes;
            for (const std::string& key : axis.keys) {
                others.erase(key);
            }
            std::vector<const Record*>& group = groups[others];
            group.resize(axis.size());
            group[level_of(record)] = &record;
        }
        for (auto& group : groups) {
            groups_.push_back(std::move(group.second));
        }
    }

    /// For each level but the first the median factor, over the groups whose points satisfy `of`;
    /// "-" where there is none.
    template <class Of>
    [[nodiscard]] std::vector<std::string> factors(const std::string& result, const Of& of) const {
        std::vector<std::string> texts;
        for (std::size_t level = 1; level < axis_.size(); ++level) {
            std::vector<double> factors;
            for (const std::vector<const Record*>& group : groups_) {
                if (group.front() != nullptr && group[level] != nullptr && of(*group.front())) {
                    const double factor =
                        result_of(*group[level], result) / result_of(*group.front(), result);
                    if (std::isfinite(factor)) {
                        factors.push_back(factor);
                    }
                }
            }
            texts.push_back(factors.empty() ? "-" : fmt::format("{:.3f}", median(factors)));
        }
        return texts;
    }

  private:
    [[nodiscard]] std::size_t level_of(const Record& record) const {
        const auto level = std::ranges::find_if(
            axis_.levels, [&](const auto& values) { return is_at(record, axis_, values); });
        return static_cast<std::size_t>(level - axis_.levels.begin());
    }

    const explore::Axis& axis_;
    std::vector<std::vector<const Record*>> groups_; ///< by level; null: not there
};

} // namespace

SweepReport report_of(const explore::Sweep& sweep, std::vector<Record> records) {
    SweepReport report;
    report.sweep = &sweep;
    report.records = std::move(records);
    report.front = front_of(sweep, report.records);
    return report;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

std::vector<std::size_t> telling_keys(const explore::Axis& axis) {
    std::vector<std::size_t> told;
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
        const bool repeats = std::ranges::any_of(told, [&](std::size_t before) {
            return std::ranges::all_of(
                axis.levels, [&](const auto& level) { return level[k] == level[before]; });
        });
        if (!repeats) {
            told.push_back(k);
        }
    }
    return told;
}

std::vector<std::string> telling_keys(const explore::Sweep& sweep) {
    std::vector<std::string> keys;
    for (const explore::Axis& axis : sweep.space.axes()) {
        for (const std::size_t k : telling_keys(axis)) {
            keys.push_back(axis.keys[k]);
        }
    }
    return keys;
}

std::string short_key(const std::string& key) {
    return key.substr(key.find('.') + 1);
}

std::string short_value(const explore::Value& value) {
    const std::string text = explore::to_text(value);
    return text.ends_with(".yaml") ? std::filesystem::path(text).stem().string() : text;
}

double result_of(const Record& record, const std::string& name) {
    return record.result(name).value_or(std::numeric_limits<double>::quiet_NaN());
}

std::string result_text(double value) {
    constexpr double most_whole = 1e15;
    return value == std::floor(value) && std::abs(value) < most_whole
               ? fmt::format("{:.0f}", value)
               : fmt::format("{:.4g}", value);
}

std::string sweep_text(const SweepReport& report) {
    const explore::Sweep& sweep = *report.sweep;
    std::string text = sweep.name;
    text += sweep.description.empty() ? "" : ": " + sweep.description;
    text += fmt::format("\n{} of {} in the space\n", counts_text(report), sweep.space.size());
    text += common_failure(report);
    if (report.front.empty()) {
        return text + "no point satisfies the constraints with a finite result\n";
    }
    text += fmt::format("\nPareto front, {} points, {:.1f} % of the box they span\n{}",
                        report.front.size(),
                        100 * explore::covered(sweep, report.records).value_or(0),
                        front_text(report));
    text += "\nbest\n";
    Table best(2);
    for (std::size_t i = 0; i < sweep.objectives.size(); ++i) {
        if (const auto at = best_of(sweep, report.records, i, report.conditions)) {
            const Record& record = report.records[*at];
            const std::string& name = sweep.objectives[i].name;
            best.row(with_unit(name),
                     {result_text(result_of(record, name)), point_text(report, record)});
        }
    }
    text += best.text();
    text += "\nwhat the variance goes with\n";
    Table table(2);
    for (const Objective& objective : sweep.objectives) {
        table.row(objective.name + (by_log(report, objective) ? " (log)" : ""),
                  {effects_text(explore::effects(sweep, report.records, objective.name))});
    }
    return text + table.text();
}

std::string versus_text(const SweepReport& report, const std::string& key) {
    const explore::Sweep& sweep = *report.sweep;
    const std::vector<std::string> keys = axis_keys(sweep);
    const auto& axes = sweep.space.axes();
    const auto axis = std::ranges::find_if(axes, [&](const explore::Axis& candidate) {
        return std::ranges::count(candidate.keys, key) > 0;
    });
    if (axis == axes.end()) {
        throw ConfigError(fmt::format("--versus {}: no axis{} (allowed: {})",
                                      key,
                                      did_you_mean(key, keys),
                                      join(keys, ", ")));
    }
    const Peers peers(report, *axis);
    std::string text;
    for (const Objective& objective : sweep.objectives) {
        Table table;
        std::vector<std::string> head;
        for (std::size_t level = 1; level < axis->size(); ++level) {
            head.push_back(level_text(*axis, axis->levels[level]));
        }
        table.row(
            fmt::format("{} / that of {}", objective.name, level_text(*axis, axis->levels.front())),
            head);
        table.row("all", peers.factors(objective.name, [](const Record&) { return true; }));
        for (const explore::Axis& other : axes) {
            for (const std::vector<explore::Value>& level : other.levels) {
                if (&other != &*axis && other.size() > 1) {
                    table.row(fmt::format(
                                  "{}={}", short_key(other.keys.front()), level_text(other, level)),
                              peers.factors(objective.name, [&](const Record& record) {
                                  return is_at(record, other, level);
                              }));
                }
            }
        }
        text += (text.empty() ? "" : "\n") + table.text();
    }
    return text;
}

std::string sweep_json(const SweepReport& report) {
    const explore::Sweep& sweep = *report.sweep;
    json out{{"sweep", sweep.name},
             {"version", NPUSIM_VERSION},
             {"space", sweep.space.size()},
             {"points", json::object()}};
    for (const std::string_view name : explore::kStatusNames) {
        out["points"][std::string(name)] = 0;
    }
    for (const Record& record : report.records) {
        out["points"][std::string(to_string(record.status))] =
            out["points"][std::string(to_string(record.status))].get<int>() + 1;
    }
    json front = json::array();
    for (const std::size_t i : report.front) {
        front.push_back(record_json(report.records[i]));
    }
    out["front"] = front;
    out["covered"] = number(explore::covered(sweep, report.records).value_or(0));
    json objectives = json::object();
    for (std::size_t i = 0; i < sweep.objectives.size(); ++i) {
        const Objective& objective = sweep.objectives[i];
        const auto best = best_of(sweep, report.records, i, report.conditions);
        objectives[objective.name] = {
            {"direction", objective.direction == explore::Direction::Min ? "min" : "max"},
            {"best", best ? record_json(report.records[*best]) : json()},
            {"effects_of", by_log(report, objective) ? "log10" : "value"},
            {"effects", effects_json(explore::effects(sweep, report.records, objective.name))}};
    }
    out["objectives"] = objectives;
    return out.dump(2) + "\n";
}

std::string sweep_csv(const SweepReport& report) {
    const std::vector<std::string> keys = axis_keys(*report.sweep);
    std::string text = "id";
    for (const std::string& key : keys) {
        text += "," + quoted(key);
    }
    for (const Objective& objective : report.sweep->objectives) {
        text += "," + objective.name;
    }
    text += "\n";
    for (const std::size_t i : report.front) {
        const Record& record = report.records[i];
        text += std::to_string(record.id);
        for (const std::string& key : keys) {
            text += "," + quoted(explore::to_text(record.axes.at(key)));
        }
        for (const Objective& objective : report.sweep->objectives) {
            text += fmt::format(",{}", result_of(record, objective.name));
        }
        text += "\n";
    }
    return text;
}

} // namespace npusim::app
