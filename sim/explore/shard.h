// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/sampler.h"

#include <cstdint>
#include <memory>
#include <string>

namespace npusim::explore {

/// One of several equal parts of a sweep, counted from 1. Parts may run at the same time on hosts
/// that share a folder.
struct Shard {
    std::uint64_t index = 1;
    std::uint64_t count = 1;

    [[nodiscard]] bool whole() const { return count == 1; }
    /// What its files are called by: "", or "2of8-".
    [[nodiscard]] std::string prefix() const;
};

/// Reads "2/8". Throws ConfigError.
Shard parse_shard(const std::string& text);

/// Every `shard.count`th of the points of `sampler`, which must not depend on what it is told of
/// scores: of those of other shards it is told only whether they are feasible. All shards together
/// take the points that the sweep's budget would give to one run. Throws ConfigError for a sampler
/// that learns.
std::unique_ptr<Sampler>
shard_sampler(std::unique_ptr<Sampler> sampler, const Sweep& sweep, const Shard& shard);

} // namespace npusim::explore
