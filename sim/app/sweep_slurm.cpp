// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep_slurm.h"

#include "sim/app/arguments.h"
#include "sim/app/log.h"
#include "sim/app/output.h"
#include "sim/app/run_program.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/number.h"
#include "traces/status_line.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>

namespace npusim::app {

namespace fs = std::filesystem;

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kSlowestPoll{30'000};
constexpr int kMostSqueueFailures = 10; ///< on end; controllers are restarted now and then

/// Behind the head of the script, which sets the names in capitals.
constexpr std::string_view kBody = R"(
task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
exit_file=$FOLDER/slurm-$task.exit
rm -f -- "$exit_file"

# SIGTERM comes a minute before the time limit, when the task is preempted, or by scancel.
terminated=no
pass_on() {
    terminated=yes
    [[ -z $! ]] || kill -TERM "$!"
}
trap pass_on TERM

"$NPUSIM" sweep "$FILE" -o "$FOLDER" -j "$CORES" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" --resume \
    "${WORDS[@]}" &

# A signal ends wait before npusim has ended; then it has to be waited for again.
status=
until [[ -n $status ]]; do
    terminated=no
    wait "$!"
    code=$?
    [[ $terminated == yes ]] || status=$code
done

# A task that is cancelled, or put back by Slurm, is not running any more.
if [[ $status == 130 || $status == 143 ]] &&
    ((${SLURM_RESTART_COUNT:-0} < RESTARTS)) &&
    [[ $(squeue --noheader --jobs="$task" --format=%T) == RUNNING ]] &&
    scontrol requeue "$task"; then
    exit "$status"
fi
printf '%s\n' "$status" >"$exit_file"
exit "$status"
)";

/// `text` as a value on an #SBATCH line, where backslashes escape and an open # begins a comment.
std::string sbatch_quoted(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    return quoted + '"';
}

/// Refuses what would end the line of the script that holds it.
void check_one_line(const std::string& option, const std::string& text) {
    if (text.find_first_of("\n\r") != std::string::npos) {
        throw ConfigError(
            fmt::format("{} {}: (allowed: a text without line breaks)", option, text));
    }
}

void check(const SlurmJob& job) {
    for (const auto& [option, text] :
         std::map<std::string, std::string>{{"FILE", job.file},
                                            {"-o", job.folder},
                                            {"the path of npusim", job.program},
                                            {"--time", job.time},
                                            {"--partition", job.partition},
                                            {"--account", job.account}}) {
        check_one_line(option, text);
    }
    if (job.folder.string().find('\\') != std::string::npos) {
        throw ConfigError(fmt::format(
            "-o {}: (allowed: a path without backslashes, which Slurm bends in names of logs)",
            job.folder.string()));
    }
    for (const std::string& word : job.words) {
        check_one_line("a word for npusim sweep,", word);
    }
    for (const std::string& option : job.options) {
        check_one_line("--option", option);
        if (!option.starts_with('-')) {
            throw ConfigError(fmt::format(
                "--option {}: (allowed: an option of sbatch, such as --qos=long)", option));
        }
    }
}

/// The folder as part of a name that Slurm puts numbers into.
std::string log_pattern(const fs::path& folder) {
    std::string pattern;
    for (const char c : folder.string()) {
        pattern += c == '%' ? "%%" : std::string{c};
    }
    return pattern + "/slurm-%A_%a.log";
}

std::vector<std::string> sbatch_options(const SlurmJob& job) {
    std::vector<std::string> lines{
        "--job-name=" + sbatch_quoted("npusim-" + job.file.stem().string()),
        fmt::format("--array=1-{}", job.shards),
        "--ntasks=1",
        fmt::format("--cpus-per-task={}", job.cores),
        "--requeue",
        "--signal=B:TERM@60",
        "--open-mode=append",
        "--output=" + sbatch_quoted(log_pattern(job.folder)),
    };
    if (job.memory_gib > 0) {
        lines.push_back(fmt::format("--mem={}G", job.memory_gib));
    }
    for (const auto& [name, value] : {std::pair{"time", job.time},
                                      std::pair{"partition", job.partition},
                                      std::pair{"account", job.account}}) {
        if (!value.empty()) {
            lines.push_back(fmt::format("--{}={}", name, sbatch_quoted(value)));
        }
    }
    lines.insert(lines.end(), job.options.begin(), job.options.end());
    return lines;
}

/// Of a program of Slurm.
ProgramOutcome run_slurm(const std::vector<std::string>& words, const std::string& input = "") {
    if (const auto outcome = run_program(words, input)) {
        return *outcome;
    }
    throw ConfigError(fmt::format(
        "{}: no such program on PATH; run this on a host of the cluster with Slurm's commands, or "
        "leave out --submit and take the script there",
        words.front()));
}

std::string trimmed(const std::string& text) {
    const std::size_t end = text.find_last_not_of(" \n");
    return end == std::string::npos ? "" : text.substr(0, end + 1);
}

/// Tasks of an array, by what squeue says.
struct Queue {
    std::size_t pending = 0;
    std::size_t running = 0; ///< or on their way out

    [[nodiscard]] std::size_t left() const { return pending + running; }
};

/// Nothing if squeue fails, with its words in `error`.
std::optional<Queue> ask_squeue(const std::string& id, std::string& error) {
    const ProgramOutcome outcome =
        run_slurm({"squeue", "--noheader", "--array", "--jobs=" + id, "--format=%T"});
    error = trimmed(outcome.err);
    if (outcome.status != 0) {
        // A job that ended a while ago is forgotten.
        return error.find("Invalid job id") == std::string::npos ? std::nullopt
                                                                 : std::optional<Queue>{Queue{}};
    }
    Queue queue;
    std::istringstream lines(outcome.out);
    for (std::string state; lines >> state;) {
        ++(state == "PENDING" ? queue.pending : queue.running);
    }
    return queue;
}

/// squeue, whose failures are borne for a while.
class PatientSqueue {
  public:
    explicit PatientSqueue(std::string id) : id_(std::move(id)) {}

