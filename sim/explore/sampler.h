// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/sweep.h"

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <vector>

namespace npusim::explore {

/// What became of a point that a sampler asked for.
struct Told {
    enum class Kind : std::uint8_t {
        Scored,     ///< there is a score
        Failed,     ///< evaluated without a usable result, or against a constraint
        Infeasible, ///< not evaluated: a constraint rules it out
    };
    Kind kind = Kind::Failed;
    std::vector<double> score{}; ///< of Scored: finite, to be minimised
};

/// Chooses points. Ask for some, tell what became of each, until it is done.
class Sampler {
  public:
    Sampler() = default;
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;
    Sampler(Sampler&&) = delete;
    Sampler& operator=(Sampler&&) = delete;
    virtual ~Sampler() = default;

    /// Up to `count` points. None of them either when done, or when some must be told first.
    virtual std::vector<PointId> ask(std::size_t count) = 0;
    virtual void tell(PointId point, const Told& told) = 0;
    /// Whether no more points will come.
    [[nodiscard]] virtual bool done() const = 0;
};

/// Every point, in the order of their ids.
std::unique_ptr<Sampler> grid_sampler(const Space& space);

/// Points drawn without replacement until `points` of them were feasible. Gives up after 1,000
/// draws for each.
std::unique_ptr<Sampler>
random_sampler(const Space& space, std::uint64_t points, std::uint64_t seed);

/// Latin hypercube: with the range of an axis cut into `points` equal strata, each stratum of each
/// axis is met once. Points that fall together, which small spaces cannot avoid, are given once;
/// those that are not feasible are not replaced.
std::unique_ptr<Sampler> lhs_sampler(const Space& space, std::uint64_t points, std::uint64_t seed);

/// NSGA-II over the levels of the axes, by pagmo: a random population, then generations. Failed and
/// infeasible points get a large penalty. Throws ConfigError if the program was built without
/// pagmo.
std::unique_ptr<Sampler>
nsga2_sampler(const Space& space, std::size_t objectives, const SamplerSettings& settings);

/// Points chosen by another program, over lines of JSON (see configs/sweeps/README.md):
///   first  out {"axes": [{"keys": [...], "levels": [[...], ...]}, ...], "objectives": [names]}
///   ask    out {"ask": n}         in {"points": [{"job.chunk": 64, ...}, ...]} or {"done": true}
///   tell   out {"tell": {"job.chunk": 64, ...}, "status": "scored", "score": [1, 2]}
///              or with "status": "failed" or "infeasible", without a score
/// The end of `in` also ends it. What it asks for is thrown back as ConfigError with the line of
/// `in` if it is no point of the space. The streams must outlive the sampler.
std::unique_ptr<Sampler> ask_tell_sampler(const Space& space,
                                          const std::vector<Objective>& objectives,
                                          std::istream& in,
                                          std::ostream& out);

/// The sampler a sweep file asks for; `in` and `out` are for ask_tell alone.
std::unique_ptr<Sampler> make_sampler(const Sweep& sweep, std::istream& in, std::ostream& out);

} // namespace npusim::explore
