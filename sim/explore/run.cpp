// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/run.h"

#include "sim/base/error.h"
#include "sim/base/number.h"

#include <algorithm>
#include <cmath>
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

using Names = std::set<std::string, std::less<>>;

/// Names of the results that objectives and constraints speak of.
Names scored_names(const Sweep& sweep) {
    Names names;
    for (const Objective& objective : sweep.objectives) {
        names.insert(objective.name);
    }
    for (const Expression& constraint : sweep.after) {
        names.insert(constraint.names().begin(), constraint.names().end());
    }
    return names;
}

/// Those of a record, as its line has them: what is not finite is NaN.
Results scored_of(const Record& record, const Names& names) {
    Results scored;
    for (const std::string& name : names) {
        if (const std::optional<double> result = record.result(name)) {
            scored[name] = std::isfinite(*result) ? *result : std::nan("");
        }
    }
    return scored;
}

/// An outcome as a worker answers it: the status, then a line "VALUE NAME" for each result, or the
/// message. To parse the record's own line would cost the parent more than all else it does.
std::string to_answer(const Outcome& outcome) {
    std::string text(to_string(outcome.status));
    if (outcome.status != Status::Done) {
        return text + '\n' + outcome.message;
    }
    for (const auto& [name, value] : outcome.scored) {
        text += fmt::format("\n{} {}", value, name); // the shortest that reads back as the same
    }
    return text;
}

/// Takes what is before `end` off the front of a text, with the `end`.
std::string_view take_until(char end, std::string_view& text) {
    const std::string_view front = text.substr(0, text.find(end));
    text.remove_prefix(std::min(front.size() + 1, text.size()));
    return front;
}

Outcome from_answer(PointId point, std::string_view text) {
    Outcome outcome{point, status_from(take_until('\n', text)).value_or(Status::Failed)};
    if (outcome.status != Status::Done) {
        outcome.message = text;
        return outcome;
    }
    while (!text.empty()) {
        std::string_view name = take_until('\n', text);
        const std::optional<double> value = number_from<double>(take_until(' ', name));
        outcome.scored.emplace(name, value.value_or(std::nan("")));
    }
    return outcome;
}

/// What runs in the worker processes: evaluates a point, writes its record, and answers with what
/// became of it.
class Evaluating {
  public:
    Evaluating(const Sweep& sweep,
               const Names& scored,
               const Evaluate& evaluate,
               const RunOptions& options)
        : sweep_(sweep), scored_(scored), evaluate_(evaluate), options_(options) {}

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
        return to_answer({point, record.status, scored_of(record, scored_), record.message});
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
    const Names& scored_;
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
          lock_(options.folder, options.shard.prefix()), scored_(scored_names(sweep)),
          evaluating_(sweep, scored_, evaluate, options), pool_(options.pool, evaluating_),
          own_file_(options.folder, options.shard.prefix() + "main") {
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
    /// A point that a worker has.
    struct InWork {
        std::uint64_t hash = 0;
        std::size_t times_asked = 0; ///< by the sampler
    };

    void remember(const Record& record) {
        if (record.status != Status::Done && options_.retry_failed) {
            return;
        }
        finished_[record.hash] = {record.status == Status::Done, scored_of(record, scored_)};
    }
    /// By the axes of the point that was asked for: the record may be from before an axis was
    /// added.
    [[nodiscard]] Told told_of(PointId point, const Finished& finished) const {
        const std::optional<std::vector<double>> score =
            finished.done ? sweep_.score(sweep_.space.settings(point), lookup_in(finished.results))
                          : std::nullopt;
        return score ? Told{Told::Kind::Scored, *score} : Told{Told::Kind::Failed};
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
            return;
        }
        const std::uint64_t hash = sweep_.hash(point);
        if (const auto found = finished_.find(hash); found != finished_.end()) {
            ++progress_.reused;
            progress_.reused_failed += static_cast<std::uint64_t>(!found->second.done);
            sampler_.tell(point, told_of(point, found->second));
            report(nullptr);
        } else {
            InWork& work = in_work_.try_emplace(point, InWork{hash}).first->second;
            if (++work.times_asked == 1) {
                pool_.submit(point);
            }
        }
    }

    /// Ends a point: its worker has written the record, unless it could not.
    void take(const Answer& answer) {
        const Outcome outcome = answer.status == Status::Done
                                    ? from_answer(answer.task, answer.text)
                                    : put_down(answer);
        const bool done = outcome.status == Status::Done;
        ++(done ? progress_.done : progress_.failed);
        const InWork work = in_work_.extract(answer.task).mapped();
        const Finished& finished = finished_[work.hash] = {done, outcome.scored};
        const Told told = told_of(answer.task, finished);
        for (std::size_t i = 0; i < work.times_asked; ++i) {
            sampler_.tell(answer.task, told);
        }
        report(&outcome);
    }
    /// Writes the record of a point in place of its worker.
    Outcome put_down(const Answer& answer) {
        Record record = evaluating_.record_of(answer.task);
        record.status = answer.status;
        record.message = answer.text;
        record.seconds = answer.seconds;
        own_file_.add(record);
        return {answer.task, answer.status, {}, answer.text};
    }
    void report(const Outcome* outcome) const {
        if (on_progress_) {
            on_progress_(progress_, outcome);
        }
    }

    const Sweep& sweep_;
    Sampler& sampler_;
    const RunOptions& options_;
    const OnProgress& on_progress_;
    FolderLock lock_;
    Names scored_;
    Evaluating evaluating_;
    Pool pool_; ///< forked before results are read: small processes
    RecordFile own_file_;
    std::unordered_map<std::uint64_t, Finished> finished_; ///< by hash
    RunProgress progress_;
    std::unordered_map<PointId, InWork> in_work_;
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
