// SPDX-License-Identifier: Apache-2.0
#include "sim/app/select.h"

#include "sim/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

namespace npusim::app {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// An order for sorting that NaN does not upset.
double sortable(double error) {
    if (!std::isfinite(error)) {
        return kInfinity;
    }
    return error;
}

std::vector<std::size_t> indices(std::size_t count) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
}

bool worse(const inverse::CaseAccuracy& a, const inverse::CaseAccuracy& b) {
    const auto badness = [](const inverse::Accuracy& x) {
        const double lost = static_cast<double>(x.non_finite) / static_cast<double>(x.matrices);
        return std::pair(lost, sortable(x.rel_frobenius_max));
    };
    return badness(a.accuracy) > badness(b.accuracy);
}

/// Runs a candidate, or notes why the chip cannot.
void measure(Candidate& candidate, const config::HardwareConfig& hardware, const Workload& work) {
    try {
        candidate.result = run(hardware, candidate.request, work);
        candidate.result->inverses = {}; // as large as the input, for every candidate
    } catch (const ConfigError& error) {
        candidate.refused = error.what();
    } catch (const ProgramError& error) {
        candidate.refused = error.what();
    }
}

} // namespace

bool within_limit(const Score& score, double max_error) {
    return std::isfinite(score.error) && score.error <= max_error;
}

std::vector<std::size_t> ranking(const std::vector<Score>& scores, double max_error) {
    const auto key = [&](std::size_t i) {
        const auto cycles = static_cast<double>(scores[i].cycles);
        const double error = sortable(scores[i].error);
        return within_limit(scores[i], max_error) ? std::tuple(0, cycles, error)
                                                  : std::tuple(1, error, cycles);
    };
    std::vector<std::size_t> order = indices(scores.size());
    std::stable_sort(
        order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    return order;
}

std::vector<std::size_t> pareto_front(const std::vector<Score>& scores) {
    std::vector<std::size_t> front;
    double least = kInfinity;
    for (const std::size_t i : ranking(scores, kInfinity)) { // by cycles, then by error
        if (scores[i].error < least) {
            least = scores[i].error;
            front.push_back(i);
        }
    }
    return front;
}

std::vector<inverse::CaseAccuracy> broken_cases(std::vector<inverse::CaseAccuracy> cases,
                                                double max_error) {
    std::erase_if(cases, [&](const inverse::CaseAccuracy& part) {
        return part.accuracy.non_finite == 0 && part.accuracy.rel_frobenius_max <= max_error;
    });
    std::stable_sort(cases.begin(), cases.end(), worse);
    return cases;
}

const inverse::CaseAccuracy& worst_case(const std::vector<inverse::CaseAccuracy>& cases) {
    return *std::min_element(cases.begin(), cases.end(), worse);
}

Score Candidate::score() const {
    if (!result) {
        return {std::numeric_limits<std::int64_t>::max(), kInfinity};
    }
    Score score{result->cycles_after_launch(), result->accuracy->rel_frobenius_max};
    if (result->accuracy->non_finite > 0) {
        score.error = kInfinity;
    }
    return score;
}

std::vector<Candidate> list_candidates(const std::vector<KernelRequest>& requests,
                                       const kernels::Problem& problem) {
    std::vector<Candidate> list;
    for (const KernelRequest& request : requests) {
        for (kernels::ParameterValues values : request.kernel->candidates(problem)) {
            for (const auto& [name, value] : request.given) {
                values[name] = value;
            }
            values = request.kernel->settle(problem, values);
            const bool known = std::any_of(list.begin(), list.end(), [&](const Candidate& other) {
                return other.request.kernel == request.kernel && other.request.values == values;
            });
            if (!known) {
                list.push_back({{request.kernel, values, request.given}, std::nullopt, ""});
            }
        }
    }
    return list;
}

std::optional<std::size_t> Selection::choice() const {
    const bool found = !candidates.empty() && within_limit(candidates.front().score(), max_error);
    return found ? std::optional<std::size_t>(0) : std::nullopt;
}

Selection select(const config::HardwareConfig& hardware,
                 const std::vector<KernelRequest>& requests,
                 const Workload& workload,
                 double max_error,
                 const Announce& announce) {
    std::vector<Candidate> candidates = list_candidates(requests, workload.problem);
    std::vector<Score> scores;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        announce(i, candidates.size(), candidates[i]);
        measure(candidates[i], hardware, workload);
        scores.push_back(candidates[i].score());
    }
    Selection selection{hardware.name, workload.problem, "", max_error, {}, {}};
    std::vector<Score> ranked;
    for (const std::size_t i : ranking(scores, max_error)) {
        selection.candidates.push_back(std::move(candidates[i]));
        ranked.push_back(scores[i]);
    }
    selection.front = pareto_front(ranked);
    return selection;
}

} // namespace npusim::app
