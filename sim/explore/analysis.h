// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/store.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace npusim::explore {

/// Coordinates to be minimised.
using Score = std::vector<double>;

/// Whether `a` is nowhere worse than `b` and somewhere better.
bool dominates(const Score& a, const Score& b);

/// Indices of the scores that none dominates, in the order of the first coordinate, then the next.
/// Of equal scores the first; what is not finite is never among them.
std::vector<std::size_t> pareto_front(const std::vector<Score>& scores);

/// Volume that the scores dominate below `reference`: a length, an area, ... Exact for any number
/// of coordinates; time grows as n^(k-1) with these. Scores that are not below it add nothing.
double hypervolume(const std::vector<Score>& scores, const Score& reference);

/// The records of a folder that are points of a sweep as it is now, with their ids in it; not those
/// of an earlier state of its files. Throws as for_each_record.
std::vector<Record>
records_of(const Sweep& sweep, const std::filesystem::path& folder, const ReadOptions& options);

/// The score_of each record.
std::vector<std::optional<Score>> scores_of(const Sweep& sweep, const std::vector<Record>& records);

/// Indices of the records on the front of a sweep's objectives.
std::vector<std::size_t> front_of(const Sweep& sweep, const std::vector<Record>& records);

/// Part of the box between the best and the worst of each objective that the front dominates: 0 of
/// a front that is no better than the worst, 1 of one point that is best in all. An objective whose
/// values are all above 0 is taken by its logarithm: errors span many decades. Nothing without
/// scores.
std::optional<double> covered(const Sweep& sweep, const std::vector<Record>& records);

/// Whether all of some conditions hold of a record.
bool satisfies(const Sweep& sweep, const Record& record, const std::vector<Expression>& conditions);

/// Index of the record that is best in one objective (its place in the sweep) among those with a
/// score that also satisfy `conditions`. The first of equals; nothing if there is none.
std::optional<std::size_t> best_of(const Sweep& sweep,
                                   const std::vector<Record>& records,
                                   std::size_t objective,
                                   const std::vector<Expression>& conditions = {});

/// How much of the variance of a result goes with an axis, or with two of them together beyond what
/// each does alone.
struct Effect {
    std::string first;  ///< key of an axis; the first one of linked keys
    std::string second; ///< empty: a main effect
    double share = 0;   ///< of the variance, 0 to 1
};

/// How a result is taken: as it is, or by its logarithm.
enum class Scale : std::uint8_t { Linear, Log };

/// Log for a result whose finite values, of the records that are done and have it, are all above 0
/// and span more than a factor of 100: the variance would be that of its largest values alone.
Scale effect_scale(const std::vector<Record>& records, const std::string& result);

/// Main effects, then two-way interactions, each in falling order, of the axes on one result over
/// the records, as records_of gives them, that are done and have it. Its values are taken by their
/// effect_scale. Exact shares on a full grid; on samples the axes are not independent, and shares
/// are estimates that may add up to more than 1. Empty where the result does not vary.
std::vector<Effect>
effects(const Sweep& sweep, const std::vector<Record>& records, const std::string& result);

/// A point that two sweeps have in common.
struct Pair {
    std::size_t before = 0; ///< index of its record in the first sweep
    std::size_t after = 0;  ///< and in the second
};

/// Two sweeps side by side.
struct Comparison {
    std::vector<Pair> pairs;              ///< in the order of the first sweep
    std::vector<std::size_t> only_before; ///< points of the first sweep alone
    std::vector<std::size_t> only_after;
};

/// Which points to take for the same.
enum class MatchBy : std::uint8_t {
    Hash, ///< the same hardware and job: to compare versions of the program
    Axes, ///< the same values of the axes: to compare what else differs
};

Comparison
compare(const std::vector<Record>& before, const std::vector<Record>& after, MatchBy match);

} // namespace npusim::explore
