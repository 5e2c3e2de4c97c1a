// SPDX-License-Identifier: Apache-2.0
#include "sim/app/select_report.h"

#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "sim/base/join.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

using kernels::Kernel;
using kernels::Parameter;

/// Cases that the text names before it says "and N more".
constexpr std::size_t kCasesNamed = 4;

/// "order=3 steps=8", in the kernel's order: the parameters `shown` holds for.
template <typename Shown>
std::string
parameters_text(const KernelRequest& request, const char* separator, const Shown& shown) {
    std::vector<std::string> parts;
    for (const Parameter& parameter : request.kernel->parameters()) {
        if (shown(parameter)) {
            parts.push_back(
                fmt::format("{}={}",
                            parameter.name,
                            kernels::parameter_text(parameter, request.values.at(parameter.name))));
        }
    }
    return join(parts, separator);
}

/// The parameters that some candidate has other than by default.
std::set<std::pair<const Kernel*, std::string>> varied(const Selection& selection) {
    std::set<std::pair<const Kernel*, std::string>> names;
    for (const Candidate& candidate : selection.candidates) {
        for (const Parameter& parameter : candidate.request.kernel->parameters()) {
            if (candidate.request.values.at(parameter.name) != parameter.initial) {
                names.emplace(candidate.request.kernel, parameter.name);
            }
        }
    }
    return names;
}

/// What speed-ups are over: forward substitution if it ran, else the slowest; null if nothing ran.
const Candidate* baseline(const Selection& selection) {
    const Candidate* slowest = nullptr;
    for (const Candidate& candidate : selection.candidates) {
        if (!candidate.result) {
            continue;
        }
        if (candidate.request.kernel->name() == kBaseline) {
            return &candidate;
        }
        if (slowest == nullptr || candidate.score().cycles > slowest->score().cycles) {
            slowest = &candidate;
        }
    }
    return slowest;
}

double speedup(const Selection& selection, const Candidate& candidate) {
    return static_cast<double>(baseline(selection)->score().cycles) /
           static_cast<double>(candidate.score().cycles);
}

bool on_front(const Selection& selection, std::size_t index) {
    return std::count(selection.front.begin(), selection.front.end(), index) > 0;
}

std::string error_text(const Candidate& candidate) {
    return worst_text(*candidate.result->accuracy);
}

std::string table_text(const Selection& selection) {
    const auto names = varied(selection);
    Table table(3);
    table.row("#",
              {"kernel",
               "parameters",
               "cycles after launch",
               "time, us",
               "speed-up",
               "worst error",
               "in case",
               "Pareto"});
    for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
        const Candidate& candidate = selection.candidates[i];
        if (!candidate.result) {
            continue;
        }
        const Score score = candidate.score();
        const std::string parameters =
            parameters_text(candidate.request, " ", [&](const Parameter& parameter) {
                return names.contains({candidate.request.kernel, parameter.name});
            });
        table.row(within_limit(score, selection.max_error) ? fmt::format("{}", i + 1) : "-",
                  {std::string(candidate.request.kernel->name()),
                   parameters.empty() ? "-" : parameters,
                   fmt::format("{}", score.cycles),
                   fmt::format("{:.2f}", candidate.result->microseconds()),
                   fmt::format("{:.2f}x", speedup(selection, candidate)),
                   error_text(candidate),
                   worst_case(candidate.result->cases).name,
                   on_front(selection, i) ? "*" : ""});
    }
    return table.text();
}

/// "" if nothing is on it.
std::string front_text(const Selection& selection) {
    if (selection.front.empty()) {
        return "";
    }
    Table table;
    table.row("Pareto front", {"cycles after launch", "worst error"});
    for (const std::size_t i : selection.front) {
        const Candidate& candidate = selection.candidates[i];
        table.row(spec(candidate.request),
                  {fmt::format("{}", candidate.score().cycles),
                   fmt::format("{:.5g}", candidate.score().error)});
    }
    return fmt::format("\n{}", table.text());
}

/// "ones 16 of 16 non-finite; periodic:4 340; and 3 more".
std::string broken_text(const Candidate& candidate, double max_error) {
    const auto broken = broken_cases(candidate.result->cases, max_error);
    std::vector<std::string> parts;
    for (std::size_t c = 0; c < std::min(broken.size(), kCasesNamed); ++c) {
        parts.push_back(broken[c].name + " " + worst_text(broken[c].accuracy));
    }
    std::string text = join(parts, "; ");
    if (broken.size() > kCasesNamed) {
        text += fmt::format("; and {} more", broken.size() - kCasesNamed);
    }
    return text;
}

/// Rows of a kernel and a remark under `title`, "" without any. A remark like the one above it is
/// not repeated.
std::string remarks_text(const std::string& title,
                         const std::vector<std::pair<std::string, std::string>>& remarks) {
    if (remarks.empty()) {
        return "";
    }
    Table table(3); // the first column is an indent
    std::string above;
    for (const auto& [kernel, remark] : remarks) {
        table.row("", {kernel, remark == above ? "the same" : remark});
        above = remark;
    }
    return fmt::format("\n{}:\n{}", title, table.text());
}

/// The candidates that fail on some case, then those that the chip refuses.
std::string failures_text(const Selection& selection) {
    std::vector<std::pair<std::string, std::string>> broken;
    std::vector<std::pair<std::string, std::string>> refused;
    for (const Candidate& candidate : selection.candidates) {
        if (!candidate.result) {
            refused.emplace_back(spec(candidate.request), candidate.refused);
        } else if (!within_limit(candidate.score(), selection.max_error)) {
            broken.emplace_back(spec(candidate.request),
                                broken_text(candidate, selection.max_error));
        }
    }
    return remarks_text(fmt::format("what breaks what, by more than {:g}", selection.max_error),
                        broken) +
           remarks_text("not on this chip", refused);
}

