// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/sampler.h"

#include "sim/explore/random.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

namespace npusim::explore {

namespace {

class GridSampler : public Sampler {
  public:
    explicit GridSampler(std::uint64_t size) : size_(size) {}

    std::vector<PointId> ask(std::size_t count) override {
        std::vector<PointId> points;
        while (points.size() < count && next_ < size_) {
            points.push_back(next_++);
        }
        return points;
    }
    void tell(PointId, const Told&) override {}
    [[nodiscard]] bool done() const override { return next_ == size_; }

  private:
    std::uint64_t size_;
    std::uint64_t next_ = 0;
};

/// The numbers below `size` in an order that a seed gives, one at a time and none kept: a Feistel
/// network over the next power of four, walked on where it leads outside.
class Shuffled {
  public:
    Shuffled(std::uint64_t size, std::uint64_t seed)
        : size_(size), seed_(seed),
          half_bits_((static_cast<int>(std::bit_width(size - 1)) + 1) / 2) {}

    [[nodiscard]] std::uint64_t operator()(std::uint64_t place) const {
        do {
            place = permute(place);
        } while (place >= size_);
        return place;
    }

  private:
    [[nodiscard]] std::uint64_t permute(std::uint64_t number) const {
        constexpr std::uint64_t kRounds = 6;
        const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
        std::uint64_t left = number >> half_bits_;
        std::uint64_t right = number & mask;
        for (std::uint64_t round = 0; round < kRounds; ++round) {
            const std::uint64_t key = mix(seed_ + round * 0x9e3779b97f4a7c15);
            left ^= mix(right ^ key) & mask;
            std::swap(left, right);
        }
        return left << half_bits_ | right;
    }

    std::uint64_t size_;
    std::uint64_t seed_;
    int half_bits_;
};

class RandomSampler : public Sampler {
  public:
    RandomSampler(std::uint64_t size, std::uint64_t points, std::uint64_t seed)
        : order_(size, seed), size_(size), wanted_(std::min(points, size)) {}

    std::vector<PointId> ask(std::size_t count) override {
        std::vector<PointId> points;
        while (points.size() < count && !done()) {
            points.push_back(order_(drawn_++));
        }
        return points;
    }
    void tell(PointId, const Told& told) override {
        infeasible_ += static_cast<std::uint64_t>(told.kind == Told::Kind::Infeasible);
    }
    [[nodiscard]] bool done() const override {
        constexpr std::uint64_t kPatience = 1000; // draws for a point
        return drawn_ == size_ || drawn_ - infeasible_ >= wanted_ || drawn_ / kPatience >= wanted_;
    }

  private:
    Shuffled order_;
    std::uint64_t size_;
    std::uint64_t wanted_;
    std::uint64_t drawn_ = 0;
    std::uint64_t infeasible_ = 0;
};

using Levels = std::vector<std::size_t>; ///< of an axis, by sample

/// A level from each of `samples` equal strata of an axis, in random order.
Levels stratified(std::size_t axis_size, std::uint64_t samples, Random& random) {
    Levels levels(samples);
    for (std::uint64_t stratum = 0; stratum < samples; ++stratum) {
        // Level l covers [l, l + 1) of the axis: a place in [stratum, stratum + 1) * size /
        // samples.
        const std::uint64_t begin = stratum * axis_size;
        levels[stratum] = (begin + random.below(axis_size)) / samples;
    }
    random.shuffle(levels);
    return levels;
}

class LhsSampler : public Sampler {
  public:
    LhsSampler(const Space& space, std::uint64_t points, std::uint64_t seed) {
        Random random(seed);
        std::vector<Levels> by_axis;
        for (const Axis& axis : space.axes()) {
            by_axis.push_back(stratified(axis.size(), points, random));
        }
        std::unordered_set<PointId> seen;
        Levels levels(by_axis.size());
        for (std::uint64_t sample = 0; sample < points; ++sample) {
            std::ranges::transform(
                by_axis, levels.begin(), [&](const Levels& axis) { return axis[sample]; });
            if (const PointId point = space.at(levels); seen.insert(point).second) {
                points_.push_back(point);
            }
        }
    }

    std::vector<PointId> ask(std::size_t count) override {
        const std::size_t end = std::min(next_ + count, points_.size());
        const auto begin = points_.begin();
        std::vector<PointId> points(begin + static_cast<std::ptrdiff_t>(next_),
                                    begin + static_cast<std::ptrdiff_t>(end));
        next_ = end;
        return points;
    }
    void tell(PointId, const Told&) override {}
    [[nodiscard]] bool done() const override { return next_ == points_.size(); }

  private:
    std::vector<PointId> points_;
    std::size_t next_ = 0;
};

} // namespace

std::unique_ptr<Sampler> grid_sampler(const Space& space) {
    return std::make_unique<GridSampler>(space.size());
}

std::unique_ptr<Sampler>
random_sampler(const Space& space, std::uint64_t points, std::uint64_t seed) {
    return std::make_unique<RandomSampler>(space.size(), points, seed);
}

std::unique_ptr<Sampler> lhs_sampler(const Space& space, std::uint64_t points, std::uint64_t seed) {
    return std::make_unique<LhsSampler>(space, points, seed);
}

std::unique_ptr<Sampler> make_sampler(const Sweep& sweep, std::istream& in, std::ostream& out) {
    const SamplerSettings& settings = sweep.sampler;
    const auto points = static_cast<std::uint64_t>(settings.points);
    const auto seed = static_cast<std::uint64_t>(settings.seed);
    switch (settings.kind) {
    case SamplerKind::Grid:
        break;
    case SamplerKind::Random:
        return random_sampler(sweep.space, points, seed);
    case SamplerKind::Lhs:
        return lhs_sampler(sweep.space, points, seed);
    case SamplerKind::Nsga2:
        return nsga2_sampler(sweep.space, sweep.objectives.size(), settings);
    case SamplerKind::AskTell:
        return ask_tell_sampler(sweep.space, sweep.objectives, in, out);
    }
    return grid_sampler(sweep.space);
}

} // namespace npusim::explore
