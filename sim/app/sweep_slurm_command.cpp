// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep_slurm_command.h"

#include "sim/app/arguments.h"
#include "sim/app/pattern.h"
#include "sim/app/sweep_slurm.h"
#include "sim/base/error.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

namespace fs = std::filesystem;

struct SlurmArguments {
    SlurmJob job;
    std::vector<std::string> sets;
    std::string timeout;
    std::string point_memory;
    bool submit = false;
    bool wait = false;
};

void check_time(const std::string& time) {
    if (!time.empty() && match(time, R"(^(\d+-)?\d+(:\d\d){0,2}$)").empty()) {
        throw ConfigError(fmt::format("--time {}: (allowed: HH:MM:SS, D-HH:MM:SS, minutes)", time));
    }
}

/// What every task hands on to `npusim sweep`.
std::vector<std::string> words_of(const SlurmArguments& arguments) {
    std::vector<std::string> words;
    for (const std::string& set : arguments.sets) {
        words.insert(words.end(), {"--set", set});
    }
    for (const auto& [option, value] : {std::pair{"--timeout", arguments.timeout},
                                        std::pair{"--memory", arguments.point_memory}}) {
        if (!value.empty()) {
            words.insert(words.end(), {option, value});
        }
    }
    return words;
}

/// The job with what the line leaves open.
SlurmJob completed(const SlurmArguments& arguments) {
    SlurmJob job = arguments.job;
    if (!fs::is_regular_file(job.file)) {
        throw ConfigError(fmt::format("{}: no such file", job.file.string()));
    }
    check_time(job.time);
    if (job.folder.empty()) {
        job.folder = default_results(job.file);
    }
    job.words = words_of(arguments);
    job.program = fs::read_symlink("/proc/self/exe");
    job.file = fs::absolute(job.file).lexically_normal();
    job.folder = fs::absolute(job.folder).lexically_normal();
    return job;
}

int run_slurm(const SlurmArguments& arguments) {
    const SlurmJob job = completed(arguments);
    if (!arguments.submit) {
        print(batch_script(job));
        return kDone;
    }
    const std::string id = submit(job);
    print(id + '\n');
    std::fflush(stdout); // before a long wait
    return arguments.wait ? wait(job, id) : kDone;
}

} // namespace

std::function<int()> add_sweep_slurm(CLI::App& sweep) {
    const auto arguments = std::make_shared<SlurmArguments>();
    SlurmJob& job = arguments->job;
    CLI::App& command =
        *sweep.add_subcommand("slurm", "the sweep as a job array of Slurm: print its batch script");
    command.add_option("file", job.file, "sweep file (YAML)")->required();
    command.add_option("--shards", job.shards, "tasks of the array; each evaluates a shard")
        ->check(CLI::Range(1, 100'000))
        ->required();
    command.add_option("-o,--output",
                       job.folder,
                       "folder of results and logs, shared by all nodes; out/NAME of FILE if left "
                       "out");
    command.add_option("-j,--jobs", job.cores, "cores of a task, and processes to run in there")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command.add_option("--time", job.time, "time limit of a task: HH:MM:SS");
    command.add_option("--memory", job.memory_gib, "memory of a task, GiB")
        ->check(CLI::Range(1, 65'536));
    command.add_option("--partition", job.partition, "partition to run in");
    command.add_option("--account", job.account, "account to charge");
    command
        .add_option(
            "--option", job.options, "one more option of sbatch: --option=--qos=long; repeatable")
        ->allow_extra_args(false);
    command.add_option("--set",
                       arguments->sets,
                       "override a key of the sweep file or of its base hardware: key=value; "
                       "repeatable");
    command.add_option("--timeout", arguments->timeout, "seconds for a point")
        ->check(CLI::Range(0.0, 1e9));
    command.add_option("--point-memory", arguments->point_memory, "memory for a point, GiB")
        ->check(CLI::Range(0.0, 1e6));
    CLI::Option* submits =
        command.add_flag("--submit", arguments->submit, "hand it to sbatch; print the job's id");
    command.add_flag("--wait", arguments->wait, "then wait for the end of the job")->needs(submits);
    command.footer(
        "Examples:\n"
        "  npusim sweep slurm sweep.yaml --shards 8 -j 16 -o out/sweep > sweep.sbatch\n"
        "  npusim sweep slurm sweep.yaml --shards 8 --time 04:00:00 --option=--qos=long "
        "--submit\n"
        "  npusim sweep slurm sweep.yaml --shards 8 --set job.chunk=64 --timeout 60 --submit\n\n"
        "A task that is preempted or reaches its time limit goes back into the queue and goes on\n"
        "where it was. The same line again evaluates what is missing. Interrupting --wait leaves\n"
        "the job in the queue.\n\n"
        "Exit code: 0 done (with --wait: every point), 1 some points are not done, 2 bad input, "
        "or\n"
        "no sbatch.");
    return [arguments] { return run_slurm(*arguments); };
}

} // namespace npusim::app
