// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/run.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace npusim::explore {

namespace {

/// Sorts what an evaluation gave into objectives and metrics.
void put_results(Record& record, const Results& results, const Sweep& sweep) {
    record.metrics = results;
    for (const Objective& objective : sweep.objectives) {
        const auto result = record.metrics.extract(objective.name);
        if (result.empty()) {
            throw ModelError(fmt::format("the evaluation gave no '{}'", objective.name));
        }
        record.objectives[objective.name] = result.mapped();
    }
}

/// What runs in the worker processes: evaluates a point, writes its record, and answers with it.
class Evaluating {
  public:
    Evaluating(const Sweep& sweep, const Evaluate& evaluate, const RunOptions& options)
        : sweep_(sweep), evaluate_(evaluate), options_(options) {}

    std::string operator()(std::size_t worker, PointId point) {
        const auto start = std::chrono::steady_clock::now();
        Record record = record_of(point);
        try {
            put_results(record, evaluate_(sweep_.point(point)), sweep_);
        } catch (const std::bad_alloc&) {
            throw; // told by the parent, which has the memory for it
        } catch (const std::exception& error) {
            record.status = Status::Failed;
            record.message = error.what();
        }
        record.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        file_of(worker).add(record);
        return to_line(record);
    }

    [[nodiscard]] Record record_of(PointId point) const {
        return {.id = point,
                .hash = sweep_.hash(point),
                .version = options_.version,
                .axes = sweep_.space.settings(point)};
    }

  private:
    RecordFile& file_of(std::size_t worker) {
        if (file_ == nullptr) { // a process of its own: always the same worker
            file_ = std::make_shared<RecordFile>(options_.folder,
                                                 options_.shard.prefix() + std::to_string(worker));
        }
        return *file_;
    }

    const Sweep& sweep_;
    const Evaluate& evaluate_;
    const RunOptions& options_;
    std::shared_ptr<RecordFile> file_;
};

class Run {
  public:
    Run(const Sweep& sweep,
        Sampler& sampler,
        const Evaluate& evaluate,
        const RunOptions& options,
        const OnProgress& on_progress)
        : sweep_(sweep), sampler_(sampler), options_(options), on_progress_(on_progress),
          lock_(options.folder, options.shard.prefix()), evaluating_(sweep, evaluate, options),
          pool_(options.pool, evaluating_),
          own_file_(options.folder, options.shard.prefix() + "main"),
          scored_(scored_results(sweep)) {
        for_each_record(options.folder,
                        {options.version, options.ignore_other_versions},
                        [&](const Record& record) { remember(record); });
    }

    RunProgress run() {
        while (!pool_.interrupted()) {
            const bool asked = top_up();
            if (std::optional<Answer> answer = pool_.next()) {
                take(*answer);
            } else if (!asked) {
                break;
            }
        }
        progress_.interrupted = pool_.interrupted();
        return progress_;
    }

  private:
    /// What has to be known of a point that need not be evaluated again.
    struct Finished {
        bool done = false;
        Results results{}; ///< that scores are made of
    };

    void remember(const Record& record) {
        if (record.status != Status::Done && options_.retry_failed) {
            return;
        }
        finished_[record.hash] = finished_of(record);
    }
    [[nodiscard]] Finished finished_of(const Record& record) const {
        Finished finished{record.status == Status::Done};
        for (const std::string& name : scored_) {
            if (const std::optional<double> result = record.result(name)) {
                finished.results[name] = *result;
            }
        }
        return finished;
    }
    /// By the axes of the point that was asked for: the record may be from before an axis was
    /// added.
    [[nodiscard]] Told told_of(PointId point, const Finished& finished) const {
        const std::optional<std::vector<double>> score =
            finished.done ? sweep_.score(sweep_.space.settings(point), lookup_in(finished.results))
                          : std::nullopt;
        return score ? Told{Told::Kind::Scored, *score} : Told{Told::Kind::Failed};
    }
    /// Names of the results that objectives and constraints speak of.
    static std::set<std::string, std::less<>> scored_results(const Sweep& sweep) {
        std::set<std::string, std::less<>> names;
        for (const Objective& objective : sweep.objectives) {
            names.insert(objective.name);
        }
        for (const Expression& constraint : sweep.after) {
            names.insert(constraint.names().begin(), constraint.names().end());
        }
        return names;
    }

