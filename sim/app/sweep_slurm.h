// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// A sweep on a cluster: a job array of Slurm, each task of which evaluates one shard.
namespace npusim::app {

/// What such a job runs, and what it asks of the cluster. Empty texts and zeros leave the choice to
/// the site.
struct SlurmJob {
    std::filesystem::path program; ///< npusim, at an absolute path the nodes have too
    std::filesystem::path file;    ///< of the sweep; absolute
    std::filesystem::path folder;  ///< of results and logs, shared by the nodes; absolute
    std::size_t shards = 1;        ///< tasks of the array
    std::size_t cores = 1;         ///< of a task, and processes in it
    std::string time;              ///< limit of a task, such as 04:00:00
    std::int64_t memory_gib = 0;   ///< of a task
    std::string partition;
    std::string account;
    std::vector<std::string> options; ///< more for sbatch, such as `--qos=long`, as they are
    std::vector<std::string> words;   ///< more for `npusim sweep`, such as `--timeout`, `60`
    int restarts = 20;                ///< a task that is interrupted more often gives up
};

/// Where results of a sweep file go if nothing else is said: out/NAME.
std::filesystem::path default_results(const std::filesystem::path& file);

/// `text` as one word of a POSIX shell.
std::string shell_quoted(const std::string& text);

/// The batch script of the job. A task hands SIGTERM on to npusim, which keeps what is finished,
/// and then puts itself back into the queue, unless Slurm is ending it anyway. One that ends for
/// good leaves npusim's exit code in `slurm-JOB_TASK.exit` beside its log. Throws ConfigError for
/// what sbatch cannot be told.
std::string batch_script(const SlurmJob& job);

/// Makes the folder and hands the job to sbatch; the job's id. Throws ConfigError if there is no
/// sbatch, or it refuses.
std::string submit(const SlurmJob& job);

/// Until no task of job `id` is left in the queue, with the progress on stderr; asks squeue first
/// after `first_poll`, then ever less often. Returns kDone if every task ended with all its points
/// done, otherwise kFailed after saying which did not. Throws ConfigError if there is no squeue, or
/// the job runs on another cluster, ModelError if squeue fails many times on end.
int wait(const SlurmJob& job,
         const std::string& id,
         std::chrono::milliseconds first_poll = std::chrono::seconds(1));

} // namespace npusim::app
