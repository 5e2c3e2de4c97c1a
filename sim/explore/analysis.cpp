// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/analysis.h"

#include "sim/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace npusim::explore {

namespace {

bool is_finite(const Score& score) {
    return std::ranges::all_of(score, [](double value) { return std::isfinite(value); });
}

/// Volume below `reference` by the first `dimensions` coordinates, all of them below it. Cuts the
/// last coordinate into slices, in each of which the scores that begin before it count.
double slice(std::vector<const Score*> scores, const Score& reference, std::size_t dimensions) {
    if (scores.empty()) {
        return 0;
    }
    const std::size_t last = dimensions - 1;
    const auto coordinate = [&](const Score* score) { return (*score)[last]; };
    if (dimensions == 1) {
        return reference[0] - coordinate(*std::ranges::min_element(scores, {}, coordinate));
    }
    std::ranges::sort(scores, {}, coordinate);
    double volume = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const double end = i + 1 < scores.size() ? coordinate(scores[i + 1]) : reference[last];
        const double depth = end - coordinate(scores[i]);
        if (depth > 0) {
            const auto stop = scores.begin() + static_cast<std::ptrdiff_t>(i) + 1;
            volume += depth * slice({scores.begin(), stop}, reference, last);
        }
    }
    return volume;
}

/// The records of which an effect is worked out: the level of each axis, and the value.
struct Sample {
    std::vector<std::size_t> levels;
    double value = 0;
};

/// A result of a record that is done, if it is there and finite.
std::optional<double> finite_result(const Record& record, const std::string& result) {
    const std::optional<double> value = record.result(result);
    return record.status == Status::Done && value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<Sample>
samples_of(const Space& space, const std::vector<Record>& records, const std::string& result) {
    const Scale scale = effect_scale(records, result);
    std::vector<Sample> samples;
    for (const Record& record : records) {
        if (const std::optional<double> value = finite_result(record, result)) {
            samples.push_back(
                {space.levels(record.id), scale == Scale::Log ? std::log10(*value) : *value});
        }
    }
    return samples;
}

double mean_of(const std::vector<Sample>& samples) {
    double sum = 0;
    for (const Sample& sample : samples) {
        sum += sample.value;
    }
    return sum / static_cast<double>(samples.size());
}

/// Sum of squares between the groups that `group_of(sample)` makes.
template <class GroupOf>
double between(const std::vector<Sample>& samples, double mean, GroupOf group_of) {
    std::unordered_map<std::uint64_t, std::pair<double, double>> groups; // sum, count
    for (const Sample& sample : samples) {
        auto& [sum, count] = groups[group_of(sample)];
        sum += sample.value - mean;
        count += 1;
    }
    double squares = 0;
    for (const auto& [key, group] : groups) {
        squares += group.first * group.first / group.second;
    }
    return squares;
}

/// The point of a sweep whose result a record is, if it still has that point.
std::optional<PointId> point_of(const Sweep& sweep, const Record& record) {
    const std::optional<PointId> id = sweep.find(record.axes);
    return id && sweep.hash(*id) == record.hash ? id : std::nullopt;
}

void sort_by_share(std::vector<Effect>& effects) {
    std::ranges::stable_sort(effects, std::greater<>{}, &Effect::share);
}

/// Replaces an objective whose values are all above 0 by its logarithm. Scores of one that is to be
/// maximised have the other sign.
void take_logarithms(const Sweep& sweep, std::vector<Score>& scores) {
    for (std::size_t i = 0; i < sweep.objectives.size(); ++i) {
        const double sign = sweep.objectives[i].direction == Direction::Min ? 1 : -1;
        if (std::ranges::all_of(scores, [&](const Score& score) { return sign * score[i] > 0; })) {
            for (Score& score : scores) {
                score[i] = sign * std::log(sign * score[i]);
            }
        }
    }
}

/// Puts 0 in the place of the best and 1 in that of the worst of each coordinate; 0 for all where
/// they are alike.
void scale_to_box(std::vector<Score>& scores) {
    for (std::size_t i = 0; i < scores.front().size(); ++i) {
        const auto coordinate = [i](const Score& score) { return score[i]; };
        const double best = coordinate(*std::ranges::min_element(scores, {}, coordinate));
        const double worst = coordinate(*std::ranges::max_element(scores, {}, coordinate));
        for (Score& score : scores) {
            score[i] = worst > best ? (score[i] - best) / (worst - best) : 0;
        }
    }
}

} // namespace

bool dominates(const Score& a, const Score& b) {
    bool better = false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] > b[i]) {
            return false;
        }
        better = better || a[i] < b[i];
    }
    return better;
}

