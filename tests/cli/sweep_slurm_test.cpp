// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <filesystem>
#include <string>

using namespace npusim::test;

TEST_CASE("sweep slurm prints the script of the job, with absolute paths, and makes nothing") {
    const Scratch scratch;
    const std::string file = scratch.write("sweep.yaml", "").string();
    const fs::path folder = scratch.path() / "out";
    const Outcome outcome =
        invoke("sweep slurm " + file + " --shards 5 -j 3 -o " + folder.string() +
               " --time 01:00:00 --option --qos=long --option=--nice=7 --memory 8");
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK_FALSE(fs::exists(folder));
    CHECK(outcome.out.starts_with("#!/bin/bash\n#SBATCH "));
    for (const std::string& line : {std::string("#SBATCH --array=1-5"),
                                    std::string("#SBATCH --cpus-per-task=3"),
                                    std::string("#SBATCH --time=\"01:00:00\""),
                                    std::string("#SBATCH --mem=8G"),
                                    std::string("#SBATCH --qos=long"),
                                    std::string("#SBATCH --nice=7"),
                                    "FILE='" + file + "'",
                                    "FOLDER='" + folder.string() + "'",
                                    "NPUSIM='" + fs::canonical(NPUSIM_BINARY).string() + "'"}) {
        CHECK_THAT(outcome.out, Contains("\n" + line + "\n"));
    }
    CHECK_THAT(invoke("sweep slurm " + file + " --shards 5").out,
               Contains("\nFOLDER='" + (fs::current_path() / "out/sweep").string() + "'\n"));
}

TEST_CASE("sweep slurm refuses what it cannot use") {
    const Scratch scratch;
    const std::string job = "sweep slurm " + scratch.write("sweep.yaml", "").string();
    CHECK_THAT(refusal(job), Contains("--shards is required"));
    CHECK_THAT(refusal(job + " --shards 0"), Contains("--shards: Value 0 not in range 1 to"));
    CHECK_THAT(refusal("sweep slurm none.yaml --shards 2"), Contains("none.yaml: no such file"));
    CHECK_THAT(refusal(job + " --shards 2 --time soon"),
               Contains("--time soon: (allowed: HH:MM:SS, D-HH:MM:SS, minutes)"));
    CHECK_THAT(refusal(job + " --shards 2 --option qos=long"),
               Contains("--option qos=long: (allowed: an option of sbatch"));
    CHECK_THAT(refusal(job + " --shards 2 --wait"), Contains("--wait requires --submit"));
}

TEST_CASE("sweep slurm says so if there is no Slurm to submit to") {
    const Scratch scratch;
    const std::string file = scratch.write("sweep.yaml", "").string();
    const std::string folder = (scratch.path() / "out").string();
    const std::string path = std::getenv("PATH"); // NOLINT(concurrency-mt-unsafe)
    setenv("PATH", scratch.path().c_str(), 1);    // NOLINT(concurrency-mt-unsafe)
    const std::string text = refusal("sweep slurm " + file + " --shards 2 --submit -o " + folder);
    setenv("PATH", path.c_str(), 1); // NOLINT(concurrency-mt-unsafe)
    CHECK_THAT(text, Contains("sbatch: no such program on PATH"));
}
