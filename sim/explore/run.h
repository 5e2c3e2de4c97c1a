// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/pool.h"
#include "sim/explore/sampler.h"
#include "sim/explore/shard.h"
#include "sim/explore/store.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace npusim::explore {

/// Evaluates one point, in a worker process. Gives every objective of the sweep, among others.
/// What it throws is the message of a failed point; std::bad_alloc is one out of memory.
using Evaluate = std::function<Results(const Point&)>;

struct RunOptions {
    std::filesystem::path folder; ///< of the results; made if it is not there
    std::string version;          ///< of the program: results of others are not taken for its own
    bool ignore_other_versions = false;
    bool retry_failed = false;               ///< evaluate again what is there but is not done
    std::optional<std::uint64_t> limit = {}; ///< of points to evaluate now
    Shard shard = {};                        ///< whose files the results go to; see shard_sampler
    PoolOptions pool;
};

/// How far a sweep has come.
struct RunProgress {
    std::uint64_t reused = 0;        ///< points whose results were there
    std::uint64_t reused_failed = 0; ///< of them those that had failed
    std::uint64_t done = 0;          ///< evaluated now
    std::uint64_t failed = 0;        ///< failed now, in any way
    std::uint64_t infeasible = 0;    ///< ruled out before evaluation
    bool interrupted = false;        ///< by a signal: what is finished is kept, run again to go on

    [[nodiscard]] std::uint64_t finished() const { return reused + done + failed; }
};

/// What became of a point that was evaluated now.
struct Outcome {
    PointId point = 0;
    Status status = Status::Done;
    Results scored{};      ///< of one that is done: what objectives and constraints speak of
    std::string message{}; ///< of another
};

/// Told of the progress after each point; `outcome` is the point's, none for a reused one.
using OnProgress = std::function<void(const RunProgress& progress, const Outcome* outcome)>;

/// Evaluates the points `sampler` asks for, up to the sweep's budget, and keeps them in the
/// folder. Those whose results are there (same hash and version) are not evaluated again, so an
/// interrupted run goes on where it was. Throws ConfigError if another process writes there or
/// other versions did.
RunProgress run_sweep(const Sweep& sweep,
                      Sampler& sampler,
                      const Evaluate& evaluate,
                      const RunOptions& options,
                      const OnProgress& on_progress = {});

/// Number of points that satisfy the constraints known before evaluation; looks at all of them.
std::uint64_t count_feasible(const Sweep& sweep);

} // namespace npusim::explore
