// SPDX-License-Identifier: Apache-2.0
// The script of a sweep on Slurm and what goes round it, with scripts in the place of Slurm's
// commands. The real ones are in slurm_test.sh.
#include "sim/app/arguments.h"
#include "sim/app/run_program.h"
#include "sim/app/sweep_slurm.h"
#include "sim/base/error.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace npusim;
using namespace npusim::app;
using Catch::Contains;
using npusim::test::Scratch;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Programs of a test, found before all others of their names.
class Programs {
  public:
    Programs() { setenv("PATH", (folder().string() + ":" + before_).c_str(), 1); }
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;
    Programs(Programs&&) = delete;
    Programs& operator=(Programs&&) = delete;
    ~Programs() { setenv("PATH", before_.c_str(), 1); }

    [[nodiscard]] fs::path folder() const { return scratch_.path(); }
    fs::path add(const std::string& name, const std::string& body) const {
        fs::path file = scratch_.write(name, "#!/bin/bash\n" + body);
        fs::permissions(file, fs::perms::owner_all);
        return file;
    }
    /// What the programs have put into a file of their folder.
    [[nodiscard]] std::string said(const std::string& name) const {
        return content(folder() / name);
    }
    /// Only what is here can be found.
    void hide_others() const { setenv("PATH", folder().c_str(), 1); }

  private:
    Scratch scratch_;
    std::string before_ = std::getenv("PATH");
};

SlurmJob job_in(const fs::path& folder) {
    SlurmJob job;
    job.program = folder / "npusim";
    job.file = folder / "sweep.yaml";
    job.folder = folder / "out";
    job.shards = 3;
    job.cores = 2;
    return job;
}

std::string message_of(const SlurmJob& job) {
    try {
        return "no error: " + batch_script(job);
    } catch (const ConfigError& error) {
        return error.what();
    }
}

std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.size(), text.find('\n', at));
        if (const std::string line = text.substr(at, end - at); line.starts_with(part)) {
            lines.push_back(line);
        }
        at = end + 1;
    }
    return lines;
}

/// Runs the script as task 2 of job 70, `restarts` times started again.
ProgramOutcome run_task(const SlurmJob& job, int restarts) {
    fs::create_directories(job.folder);
    return *run_program({"env",
                         "SLURM_ARRAY_JOB_ID=70",
                         "SLURM_ARRAY_TASK_ID=2",
                         fmt::format("SLURM_RESTART_COUNT={}", restarts),
                         "bash",
                         "-s"},
                        batch_script(job));
}

/// npusim that, once it has begun, has its script terminated; ends as one that was interrupted.
constexpr const char* kInterrupted = R"(
trap 'echo "TERM came" >>"${0%/*}/npusim.log"; exit 143' TERM
kill -TERM "$PPID"
while :; do sleep 0.01; done
)";

