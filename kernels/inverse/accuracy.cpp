// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/accuracy.h"

#include "kernels/inverse/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npusim::inverse {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double snr_db(double error) {
    return error > 0 ? std::min(-20 * std::log10(error), kExactSnrDb) : kExactSnrDb;
}

/// Mean of the two middle values if their number is even; `sorted` is not empty.
double median(std::span<const double> sorted) {
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/// The figures of a batch from the error of each matrix.
Accuracy summary(std::span<const double> errors) {
    std::vector<double> finite;
    double snr_sum = 0;
    for (const double error : errors) {
        if (!std::isnan(error)) {
            finite.push_back(error);
            snr_sum += snr_db(error);
        }
    }
    const auto matrices = static_cast<std::int64_t>(errors.size());
    const auto non_finite = static_cast<std::int64_t>(errors.size() - finite.size());
    if (finite.empty()) {
        return {kNone, kNone, kNone, kNone, non_finite, matrices};
    }
    std::sort(finite.begin(), finite.end());
    return {median(finite),
            finite.back(),
            snr_sum / static_cast<double>(finite.size()),
            snr_db(finite.back()),
            non_finite,
            matrices};
}

} // namespace

double relative_error(std::span<const double> t, std::span<const double> exact) {
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
        if (!std::isfinite(t[i])) {
            return kNone;
        }
        error += (t[i] - exact[i]) * (t[i] - exact[i]);
        norm += exact[i] * exact[i];
    }
    return error == 0 ? 0 : std::sqrt(error / norm);
}

ReferenceSet::ReferenceSet(const Matrices& input)
    : elements_(static_cast<std::size_t>(input.size * input.size)), cases_(input.cases) {
    exact_.reserve(input.values.size());
    for (std::size_t begin = 0; begin < input.values.size(); begin += elements_) {
        const auto t =
            forward_substitution(std::span(input.values).subspan(begin, elements_), input.size);
        exact_.insert(exact_.end(), t.begin(), t.end());
    }
}

std::vector<double> ReferenceSet::errors(std::span<const double> t) const {
    std::vector<double> errors;
    for (std::size_t begin = 0; begin < exact_.size(); begin += elements_) {
        errors.push_back(relative_error(t.subspan(begin, elements_),
                                        std::span(exact_).subspan(begin, elements_)));
    }
    return errors;
}

Accuracy ReferenceSet::measure(std::span<const double> t) const {
    return summary(errors(t));
}

std::vector<CaseAccuracy> ReferenceSet::measure_cases(std::span<const double> t) const {
    const std::vector<double> all = errors(t);
    std::vector<CaseAccuracy> measured;
    std::size_t begin = 0;
    for (const InputCase& part : cases_) {
        const auto count = static_cast<std::size_t>(part.count);
        measured.push_back({part.name, summary(std::span(all).subspan(begin, count))});
        begin += count;
    }
    return measured;
}

Accuracy measure(const Matrices& input, std::span<const double> t) {
    return ReferenceSet(input).measure(t);
}

} // namespace npusim::inverse