std::string choice_text(const Selection& selection) {
    const Candidate& best = selection.candidates.front();
    if (!best.result) {
        return "choose: nothing, the chip can run none of them\n";
    }
    const std::string figures =
        fmt::format("{}: {} cycles after launch, {:.2f} us, {:.2f}x {}, worst error {} ({})\n",
                    spec(best.request),
                    best.score().cycles,
                    best.result->microseconds(),
                    speedup(selection, best),
                    spec(baseline(selection)->request),
                    error_text(best),
                    worst_case(best.result->cases).name);
    return selection.choice() ? "choose: " + figures
                              : fmt::format("choose: nothing is within {:g}; the most accurate is "
                                            "{}",
                                            selection.max_error,
                                            figures);
}

json breaks_json(const Selection& selection, const Candidate& candidate) {
    json list = json::array();
    if (candidate.result) {
        for (const auto& part : broken_cases(candidate.result->cases, selection.max_error)) {
            list.push_back({{"case", part.name},
                            {"rel_frobenius_max", number(part.accuracy.rel_frobenius_max)},
                            {"non_finite", part.accuracy.non_finite},
                            {"matrices", part.accuracy.matrices}});
        }
    }
    return list;
}

json candidate_json(const Selection& selection, std::size_t index) {
    const Candidate& candidate = selection.candidates[index];
    const auto measured = [&](auto figure) {
        return candidate.result ? json(figure(*candidate.result)) : json(nullptr);
    };
    return {
        {"kernel", candidate.request.kernel->name()},
        {"params",
         parameters_json(candidate.request.kernel->parameters(), candidate.request.values)},
        {"cycles", measured([](const Result& r) { return r.statistics.total.count(); })},
        {"cycles_after_launch", measured([](const Result& r) { return r.cycles_after_launch(); })},
        {"time_us", measured([](const Result& r) { return r.microseconds(); })},
        {"error", number(candidate.score().error)},
        {"worst_case", measured([](const Result& r) { return worst_case(r.cases).name; })},
        {"non_finite", measured([](const Result& r) { return r.accuracy->non_finite; })},
        {"within_limit", within_limit(candidate.score(), selection.max_error)},
        {"pareto", on_front(selection, index)},
        {"breaks", breaks_json(selection, candidate)},
        {"refused", candidate.result ? json(nullptr) : json(candidate.refused)}};
}

} // namespace

std::string spec(const KernelRequest& request) {
    const std::string parameters = parameters_text(request, ",", [&](const Parameter& parameter) {
        return request.values.at(parameter.name) != parameter.initial;
    });
    return fmt::format("{}{}{}", request.kernel->name(), parameters.empty() ? "" : ":", parameters);
}

std::string select_text(const Selection& selection) {
    std::string text = fmt::format("{}: {} matrices {}x{} {}, input {}, limit {:g}\n",
                                   selection.hardware,
                                   selection.problem.count,
                                   selection.problem.chunk,
                                   selection.problem.chunk,
                                   to_string(selection.problem.dtype),
                                   selection.input,
                                   selection.max_error);
    if (const Candidate* base = baseline(selection)) {
        text += fmt::format("speed-up after launch, over {}\n\n", spec(base->request));
        text += table_text(selection);
    }
    return fmt::format("{}{}{}\n{}",
                       text,
                       front_text(selection),
                       failures_text(selection),
                       choice_text(selection));
}

std::string select_json(const Selection& selection) {
    json candidates = json::array();
    for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
        candidates.push_back(candidate_json(selection, i));
    }
    const auto choice = selection.choice();
    return json{{"hardware", selection.hardware},
                {"chunk", selection.problem.chunk},
                {"dtype", to_string(selection.problem.dtype)},
                {"max_error", selection.max_error},
                {"input", selection.input},
                {"candidates", candidates},
                {"pareto", selection.front},
                {"choice", choice ? json(*choice) : json(nullptr)},
                {"version", NPUSIM_VERSION}}
               .dump(2) +
           "\n";
}

std::string select_csv(const Selection& selection) {
    std::string text = "kernel,params,hardware,chunk,dtype,matrices,cycles,cycles_after_launch,"
                       "time_us,speedup_after_launch,error,worst_case,non_finite,within_limit,"
                       "pareto,refused,version\n";
    for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
        const Candidate& candidate = selection.candidates[i];
        const std::string parameters =
            parameters_text(candidate.request, " ", [](const Parameter&) { return true; });
        std::string figures = ",,,,,,";
        if (const auto& r = candidate.result) {
            figures = fmt::format("{},{},{:.4f},{:.4f},{:.6g},{},{}",
                                  r->statistics.total.count(),
                                  r->cycles_after_launch(),
                                  r->microseconds(),
                                  speedup(selection, candidate),
                                  candidate.score().error,
                                  quoted(worst_case(r->cases).name),
                                  r->accuracy->non_finite);
        }
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n",
                            candidate.request.kernel->name(),
                            parameters.empty() ? "-" : parameters,
                            selection.hardware,
                            selection.problem.chunk,
                            to_string(selection.problem.dtype),
                            selection.problem.count,
                            figures,
                            within_limit(candidate.score(), selection.max_error),
                            on_front(selection, i),
                            candidate.result ? "" : quoted(candidate.refused),
                            NPUSIM_VERSION);
    }
    return text;
}

} // namespace npusim::app