std::vector<std::size_t> pareto_front(const std::vector<Score>& scores) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::erase_if(order, [&](std::size_t i) { return !is_finite(scores[i]); });
    std::ranges::stable_sort(order, {}, [&](std::size_t i) -> const Score& { return scores[i]; });
    // What dominates a score comes before it in this order, and so does an equal to be kept.
    std::vector<std::size_t> front;
    for (const std::size_t i : order) {
        const bool beaten = std::ranges::any_of(front, [&](std::size_t kept) {
            return dominates(scores[kept], scores[i]) || scores[kept] == scores[i];
        });
        if (!beaten) {
            front.push_back(i);
        }
    }
    return front;
}

double hypervolume(const std::vector<Score>& scores, const Score& reference) {
    std::vector<const Score*> inside;
    for (const std::size_t i : pareto_front(scores)) {
        if (std::ranges::equal(scores[i], reference, std::less<>{})) {
            inside.push_back(&scores[i]);
        }
    }
    return slice(std::move(inside), reference, reference.size());
}

std::vector<Record>
records_of(const Sweep& sweep, const std::filesystem::path& folder, const ReadOptions& options) {
    std::vector<Record> records;
    for (Record& record : read_records(folder, options)) {
        if (const std::optional<PointId> id = point_of(sweep, record)) {
            record.id = *id;
            record.axes = sweep.space.settings(*id);
            records.push_back(std::move(record));
        }
    }
    return records;
}

std::vector<std::optional<Score>> scores_of(const Sweep& sweep,
                                            const std::vector<Record>& records) {
    std::vector<std::optional<Score>> scores(records.size());
    std::ranges::transform(
        records, scores.begin(), [&](const Record& record) { return score_of(sweep, record); });
    return scores;
}

std::vector<std::size_t> front_of(const Sweep& sweep, const std::vector<Record>& records) {
    const Score none(sweep.objectives.size(), std::nan(""));
    std::vector<Score> scores(records.size());
    std::ranges::transform(records, scores.begin(), [&](const Record& record) {
        return score_of(sweep, record).value_or(none);
    });
    return pareto_front(scores);
}

std::optional<double> covered(const Sweep& sweep, const std::vector<Record>& records) {
    std::vector<Score> scores;
    for (const std::optional<Score>& score : scores_of(sweep, records)) {
        if (score) {
            scores.push_back(*score);
        }
    }
    if (scores.empty()) {
        return std::nullopt;
    }
    take_logarithms(sweep, scores);
    scale_to_box(scores);
    return hypervolume(scores, Score(sweep.objectives.size(), 1.0));
}

bool satisfies(const Sweep& sweep,
               const Record& record,
               const std::vector<Expression>& conditions) {
    const ResultLookup result_of = [&](std::string_view name) { return record.result(name); };
    const Lookup lookup = [&](std::string_view name) {
        return sweep.value_of(name, record.axes, result_of);
    };
    return std::ranges::all_of(conditions,
                               [&](const Expression& one) { return one.holds(lookup); });
}

std::optional<std::size_t> best_of(const Sweep& sweep,
                                   const std::vector<Record>& records,
                                   std::size_t objective,
                                   const std::vector<Expression>& conditions) {
    const std::vector<std::optional<Score>> scores = scores_of(sweep, records);
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const bool better =
            scores[i] && (!best || (*scores[i])[objective] < (*scores[*best])[objective]);
        if (better && satisfies(sweep, records[i], conditions)) {
            best = i;
        }
    }
    return best;
}

Scale effect_scale(const std::vector<Record>& records, const std::string& result) {
    constexpr double least_factor = 100;
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (const Record& record : records) {
        if (const std::optional<double> value = finite_result(record, result)) {
            least = std::min(least, *value);
            most = std::max(most, *value);
        }
    }
    return least > 0 && most / least > least_factor ? Scale::Log : Scale::Linear;
}

std::vector<Effect>
effects(const Sweep& sweep, const std::vector<Record>& records, const std::string& result) {
    const std::vector<Axis>& axes = sweep.space.axes();
    const std::vector<Sample> samples = samples_of(sweep.space, records, result);
    if (samples.empty()) {
        return {};
    }
    const double mean = mean_of(samples);
    double total = 0;
    for (const Sample& sample : samples) {
        total += (sample.value - mean) * (sample.value - mean);
    }
    if (total <= 0) {
        return {};
    }
    std::vector<Effect> main;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        const double squares =
            between(samples, mean, [&](const Sample& sample) { return sample.levels[a]; });
        main.push_back({axes[a].keys[0], "", squares / total});
    }
    std::vector<Effect> pairs;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        for (std::size_t b = a + 1; b < axes.size(); ++b) {
            const double squares = between(samples, mean, [&](const Sample& sample) {
                return sample.levels[a] * axes[b].size() + sample.levels[b];
            });
            const double beyond = squares / total - main[a].share - main[b].share;
            pairs.push_back({axes[a].keys[0], axes[b].keys[0], std::max(0.0, beyond)});
        }
    }
    sort_by_share(main);
    sort_by_share(pairs);
    main.insert(main.end(), pairs.begin(), pairs.end());
    return main;
}

} // namespace npusim::explore
