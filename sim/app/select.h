// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// What a candidate costs and how far off it is.
struct Score {
    std::int64_t cycles = 0; ///< after launch
    double error = 0; ///< worst relative Frobenius error; infinite or NaN: no result to be used
};

/// Whether a candidate may be chosen.
bool within_limit(const Score& score, double max_error);

/// Indices of `scores` in the order to list them: those within the limit by cycles, then the rest
/// by error, with what is not finite last. Equals stay in the order they came in.
std::vector<std::size_t> ranking(const std::vector<Score>& scores, double max_error);

/// Indices of the scores with which no other one can compete: each costs more cycles than the one
/// before it and errs less. Of equal scores the first; what is not finite is never among them.
std::vector<std::size_t> pareto_front(const std::vector<Score>& scores);

/// The cases a candidate breaks, worst first: something is not finite, or off by more than
/// `max_error`. A case is the worse the larger the part of it that is not finite, then by error.
std::vector<inverse::CaseAccuracy> broken_cases(std::vector<inverse::CaseAccuracy> cases,
                                                double max_error);

/// The worst of at least one case, in the same sense.
const inverse::CaseAccuracy& worst_case(const std::vector<inverse::CaseAccuracy>& cases);

/// A kernel with settled parameters, and what came of it.
struct Candidate {
    KernelRequest request;
    std::optional<Result> result; ///< without the inverses; absent if the chip cannot run it
    std::string refused;          ///< why it cannot

    [[nodiscard]] Score score() const;
};

/// Every kernel's candidates for `problem`, in the order of `requests`. What a request gives stays
/// as given; what comes to the same as one before it is left out.
std::vector<Candidate> list_candidates(const std::vector<KernelRequest>& requests,
                                       const kernels::Problem& problem);

/// Which of the candidates to take on one chip for one input.
struct Selection {
    std::string hardware;
    kernels::Problem problem;
    std::string input; ///< as on the command line
    double max_error = 0;
    std::vector<Candidate> candidates; ///< in the order of `ranking`
    std::vector<std::size_t> front;    ///< of `candidates`; see `pareto_front`

    /// The first candidate, if it is within the limit.
    [[nodiscard]] std::optional<std::size_t> choice() const;
};

/// Told of each candidate before it runs.
using Announce = std::function<void(std::size_t index, std::size_t count, const Candidate&)>;

/// Runs every candidate of `requests` on `workload`, which carries data, one after the other.
Selection select(const config::HardwareConfig& hardware,
                 const std::vector<KernelRequest>& requests,
                 const Workload& workload,
                 double max_error,
                 const Announce& announce);

} // namespace npusim::app
