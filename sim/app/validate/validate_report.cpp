// SPDX-License-Identifier: Apache-2.0
#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "sim/app/validate/validate.h"
#include "traces/scatter.h"

#include <cmath>
#include <fmt/format.h>
#include <map>
#include <string>

namespace npusim::app {

namespace {

constexpr std::string_view kNoFamily = "(no model)";

using Rows = std::vector<const Comparison*>;

std::map<std::string, Rows> by_family(const std::vector<Comparison>& rows) {
    std::map<std::string, Rows> families;
    for (const Comparison& row : rows) {
        families[row.family.empty() ? std::string(kNoFamily) : row.family].push_back(&row);
    }
    return families;
}

Rows all_of(const std::vector<Comparison>& rows, bool device_only) {
    Rows all;
    for (const Comparison& row : rows) {
        if (!device_only || device_timed(row.row)) {
            all.push_back(&row);
        }
    }
    return all;
}

std::vector<std::string> cells(const Agreement& a) {
    const auto real = [](double value) {
        return std::isnan(value) ? std::string("-") : fmt::format("{:.2f}", value);
    };
    return {fmt::format("{}", a.rows),
            fmt::format("{}", a.modelled),
            percent(a.coverage),
            percent(a.median_abs_error),
            percent(a.p90_abs_error),
            percent(a.bias),
            real(a.rank_tau),
            fmt::format("{}", a.algorithm_pairs),
            percent(a.algorithm_order)};
}

json agreement_json(const Agreement& a) {
    return {{"rows", a.rows},
            {"modelled", a.modelled},
            {"coverage", number(a.coverage)},
            {"median_abs_error", number(a.median_abs_error)},
            {"p90_abs_error", number(a.p90_abs_error)},
            {"bias", number(a.bias)},
            {"rank_tau", number(a.rank_tau)},
            {"algorithm_pairs", a.algorithm_pairs},
            {"algorithm_order", number(a.algorithm_order)}};
}

json row_json(const Comparison& row) {
    json text{{"id", row.row.id},
              {"platform", row.row.platform},
              {"kernel", row.row.kernel},
              {"algorithm", row.row.algorithm},
              {"family", row.family},
              {"hardware", row.hardware},
              {"group", row.row.group},
              {"timing", row.row.timing},
              {"device_timed", device_timed(row.row)},
              {"unit", row.unit},
              {"measured", number(row.measured)},
              {"modelled", row.modelled()}};
    if (row.modelled()) {
        text["predicted"] = number(row.predicted);
        text["error"] = number(row.error());
    } else {
        text["reason"] = row.reason;
    }
    return text;
}

} // namespace

std::string validation_text(const Validation& validation, bool all) {
    Table table;
    table.row("family",
              {"rows",
               "modelled",
               "coverage",
               "median |error|",
               "90th pct.",
               "bias",
               "tau",
               "alg. pairs",
               "in order"});
    for (const auto& [name, rows] : by_family(validation.rows)) {
        table.row(name, cells(agreement(rows)));
    }
    table.row("all", cells(agreement(all_of(validation.rows, false))));
    table.row("timed on the device", cells(agreement(all_of(validation.rows, true))));
    std::string text =
        fmt::format("{}: predicted against measured time\n{}", validation.table, table.text());
    if (all) {
        Table each(3);
        each.row("row", {"kernel", "algorithm", "measured", "predicted", "unit", "error"});
        for (const Comparison& row : validation.rows) {
            each.row(row.row.id,
                     {row.row.kernel,
                      row.row.algorithm.substr(0, 40),
                      fmt::format("{:.4g}", row.measured),
                      row.modelled() ? fmt::format("{:.4g}", row.predicted) : "-",
                      row.unit,
                      row.modelled() ? percent(row.error()) : row.reason});
        }
        text += fmt::format("\n{}", each.text());
    }
    std::map<std::string, std::size_t> reasons;
    for (const Comparison& row : validation.rows) {
        if (!row.modelled()) {
            ++reasons[row.reason];
        }
    }
    if (!reasons.empty()) {
        Table why(1);
        for (const auto& [reason, count] : reasons) {
            why.row(fmt::format("{:>5}  {}", count, reason), {});
        }
        text += fmt::format("\nrows not modelled, and why\n{}", why.text());
    }
    return text;
}

std::string validation_json(const Validation& validation) {
    json families = json::object();
    for (const auto& [name, rows] : by_family(validation.rows)) {
        families[name] = agreement_json(agreement(rows));
    }
    json rows = json::array();
    for (const Comparison& row : validation.rows) {
        rows.push_back(row_json(row));
    }
    return json{{"table", validation.table},
                {"version", NPUSIM_VERSION},
                {"summary", agreement_json(agreement(all_of(validation.rows, false)))},
                {"device", agreement_json(agreement(all_of(validation.rows, true)))},
                {"families", families},
                {"rows", rows}}
               .dump(2) +
           "\n";
}

std::string validation_csv(const Validation& validation) {
    std::string text = "id,platform,kernel,algorithm,family,hardware,unit,measured,predicted,error,"
                       "reason\n";
    for (const Comparison& row : validation.rows) {
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n",
                            quoted(row.row.id),
                            quoted(row.row.platform),
                            quoted(row.row.kernel),
                            quoted(row.row.algorithm),
                            row.family,
                            row.hardware,
                            row.unit,
                            row.measured,
                            row.modelled() ? fmt::format("{}", row.predicted) : "",
                            row.modelled() ? fmt::format("{}", row.error()) : "",
                            quoted(row.reason));
    }
    return text;
}

std::string validation_svg(const Validation& validation) {
    std::vector<traces::ScatterPoint> points;
    for (const Comparison& row : validation.rows) {
        if (row.modelled() && row.unit == "us" && device_timed(row.row)) {
            points.push_back({row.family, row.measured, row.predicted});
        }
    }
    return traces::scatter_svg(
        fmt::format("{} measurements", points.size()), "microseconds", points);
}

} // namespace npusim::app
