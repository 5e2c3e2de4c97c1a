// SPDX-License-Identifier: Apache-2.0
#include "sim/app/study_report.h"

#include "sim/app/table.h"
#include "sim/base/join.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>

namespace npusim::app {

namespace {

using json = nlohmann::ordered_json;

bool in_decibels(Figure figure) {
    return figure == Figure::SnrMean || figure == Figure::SnrWorst;
}

/// "1.4e-2", as the publications write it.
std::string scientific(double value) {
    std::string text = fmt::format("{:.1e}", value);
    const std::size_t exponent = text.find_first_of("+-", 1);
    const std::size_t digits = std::min(text.find_first_not_of('0', exponent + 1), text.size() - 1);
    text.erase(exponent + 1, digits - exponent - 1);
    return text[exponent] == '+' ? text.erase(exponent, 1) : text;
}

std::string figure_text(Figure figure, double value) {
    if (std::isnan(value)) {
        return "nf";
    }
    if (in_decibels(figure)) {
        return fmt::format("{:.1f}", value);
    }
    return figure == Figure::NonFinite ? fmt::format("{:.3g}", value) : scientific(value);
}

/// The figures of a cell between slashes, alike ones once; `text` makes each.
std::string joined(std::size_t figures, const std::function<std::string(std::size_t)>& text) {
    std::vector<std::string> parts;
    for (std::size_t f = 0; f < figures; ++f) {
        parts.push_back(text(f));
    }
    const bool alike = std::ranges::count(parts, parts.front()) == std::ssize(parts);
    return alike ? parts.front() : join(parts, " / ");
}

std::string cell_text(const Block& block, std::size_t column, const Cell& cell) {
    const std::size_t figures = block.figures.size();
    const std::string published =
        joined(figures, [&](std::size_t f) { return cell.published[f].text; });
    const std::string quoted = published == "none" ? "" : fmt::format("({})", published);
    if (!cell.ours) {
        return block.columns[column].format == kQuoted ? quoted : "not built " + quoted;
    }
    const inverse::Accuracy& ours = *cell.ours;
    std::string text = joined(figures, [&](std::size_t f) {
        return figure_text(block.figures[f], value_of(block.figures[f], ours));
    });
    const bool told = std::ranges::count(block.figures, Figure::NonFinite) > 0;
    if (!told && ours.non_finite > 0 && ours.non_finite < ours.matrices) {
        text += fmt::format(", {} of {} nf", ours.non_finite, ours.matrices);
    }
    bool off = false;
    for (std::size_t f = 0; f < figures; ++f) {
        off |= agrees(block, column, cell, f) == false;
    }
    return fmt::format("{}{}{}{}", text, quoted.empty() ? "" : " ", quoted, off ? "!" : " ");
}

std::string block_text(const Block& block) {
    std::size_t input_width = 0;
    for (const Row& row : block.rows) {
        input_width = std::max(input_width, row.input.size());
    }
    const auto label = [&](const std::string& input, const std::string& setting) {
        return input_width == 0 ? setting : fmt::format("{:<{}}  {}", input, input_width, setting);
    };
    Table table;
    std::vector<std::string> head;
    for (const Column& column : block.columns) {
        head.push_back(column.name + " ");
    }
    table.row(label("input", "setting"), head);
    for (const Row& row : block.rows) {
        std::vector<std::string> cells;
        for (std::size_t c = 0; c < row.cells.size(); ++c) {
            cells.push_back(cell_text(block, c, row.cells[c]));
        }
        table.row(label(row.input, row.setting), cells);
    }
    std::vector<std::string_view> figures(block.figures.size());
    std::ranges::transform(block.figures, figures.begin(), name_of);
    std::string text = fmt::format("{} ({}{})\n{}{}",
                                   block.title,
                                   join(figures, " / "),
                                   block.figures.back() == Figure::Worst ? " relative error" : "",
                                   block.input.empty() ? "" : "on " + block.input + "\n",
                                   table.text());
    for (const Claim& claim : block.claims) {
        text +=
            fmt::format("{}: {}\n", holds(block, claim) ? "holds" : "does NOT hold", claim.text);
    }
    return block.note.empty() ? text + "\n" : fmt::format("{}note: {}\n\n", text, block.note);
}

std::string summary_text(const std::string& name, const StudySummary& summary) {
    std::string text = fmt::format(
        "{}: {} of {} cells within an order of magnitude", name, summary.agree, summary.cells);
    if (summary.claims > 0) {
        text += fmt::format(", {} of {} claims hold", summary.hold, summary.claims);
    }
    return text + "\n";
}

StudySummary summarize(const std::vector<Study>& studies) {
    StudySummary sum;
    for (const Study& study : studies) {
        sum.add(study);
    }
    return sum;
}

json ours_json(const Finding& finding) {
    if (!finding.cell->ours) {
        return nullptr;
    }
    const double value = value_of(finding.figure, *finding.cell->ours);
    return std::isnan(value) ? json("nf") : json(value);
}

json published_json(const Published& published) {
    switch (published.kind) {
    case Published::Kind::Nothing:
        return nullptr;
    case Published::Kind::About:
        return published.value;
    default:
        return published.text;
    }
}

json row_json(const Block& block, const Row& row) {
    json cells = json::array();
    for (const Finding& finding : findings(block, row)) {
        cells.push_back({{"column", finding.column},
                         {"ours", ours_json(finding)},
                         {"published", published_json(*finding.published)},
                         {"agrees", finding.agrees ? json(*finding.agrees) : json(nullptr)}});
    }
    return {{"case", block.input + row.input},
            {"setting", row.setting},
            {"kernel", row.kernel},
            {"cells", cells}};
}

json block_json(const Study& study, const Block& block) {
    json rows = json::array();
    for (const Row& row : block.rows) {
        rows.push_back(row_json(block, row));
    }
    return {{"study", study.name},
            {"source", study.source},
            {"title", block.title},
            {"note", block.note},
            {"chunk", block.chunk},
            {"rows", rows}};
}

/// Between quotes, as a field of CSV that may hold commas.
std::string field(const std::string& text) {
    return '"' + text + '"';
}

} // namespace

std::string study_text(const std::vector<Study>& studies, const std::string& hardware) {
    std::string text = fmt::format("ours (published), on {}\n\n", hardware);
    std::string summary;
    for (const Study& study : studies) {
        text += fmt::format("=== {}: {}\n\n", study.name, study.source);
        for (const Block& block : study.blocks) {
            text += block_text(block);
        }
        summary += summary_text(study.name, summarize({study}));
    }
    return text + summary + (studies.size() > 1 ? summary_text("all", summarize(studies)) : "");
}

std::string study_json(const std::string& name,
                       const std::vector<Study>& studies,
                       const std::string& hardware) {
    json blocks = json::array();
    json claims = json::array();
    for (const Study& study : studies) {
        for (const Block& block : study.blocks) {
            blocks.push_back(block_json(study, block));
            for (const Claim& claim : block.claims) {
                claims.push_back({{"claim", claim.text},
                                  {"block", block.title},
                                  {"holds", holds(block, claim)}});
            }
        }
    }
    const StudySummary summary = summarize(studies);
    return json{{"study", name},
                {"hardware", hardware},
                {"blocks", blocks},
                {"summary", {{"cells", summary.cells}, {"agree", summary.agree}}},
                {"claims", claims},
                {"version", NPUSIM_VERSION}}
               .dump(2) +
           "\n";
}

std::string study_csv(const std::vector<Study>& studies) {
    std::string text = "study,block,case,setting,column,ours,published,agrees,version\n";
    for (const Study& study : studies) {
        for (const Block& block : study.blocks) {
            for (const Row& row : block.rows) {
                for (const Finding& finding : findings(block, row)) {
                    const json ours = ours_json(finding);
                    text +=
                        fmt::format("{},{},{},{},{},{},{},{},{}\n",
                                    study.name,
                                    field(block.title),
                                    field(finding.input),
                                    field(row.setting),
                                    finding.column,
                                    ours.is_null()     ? ""
                                    : ours.is_string() ? ours.get<std::string>()
                                                       : fmt::format("{:.6g}", ours.get<double>()),
                                    finding.published->text,
                                    !finding.agrees   ? ""
                                    : *finding.agrees ? "yes"
                                                      : "no",
                                    NPUSIM_VERSION);
                }
            }
        }
    }
    return text;
}

std::vector<std::string> differences(const std::vector<Study>& studies) {
    std::vector<std::string> list;
    for (const Study& study : studies) {
        for (const Block& block : study.blocks) {
            const std::string place = fmt::format("{}: {}", study.name, block.title);
            for (const Row& row : block.rows) {
                for (const Finding& finding : findings(block, row)) {
                    if (finding.agrees == false) {
                        list.push_back(
                            fmt::format("{}: {}, {} on {}: {} (published {})",
                                        place,
                                        row.setting,
                                        finding.column,
                                        finding.input,
                                        figure_text(finding.figure,
                                                    value_of(finding.figure, *finding.cell->ours)),
                                        finding.published->text));
                    }
                }
            }
            for (const Claim& claim : block.claims) {
                if (!holds(block, claim)) {
                    list.push_back(fmt::format("{}: does not hold: {}", place, claim.text));
                }
            }
        }
    }
    return list;
}

} // namespace npusim::app
