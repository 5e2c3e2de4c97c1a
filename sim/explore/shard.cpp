// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/shard.h"

#include "sim/base/error.h"
#include "sim/base/number.h"

#include <fmt/format.h>
#include <utility>

namespace npusim::explore {

namespace {

class ShardSampler : public Sampler {
  public:
    ShardSampler(std::unique_ptr<Sampler> all, const Sweep& sweep, const Shard& shard)
        : all_(std::move(all)), sweep_(sweep), shard_(shard) {}

    std::vector<PointId> ask(std::size_t count) override {
        std::vector<PointId> own;
        while (own.empty() && !done()) {
            const std::vector<PointId> asked = all_->ask(count);
            if (asked.empty()) {
                break; // some must be told first
            }
            for (const PointId point : asked) {
                pass_on(point, own);
            }
        }
        return own;
    }
    void tell(PointId point, const Told& told) override { all_->tell(point, told); }
    [[nodiscard]] bool done() const override { return all_->done() || budget_is_spent(); }

  private:
    void pass_on(PointId point, std::vector<PointId>& own) {
        if (budget_is_spent()) {
            return;
        }
        if (!sweep_.feasible(point)) {
            all_->tell(point, {Told::Kind::Infeasible});
        } else if (feasible_++ % shard_.count == shard_.index - 1) {
            own.push_back(point);
        } else {
            all_->tell(point, {Told::Kind::Failed});
        }
    }
    /// By the points of all shards: the budget is theirs together.
    [[nodiscard]] bool budget_is_spent() const {
        return sweep_.budget && feasible_ >= static_cast<std::uint64_t>(*sweep_.budget);
    }

    std::unique_ptr<Sampler> all_;
    const Sweep& sweep_;
    Shard shard_;
    std::uint64_t feasible_ = 0; ///< points so far, of all shards
};

} // namespace

std::string Shard::prefix() const {
    return whole() ? "" : fmt::format("{}of{}-", index, count);
}

Shard parse_shard(const std::string& text) {
    const std::size_t slash = text.find('/');
    const std::string_view all = text;
    const auto index = number_from<std::uint64_t>(all.substr(0, slash)).value_or(0);
    const auto count =
        number_from<std::uint64_t>(slash == std::string::npos ? "" : all.substr(slash + 1))
            .value_or(0);
    if (index < 1 || index > count) {
        throw ConfigError(
            fmt::format("--shard {}: (allowed: I/N with I from 1 to N, such as 2/8)", text));
    }
    return {index, count};
}

std::unique_ptr<Sampler>
shard_sampler(std::unique_ptr<Sampler> sampler, const Sweep& sweep, const Shard& shard) {
    if (shard.whole()) {
        return sampler;
    }
    if (sweep.sampler.kind == SamplerKind::Nsga2 || sweep.sampler.kind == SamplerKind::AskTell) {
        throw ConfigError(fmt::format("{}: sampler.kind: the next points depend on the results of "
                                      "all (allowed with --shard: grid, random, lhs)",
                                      sweep.file));
    }
    return std::make_unique<ShardSampler>(std::move(sampler), sweep, shard);
}

} // namespace npusim::explore