    /// Nothing if it could not be told this time.
    std::optional<Queue> ask() {
        std::string error;
        const std::optional<Queue> queue = ask_squeue(id_, error);
        failures_ = queue ? 0 : failures_ + 1;
        if (failures_ >= kMostSqueueFailures) {
            throw ModelError(fmt::format("squeue failed {} times on end: {}; job {} is left as it "
                                         "is",
                                         failures_,
                                         error,
                                         id_));
        }
        return queue;
    }

  private:
    std::string id_;
    int failures_ = 0;
};

/// Counts the results in a folder; reads only what is new.
class ResultCounter {
  public:
    explicit ResultCounter(fs::path folder) : folder_(std::move(folder)) {}

    std::size_t count() {
        std::error_code ignored; // a shared folder may be away for a moment
        for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
            const std::string name = entry.path().filename();
            if (name.starts_with("results-") && name.ends_with(".jsonl")) {
                read_on(entry.path(), seen_[name]);
            }
        }
        return lines_;
    }

  private:
    void read_on(const fs::path& path, std::streamoff& offset) {
        std::ifstream file(path, std::ios::binary);
        file.seekg(offset);
        for (std::array<char, 65536> part{}; file;) {
            file.read(part.data(), part.size());
            offset += file.gcount();
            lines_ += static_cast<std::size_t>(
                std::count(part.data(), part.data() + file.gcount(), '\n'));
        }
    }

    fs::path folder_;
    std::map<std::string, std::streamoff> seen_;
    std::size_t lines_ = 0;
};

/// "shard 3 of 8: exit code 1, see LOG" of a task that has not done all of its points; else "".
std::string complaint(const SlurmJob& job, const std::string& id, std::size_t shard) {
    const fs::path stem = job.folder / fmt::format("slurm-{}_{}", id, shard);
    std::string code;
    std::ifstream(stem.string() + ".exit") >> code;
    if (code == "0") {
        return "";
    }
    return fmt::format("shard {} of {}: {}, see {}.log",
                       shard,
                       job.shards,
                       code.empty() ? "cancelled or killed" : "exit code " + code,
                       stem.string());
}

int judge(const SlurmJob& job, const std::string& id) {
    int code = kDone;
    for (std::size_t shard = 1; shard <= job.shards; ++shard) {
        if (const std::string text = complaint(job, id, shard); !text.empty()) {
            log::error(text);
            code = kFailed;
        }
    }
    return code;
}

} // namespace

std::filesystem::path default_results(const std::filesystem::path& file) {
    return std::filesystem::path("out") / file.stem();
}

std::string shell_quoted(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? R"('\'')" : std::string{c};
    }
    return quoted + "'";
}

std::string batch_script(const SlurmJob& job) {
    check(job);
    std::string script = "#!/bin/bash\n";
    for (const std::string& option : sbatch_options(job)) {
        script += "#SBATCH " + option + '\n';
    }
    script += "\n# A shard of a sweep. Started again, it goes on where it was.\n"
              "# Logs need the folder before the job begins.\n";
    for (const auto& [name, value] : {std::pair{"NPUSIM", job.program},
                                      std::pair{"FILE", job.file},
                                      std::pair{"FOLDER", job.folder}}) {
        script += fmt::format("{}={}\n", name, shell_quoted(value));
    }
    script +=
        fmt::format("SHARDS={}\nCORES={}\nRESTARTS={}\n", job.shards, job.cores, job.restarts);
    std::vector<std::string> words;
    std::ranges::transform(job.words, std::back_inserter(words), shell_quoted);
    script += fmt::format("WORDS=({})\n", join(words, " "));
    return script.append(kBody);
}

std::string submit(const SlurmJob& job) {
    const std::string script = batch_script(job);
    prepare_folder(job.folder);
    const ProgramOutcome outcome = run_slurm({"sbatch", "--parsable"}, script);
    std::string id = trimmed(outcome.out);
    if (outcome.status != 0 || id.empty()) {
        throw ConfigError(fmt::format("sbatch refused the job: {}", trimmed(outcome.err)));
    }
    if (!outcome.err.empty()) {
        log::warn(trimmed(outcome.err));
    }
    return id;
}

int wait(const SlurmJob& job, const std::string& id, Milliseconds first_poll) {
    if (!number_from<std::int64_t>(id)) {
        throw ConfigError(fmt::format(
            "--wait: job {} is on another cluster (allowed: the cluster of this host)", id));
    }
    PatientSqueue squeue(id);
    ResultCounter results(job.folder);
    traces::StatusLine status;
    for (Milliseconds pause = first_poll;; pause = std::min(kSlowestPoll, pause * 3 / 2)) {
        std::this_thread::sleep_for(pause);
        const std::optional<Queue> queue = squeue.ask();
        if (queue && queue->left() == 0) {
            break;
        }
        if (queue && status.due()) {
            status.say(fmt::format("sweep: {} tasks pending, {} running, {} finished; {} results",
                                   queue->pending,
                                   queue->running,
                                   job.shards - std::min(job.shards, queue->left()),
                                   results.count()));
        }
    }
    status.clear();
    return judge(job, id);
}

} // namespace npusim::app