/// scontrol that notes what it was asked for, and squeue that knows one state.
void add_slurm(const Programs& programs, const std::string& state) {
    programs.add("scontrol", R"(echo "$*" >>"${0%/*}/scontrol.log")");
    programs.add("squeue", R"(echo "$*" >>"${0%/*}/squeue.log"; echo )" + state);
}

} // namespace

TEST_CASE("a word for the shell stays what it is") {
    const std::string word = "it's \"$HOME\" `x` \\ *\n#;&";
    const auto outcome =
        run_program({"bash", "-s"}, "word=" + shell_quoted(word) + "\nprintf %s \"$word\"");
    REQUIRE(outcome);
    CHECK(outcome->out == word);
    CHECK(shell_quoted("") == "''");
}

TEST_CASE("a program gets its words and its input, and its end is told") {
    const auto outcome =
        run_program({"bash", "-c", "cat; echo \"$1\" >&2; exit 3", "-", "a b"}, "input");
    REQUIRE(outcome);
    CHECK(outcome->status == 3);
    CHECK(outcome->out == "input");
    CHECK(outcome->err == "a b\n");
    CHECK(run_program({"bash", "-c", "kill -KILL $$"})->status == 128 + 9);
    CHECK_FALSE(run_program({"no-such-program"}));
    const std::string much(1'000'000, 'x');
    CHECK(run_program({"cat"}, much)->out == much);
    CHECK(run_program({"true"}, much)->status == 0);
}

TEST_CASE("the script asks for an array that may be started again, and for what it is told to") {
    SlurmJob job = job_in("/data");
    const std::vector<std::string> least{"#SBATCH --job-name=\"npusim-sweep\"",
                                         "#SBATCH --array=1-3",
                                         "#SBATCH --ntasks=1",
                                         "#SBATCH --cpus-per-task=2",
                                         "#SBATCH --requeue",
                                         "#SBATCH --signal=B:TERM@60",
                                         "#SBATCH --open-mode=append",
                                         "#SBATCH --output=\"/data/out/slurm-%A_%a.log\""};
    CHECK(batch_script(job).starts_with("#!/bin/bash\n#SBATCH"));
    CHECK(lines_with(batch_script(job), "#SBATCH") == least);

    job.time = "01:30:00";
    job.memory_gib = 12;
    job.partition = "short";
    job.account = "a \"b\"";
    job.options = {"--qos=long", "--constraint=\"fast&big\""};
    std::vector<std::string> all = least;
    all.insert(all.end(),
               {"#SBATCH --mem=12G",
                "#SBATCH --time=\"01:30:00\"",
                "#SBATCH --partition=\"short\"",
                R"(#SBATCH --account="a \"b\"")",
                "#SBATCH --qos=long",
                "#SBATCH --constraint=\"fast&big\""});
    CHECK(lines_with(batch_script(job), "#SBATCH") == all);
}

TEST_CASE("what Slurm puts numbers into keeps the signs of the folder") {
    SlurmJob job = job_in("/data");
    job.folder = "/data/100%A \"of\" it";
    CHECK_THAT(batch_script(job),
               Contains(R"(#SBATCH --output="/data/100%%A \"of\" it/slurm-%A_%a.log")"));
}

TEST_CASE("what sbatch cannot be told is refused with what is allowed") {
    SlurmJob job = job_in("/data");
    job.options = {"qos=long"};
    CHECK_THAT(message_of(job), Contains("--option qos=long: (allowed: an option of sbatch"));
    job.options = {"--qos=long\nrm"};
    CHECK_THAT(message_of(job), Contains("--option --qos=long\nrm: (allowed: a text without line"));
    job = job_in("/data");
    job.partition = "a\nb";
    CHECK_THAT(message_of(job), Contains("--partition a\nb: (allowed:"));
    job = job_in("/data");
    job.folder = "/data/a\\b";
    CHECK_THAT(message_of(job), Contains("-o /data/a\\b: (allowed: a path without backslashes"));
    job = job_in("/da\nta");
    CHECK_THAT(message_of(job), Contains("(allowed: a text without line breaks)"));
}

TEST_CASE("bash takes the script, and npusim gets its words whatever is in the paths") {
    const Programs programs;
    SlurmJob job = job_in(programs.folder() / "it's a \"$HOME\" # folder");
    job.options = {"--comment='; exit 1'"};
    job.words = {"--set", "job.kernel=it's; \"$HOME\"", "--timeout", "60"};
    CHECK(run_program({"bash", "-n"}, batch_script(job))->err.empty());
    fs::create_directories(job.folder);
    programs.add("npusim", R"(printf '%s\n' "$@"; exit 1)");
    job.program = job.file.parent_path() / "npusim";
    fs::rename(programs.folder() / "npusim", job.program);

    const ProgramOutcome outcome = run_task(job, 0);
    CHECK(outcome.out == fmt::format("sweep\n{}\n-o\n{}\n-j\n2\n--shard\n2/3\n--resume\n"
                                     "--set\njob.kernel=it's; \"$HOME\"\n--timeout\n60\n",
                                     job.file.string(),
                                     job.folder.string()));
    CHECK(outcome.err.empty());
    CHECK(outcome.status == 1);
    CHECK(content(job.folder / "slurm-70_2.exit") == "1\n");
}

TEST_CASE("a task that is interrupted puts itself back into the queue") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("npusim", kInterrupted);
    add_slurm(programs, "RUNNING");
    fs::create_directories(job.folder);
    std::ofstream(job.folder / "slurm-70_2.exit") << "143\n"; // of the time before

    run_task(job, 19);
    CHECK(programs.said("npusim.log") == "TERM came\n");
    CHECK(programs.said("scontrol.log") == "requeue 70_2\n");
    CHECK_THAT(programs.said("squeue.log"), Contains("--jobs=70_2"));
    CHECK_FALSE(fs::exists(job.folder / "slurm-70_2.exit"));
}

TEST_CASE("a task that was interrupted too often gives up with the code of npusim") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("npusim", kInterrupted);
    add_slurm(programs, "RUNNING");
    CHECK(run_task(job, 20).status == 143);
    CHECK(programs.said("npusim.log") == "TERM came\n");
    CHECK(programs.said("scontrol.log").empty());
    CHECK(content(job.folder / "slurm-70_2.exit") == "143\n");
}

TEST_CASE("a task that Slurm is ending is not put back by itself") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("npusim", kInterrupted);
    add_slurm(programs, "COMPLETING");
    CHECK(run_task(job, 0).status == 143);
    CHECK(programs.said("scontrol.log").empty());
}

TEST_CASE("a signal that comes when npusim is about to be done does no harm") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("npusim", R"(trap '' TERM; kill -TERM "$PPID"; sleep 0.05)");
    add_slurm(programs, "RUNNING");
    CHECK(run_task(job, 0).status == 0);
    CHECK(programs.said("scontrol.log").empty());
    CHECK(content(job.folder / "slurm-70_2.exit") == "0\n");
}

TEST_CASE("sbatch reads the script, and its answer is the job's id") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("sbatch", R"(echo "$*" >"${0%/*}/words"; cat >"${0%/*}/script"; echo 4711)");
    CHECK(submit(job) == "4711");
    CHECK(programs.said("words") == "--parsable\n");
    CHECK(programs.said("script") == batch_script(job));
    CHECK(fs::is_directory(job.folder));

    programs.add("sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1");
    CHECK_THROWS_WITH(submit(job), "sbatch refused the job: sbatch: error: invalid partition");
}

TEST_CASE("without Slurm's commands it is said which one is missing") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.hide_others();
    CHECK_THROWS_AS(submit(job), ConfigError);
    CHECK_THROWS_WITH(submit(job), Contains("sbatch: no such program on PATH"));
    CHECK_THROWS_WITH(wait(job, "70", 1ms), Contains("squeue: no such program on PATH"));
}

TEST_CASE("waiting outlasts a squeue that fails, and ends with the last task") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    fs::create_directories(job.folder);
    // Fails, then two states, then fails again, then forgets the job.
    programs.add("squeue", R"(
echo call >>"${0%/*}/calls"
case $(wc -l <"${0%/*}/calls") in
2) printf 'PENDING\nRUNNING\n' ;;
4) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1 ;;
*) echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1 ;;
esac)");
    for (const int task : {1, 2, 3}) {
        std::ofstream(job.folder / fmt::format("slurm-70_{}.exit", task)) << "0\n";
    }
    CHECK(wait(job, "70", 1ms) == kDone);
    CHECK(programs.said("calls") == "call\ncall\ncall\ncall\n");
}

TEST_CASE("a task that failed or never ended by itself makes the wait fail") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    fs::create_directories(job.folder);
    programs.add("squeue", "");
    const auto set = [&](int task, const std::string& code) {
        std::ofstream(job.folder / fmt::format("slurm-70_{}.exit", task)) << code;
    };
    set(1, "0\n");
    set(2, "0\n");
    CHECK(wait(job, "70", 1ms) == kFailed); // nothing of task 3
    set(3, "1\n");
    CHECK(wait(job, "70", 1ms) == kFailed);
    set(3, "0\n");
    CHECK(wait(job, "70", 1ms) == kDone);
    CHECK(wait(job, "71", 1ms) == kFailed); // these are of another job
}

TEST_CASE("a squeue that only fails is given up, and another cluster's job is not waited for") {
    const Programs programs;
    const SlurmJob job = job_in(programs.folder());
    programs.add("squeue", "echo call >>\"${0%/*}/calls\"; echo 'no controller' >&2; exit 1");
    CHECK_THROWS_WITH(wait(job, "70", 1ms),
                      Contains("squeue failed 10 times on end: no controller"));
    CHECK(lines_with(programs.said("calls"), "call").size() == 10);
    CHECK_THROWS_AS(wait(job, "70;other", 1ms), ConfigError);
}
