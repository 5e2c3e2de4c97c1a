// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/nsga2_module.h"

#include "sim/explore/random.h"

#include <algorithm>
#include <oneapi/tbb/global_control.h>
#include <optional>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <unordered_map>
#include <utility>

namespace npusim::explore {

namespace {

/// Of every objective of a point without a score: worse than any score, and finite.
constexpr double kPenalty = 1e30;

using Scores = std::unordered_map<PointId, std::vector<double>>;

/// Thrown out of pagmo where it wants the scores of points that have not been evaluated.
struct Missing {
    std::vector<PointId> points;
};

/// Places of the axes that have more than one level: pagmo takes no variable that cannot vary.
std::vector<std::size_t> varied_axes(const Space& space) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < space.axes().size(); ++i) {
        if (space.axes()[i].size() > 1) {
            places.push_back(i);
        }
    }
    return places;
}

/// The levels of the axes that vary as integer variables. Scores are looked up.
struct LevelProblem {
    const Space* space = nullptr;
    const Scores* scores = nullptr;
    std::size_t objectives = 0;
    std::vector<std::size_t> varied{}; ///< see varied_axes

    [[nodiscard]] PointId point_of(const double* variables) const {
        std::vector<std::size_t> levels(space->axes().size());
        for (std::size_t i = 0; i < varied.size(); ++i) {
            levels[varied[i]] = static_cast<std::size_t>(variables[i]);
        }
        return space->at(levels);
    }
    [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& variables) const {
        return batch_fitness(variables);
    }
    [[nodiscard]] pagmo::vector_double batch_fitness(const pagmo::vector_double& variables) const {
        pagmo::vector_double fitness;
        std::vector<PointId> missing;
        for (std::size_t at = 0; at < variables.size(); at += varied.size()) {
            const PointId point = point_of(&variables[at]);
            if (const auto score = scores->find(point); score != scores->end()) {
                fitness.insert(fitness.end(), score->second.begin(), score->second.end());
            } else if (std::ranges::find(missing, point) == missing.end()) {
                missing.push_back(point);
            }
        }
        if (!missing.empty()) {
            throw Missing{std::move(missing)};
        }
        return fitness;
    }
    [[nodiscard]] std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
        pagmo::vector_double last;
        for (const std::size_t place : varied) {
            last.push_back(static_cast<double>(space->axes()[place].size() - 1));
        }
        return {pagmo::vector_double(last.size(), 0.0), last};
    }
    [[nodiscard]] pagmo::vector_double::size_type get_nobj() const { return objectives; }
    [[nodiscard]] pagmo::vector_double::size_type get_nix() const { return varied.size(); }
};

/// pagmo calls for scores; a sampler is called. So a generation is begun, broken off where scores
/// are missing, and begun again with the same seed once they are there.
class Nsga2Sampler : public Sampler {
  public:
    Nsga2Sampler(const Space& space, std::size_t objectives, const SamplerSettings& settings)
        : objectives_(objectives), seed_(static_cast<std::uint64_t>(settings.seed)),
          generations_(settings.generations),
          problem_(LevelProblem{&space, &scores_, objectives, varied_axes(space)}) {
        Random random(seed_);
        for (std::int64_t i = 0; i < settings.population; ++i) {
            pagmo::vector_double variables;
            for (const std::size_t place : varied_axes(space)) {
                variables.push_back(static_cast<double>(random.below(space.axes()[place].size())));
            }
            first_.push_back(std::move(variables));
        }
        advance();
    }

    std::vector<PointId> ask(std::size_t count) override {
        const std::size_t given = std::min(count, to_ask_.size());
        const auto begin = to_ask_.end() - static_cast<std::ptrdiff_t>(given);
        std::vector<PointId> points(begin, to_ask_.end());
        to_ask_.erase(begin, to_ask_.end());
        return points;
    }
    void tell(PointId point, const Told& told) override {
        scores_[point] = told.kind == Told::Kind::Scored
                             ? told.score
                             : std::vector<double>(objectives_, kPenalty);
        if (--missing_ == 0) {
            advance();
        }
    }
    [[nodiscard]] bool done() const override { return missing_ == 0; }

  private:
    /// Goes on to the next generation that wants scores, or to the end.
    void advance() {
        try {
            if (!population_) {
                start();
            }
            while (generation_ < generations_) {
                const std::uint64_t seed = mix(seed_ + static_cast<std::uint64_t>(generation_) + 1);
                pagmo::nsga2 algorithm(
                    1, 0.95, 10, 0.01, 50, static_cast<unsigned>(seed)); // pagmo's own defaults
                algorithm.set_bfe(pagmo::bfe{pagmo::member_bfe{}});
                population_ = algorithm.evolve(*population_);
                ++generation_;
            }
        } catch (Missing& missing) {
            missing_ = missing.points.size();
            to_ask_ = std::move(missing.points);
            std::ranges::reverse(to_ask_); // taken from the end
        }
    }
    void start() {
        pagmo::vector_double all;
        for (const pagmo::vector_double& variables : first_) {
            all.insert(all.end(), variables.begin(), variables.end());
        }
        const pagmo::vector_double fitness = problem_.batch_fitness(all);
        pagmo::population population(problem_, 0, static_cast<unsigned>(mix(seed_)));
        for (std::size_t i = 0; i < first_.size(); ++i) {
            const auto begin = fitness.begin() + static_cast<std::ptrdiff_t>(i * objectives_);
            population.push_back(first_[i],
                                 {begin, begin + static_cast<std::ptrdiff_t>(objectives_)});
        }
        population_ = std::move(population);
    }

    /// pagmo must not start threads: workers are forked from this process, and a lock that another
    /// thread holds at that moment is never released in them.
    tbb::global_control one_thread_{tbb::global_control::max_allowed_parallelism, 1};
    std::size_t objectives_;
    std::uint64_t seed_;
    std::int64_t generations_;
    Scores scores_;
    pagmo::problem problem_;
    std::vector<pagmo::vector_double> first_; ///< population
    std::optional<pagmo::population> population_;
    std::int64_t generation_ = 0;
    std::vector<PointId> to_ask_;
    std::size_t missing_ = 0; ///< scores to be told before it goes on
};

} // namespace

} // namespace npusim::explore

npusim::explore::Sampler* npusim_nsga2_sampler(const npusim::explore::Space* space,
                                               std::size_t objectives,
                                               const npusim::explore::SamplerSettings* settings) {
    return new npusim::explore::Nsga2Sampler(*space, objectives, *settings); // the caller's
}