    /// Asks for as many points as the workers have room for. Whether any came.
    bool top_up() {
        const std::uint64_t left = budget_left();
        const std::size_t room = std::min<std::uint64_t>(pool_.room(), left);
        if (room == 0 || sampler_.done()) {
            return false;
        }
        const std::vector<PointId> points = sampler_.ask(room);
        for (const PointId point : points) {
            begin(point);
        }
        return !points.empty();
    }
    /// Points that may still be begun.
    [[nodiscard]] std::uint64_t budget_left() const {
        constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
        const auto left = [](std::uint64_t most, std::uint64_t begun) {
            return most - std::min(most, begun);
        };
        const std::uint64_t now = progress_.done + progress_.failed + in_work_.size();
        const std::uint64_t budget =
            sweep_.budget ? static_cast<std::uint64_t>(*sweep_.budget) : any;
        return std::min(left(budget, progress_.reused + now),
                        left(options_.limit.value_or(any), now));
    }

    void begin(PointId point) {
        if (!sweep_.feasible(point)) {
            ++progress_.infeasible;
            sampler_.tell(point, {Told::Kind::Infeasible});
        } else if (const auto found = finished_.find(sweep_.hash(point));
                   found != finished_.end()) {
            ++progress_.reused;
            progress_.reused_failed += static_cast<std::uint64_t>(!found->second.done);
            sampler_.tell(point, told_of(point, found->second));
            report(nullptr);
        } else if (++in_work_[point] == 1) {
            pool_.submit(point);
        }
    }

    /// Ends a point: its worker has written the record, unless it could not.
    void take(const Answer& answer) {
        std::optional<Record> record =
            answer.status == Status::Done ? parse_record(answer.text) : std::nullopt;
        if (!record) {
            record = evaluating_.record_of(answer.task);
            record->status = answer.status;
            record->message = answer.text;
            record->seconds = answer.seconds;
            own_file_.add(*record);
        }
        ++(record->status == Status::Done ? progress_.done : progress_.failed);
        const Finished& finished = finished_[record->hash] = finished_of(*record);
        const Told told = told_of(answer.task, finished);
        const std::size_t times_asked = in_work_.extract(answer.task).mapped();
        for (std::size_t i = 0; i < times_asked; ++i) {
            sampler_.tell(answer.task, told);
        }
        report(&*record);
    }
    void report(const Record* record) const {
        if (on_progress_) {
            on_progress_(progress_, record);
        }
    }

    const Sweep& sweep_;
    Sampler& sampler_;
    const RunOptions& options_;
    const OnProgress& on_progress_;
    FolderLock lock_;
    Evaluating evaluating_;
    Pool pool_; ///< forked before results are read: small processes
    RecordFile own_file_;
    std::set<std::string, std::less<>> scored_;
    std::unordered_map<std::uint64_t, Finished> finished_; ///< by hash
    RunProgress progress_;
    std::unordered_map<PointId, std::size_t> in_work_; ///< and how often each was asked for
};

} // namespace

RunProgress run_sweep(const Sweep& sweep,
                      Sampler& sampler,
                      const Evaluate& evaluate,
                      const RunOptions& options,
                      const OnProgress& on_progress) {
    return Run(sweep, sampler, evaluate, options, on_progress).run();
}

std::uint64_t count_feasible(const Sweep& sweep) {
    std::uint64_t count = 0;
    for (PointId point = 0; point < sweep.space.size(); ++point) {
        count += static_cast<std::uint64_t>(sweep.feasible(point));
    }
    return count;
}

} // namespace npusim::explore
