// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"
#include "tests/support/svg.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define NPUSIM_TEST_SANITIZED // its shadow memory fits under no limit
#endif

using namespace npusim::test;
using namespace std::chrono_literals;

namespace {

/// 9 points of a few milliseconds each.
const std::string kNine = R"(
job: {kind: inverse, kernel: inverse/neumann, count: 24, input: 'correlated:0.9', accuracy: no}
axes:
  - {key: job.chunk, values: [16, 32, 64]}
  - {key: hardware.ai_cores, values: [4, 8, 24]}
objectives: [{name: cycles, direction: min}, {name: energy_uj, direction: min}]
)";

/// 24 points that each take some tens of milliseconds.
const std::string kSlow = R"(
job:
  {kind: inverse, kernel: inverse/forward-substitution, chunk: 128, count: 100,
   input: 'correlated:0.9', accuracy: no}
axes: [{key: hardware.ai_cores, range: {from: 1, to: 24, step: 1}}]
objectives: [{name: cycles, direction: min}]
)";

/// A sweep file of its own and a folder for its results.
class TestSweep {
  public:
    explicit TestSweep(const std::string& text)
        : file_(scratch_.write("sweep.yaml",
                               "name: test\nhardware: " + kSource +
                                   "/configs/hardware/ascend-910b.yaml" + text)) {}

    [[nodiscard]] const fs::path& path() const { return scratch_.path(); }
    [[nodiscard]] std::string file() const { return file_.string(); }
    [[nodiscard]] fs::path folder(const std::string& name = "out") const { return path() / name; }
    /// " FILE -o FOLDER "
    [[nodiscard]] std::string words(const std::string& name = "out") const {
        return ' ' + file() + " -o " + folder(name).string() + ' ';
    }
    [[nodiscard]] Outcome run(const std::string& options = "",
                              const std::string& name = "out") const {
        return invoke("sweep" + words(name) + "-q " + options);
    }

  private:
    Scratch scratch_;
    fs::path file_;
};

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// What is in the result files of a folder, by their names.
std::map<std::string, std::string> result_files(const fs::path& folder) {
    std::map<std::string, std::string> files;
    if (fs::exists(folder)) {
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (entry.path().extension() == ".jsonl") {
                files[entry.path().filename()] = content(entry.path());
            }
        }
    }
    return files;
}

/// The lines in them. What is no JSON, such as a line that was cut off, is left out.
std::vector<json> records_in(const fs::path& folder) {
    std::vector<json> records;
    for (const auto& [name, text] : result_files(folder)) {
        for (const std::string& line : split_lines(text)) {
            if (json record = json::parse(line, nullptr, false); !record.is_discarded()) {
                records.push_back(std::move(record));
            }
        }
    }
    return records;
}

std::vector<int> sorted_ids(const std::vector<json>& records) {
    std::vector<int> ids;
    for (const json& record : records) {
        ids.push_back(record["id"]);
    }
    std::ranges::sort(ids);
    return ids;
}

std::vector<int> first_numbers(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

/// The records of a folder by the program's own reading: one for each point.
std::vector<json> merged_records(const TestSweep& sweep) {
    const fs::path file = sweep.path() / "merged.jsonl";
    REQUIRE(invoke("sweep merge " + sweep.folder().string() + " -o " + file.string()).code == 0);
    std::vector<json> records;
    for (const std::string& line : split_lines(content(file))) {
        records.push_back(json::parse(line));
    }
    return records;
}

/// All points of a sweep are there once and done.
void check_complete(const TestSweep& sweep, int points) {
    const std::vector<json> records = merged_records(sweep);
    CHECK(sorted_ids(records) == first_numbers(points));
    for (const json& record : records) {
        CHECK(record["status"] == "done");
    }
}

/// npusim as a process that can be sent signals and talked to.
class Process {
  public:
    /// `command`: words without quotes. Its stderr goes to the file `err`.
    Process(const std::string& command, const fs::path& err) {
        std::vector<std::string> words{NPUSIM_BINARY};
        std::istringstream stream(command);
        for (std::string word; stream >> word;) {
            words.push_back(word);
        }
        std::vector<char*> arguments;
        for (std::string& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        std::array<int, 2> down{};
        std::array<int, 2> up{};
        REQUIRE(::pipe2(down.data(), O_CLOEXEC) == 0);
        REQUIRE(::pipe2(up.data(), O_CLOEXEC) == 0);
        const int said = ::open(err.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        id_ = ::fork();
        REQUIRE(id_ >= 0);
        if (id_ == 0) {
            ::dup2(down[0], STDIN_FILENO);
            ::dup2(up[1], STDOUT_FILENO);
            ::dup2(said, STDERR_FILENO);
            ::execv(NPUSIM_BINARY, arguments.data());
            ::_exit(127);
        }
        ::close(down[0]);
        ::close(up[1]);
        ::close(said);
        in_ = down[1];
        out_ = up[0];
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    Process(Process&&) = delete;
    Process& operator=(Process&&) = delete;
    ~Process() {
        if (id_ > 0) {
            send(SIGKILL);
            wait();
        }
        ::close(in_);
        ::close(out_);
    }

    void send(int signal) const { ::kill(id_, signal); }
    /// Reads on to the end of its output, then waits for its end; the exit code, -1 after a signal.
    int wait() {
        while (read_line()) {
        }
        int status = 0;
        while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
        }
        id_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] std::vector<pid_t> children() const {
        std::vector<pid_t> children;
        for (const auto& entry : fs::directory_iterator("/proc")) {
            const std::string name = entry.path().filename();
            if (name.find_first_not_of("0123456789") != std::string::npos) {
                continue;
            }
            const std::string text = content(entry.path() / "stat"); // "12 (name) S 11 ..."
            std::istringstream after(text.substr(std::min(text.size(), text.rfind(')') + 1)));
            std::string state;
            pid_t parent = 0;
            if (after >> state >> parent && parent == id_) {
                children.push_back(std::stoi(name));
            }
        }
        return children;
    }
    void write_line(const std::string& text) const {
        const std::string line = text + '\n';
        REQUIRE(::write(in_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    }
    /// Nothing at the end.
    std::optional<std::string> read_line() const {
        std::string line;
        for (char c = 0; ::read(out_, &c, 1) == 1;) {
            if (c == '\n') {
                return line;
            }
            line += c;
        }
        return std::nullopt;
    }

  private:
    pid_t id_ = 0;
    int in_ = -1;
    int out_ = -1;
};

/// Waits for a condition, for half a minute at most.
template <class Condition> bool comes_true(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

/// Runs the sweep again to its end, as soon as the processes of the last time are gone.
Outcome finish(const TestSweep& sweep, const std::string& options = "--resume") {
    Outcome outcome;
    REQUIRE(comes_true([&] {
        outcome = sweep.run(options);
        return outcome.err.find("in use by") == std::string::npos;
    }));
    return outcome;
}

/// The points of a report in JSON by their ids.
std::set<int> front_of(const json& report) {
    std::set<int> ids;
    for (const json& point : report["front"]) {
        ids.insert(point["id"].get<int>());
    }
    return ids;
}

/// Ids of the records that no other one beats in cycles and energy.
std::set<int> front_by_hand(const std::vector<json>& records) {
    const auto beats = [](const json& a, const json& b) {
        return a["cycles"] <= b["cycles"] && a["energy_uj"] <= b["energy_uj"] && a != b;
    };
    std::set<int> ids;
    for (const json& one : records) {
        if (std::ranges::none_of(records, [&](const json& other) {
                return beats(other["objectives"], one["objectives"]);
            })) {
            ids.insert(one["id"].get<int>());
        }
    }
    return ids;
}

const json& record_of(const std::vector<json>& records, int id) {
    return *std::ranges::find_if(records, [&](const json& one) { return one["id"] == id; });
}

/// Shares of what limits the points of the front, by id.
std::map<int, json> limits_of(const TestSweep& sweep) {
    const Outcome outcome = invoke("sweep explain" + sweep.words() + "--format json");
    REQUIRE(outcome.code == 0);
    std::map<int, json> limits;
    const json report = json::parse(outcome.out);
    for (const json& point : report["points"]) {
        double sum = 0;
        for (const json& share : point["limits"]) {
            CHECK(share >= 0);
            sum += share.get<double>();
        }
        CHECK(sum == Approx(1));
        limits[point["id"].get<int>()] = point["limits"];
    }
    return limits;
}

double most_of(const json& limits) {
    double most = 0;
    for (const json& share : limits) {
        most = std::max(most, share.get<double>());
    }
    return most;
}

/// Makes the first line of a result file one of another version.
void age_first_line(const fs::path& file) {
    std::string text = content(file);
    const std::string key = R"("version":")";
    text.insert(text.find(key) + key.size(), "0.0.");
    std::ofstream(file, std::ios::binary) << text;
}

} // namespace

TEST_CASE("sweep --dry-run says how many points there are and runs nothing") {
    const TestSweep sweep(kNine + "constraints: [job.chunk > 16 or hardware.ai_cores > 4]\n");
    const Outcome outcome = sweep.run("--dry-run");
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out,
               Contains("test: 9 points in the space, 8 to look at, 0 results in ") &&
                   Contains("  job.chunk: 3 values, 16 to 64\n"));
    CHECK_FALSE(fs::exists(sweep.folder()));
    for (const auto& [shard, points] : {std::pair("1/3", "3"), std::pair("3/3", "2")}) {
        CHECK_THAT(sweep.run(std::string("--dry-run --shard ") + shard).out,
                   Contains(std::string(", ") + points + " to look at in shard " + shard));
    }
    CHECK_THAT(sweep.run("--dry-run --set budget.points=5").out, Contains(", 5 to look at"));
    CHECK_THAT(sweep.run("--dry-run --set job.chunk=128 --set hardware.ai_cores=2").out,
               Contains("9 points in the space"));
}

TEST_CASE("the sweep files that are shipped are sound") {
    int files = 0;
    for (const auto& entry : fs::directory_iterator(kSource + "/configs/sweeps")) {
        if (entry.path().extension() == ".yaml") {
            CAPTURE(entry.path());
            ++files;
            const Outcome outcome = invoke("sweep --dry-run " + entry.path().string());
            CHECK(outcome.code == 0);
            CHECK_THAT(outcome.out, Contains(" points in the space, ") && !Contains(", 0 to look"));
        }
    }
    CHECK(files > 0);
}

TEST_CASE("a sweep keeps a line for each point, with the cycles and the energy of run") {
    const TestSweep sweep(kNine);
    CHECK(sweep.run("-j 2").code == 0);
    const std::vector<json> records = records_in(sweep.folder());
    CHECK(sorted_ids(records) == first_numbers(9));
    for (const int id : {0, 4, 8}) {
        const json& record = record_of(records, id);
        CAPTURE(record.dump());
        const json run =
            json::parse(invoke("run " + kAscend +
                               "-k inverse/neumann --count 24 --input correlated:0.9 "
                               "--timing-only --format json --chunk " +
                               record["axes"]["job.chunk"].dump() +
                               " --set ai_cores=" + record["axes"]["hardware.ai_cores"].dump())
                            .out)["results"][0];
        CHECK(record["objectives"]["cycles"].get<double>() ==
              run["cycles"].get<double>() - run["launch_cycles"].get<double>());
        CHECK(record["objectives"]["energy_uj"].get<double>() ==
              Approx(run["energy"]["total_uj"].get<double>()).epsilon(1e-12));
        CHECK(record["status"] == "done");
    }
    const std::vector<json> with_errors = [&] { // the same cycles with data
        REQUIRE(sweep.run("--set job.accuracy=yes --limit 1", "data").code == 0);
        return records_in(sweep.folder("data"));
    }();
    CHECK(with_errors.at(0)["metrics"]["error"] > 0);
    CHECK(with_errors.at(0)["objectives"]["cycles"] ==
          record_of(records, with_errors.at(0)["id"])["objectives"]["cycles"]);
}

TEST_CASE("text, JSON and CSV of a sweep say the same") {
    const TestSweep sweep(kNine);
    const json report = json::parse(sweep.run("--format json").out);
    const std::vector<json> records = records_in(sweep.folder());
    CHECK(report["space"] == 9);
    CHECK(report["points"]["done"] == 9);
    CHECK(report["points"]["failed"] == 0);
    CHECK(front_of(report) == front_by_hand(records));
    for (const char* objective : {"cycles", "energy_uj"}) {
        double least = records[0]["objectives"][objective];
        for (const json& record : records) {
            least = std::min(least, record["objectives"][objective].get<double>());
        }
        CHECK(report["objectives"][objective]["best"]["results"][objective] == least);
    }
    const Outcome csv = invoke("sweep report" + sweep.words() + "--format csv");
    std::string expected = "id,\"job.chunk\",\"hardware.ai_cores\",cycles,energy_uj\n";
    const Outcome text = invoke("sweep report" + sweep.words());
    for (const json& point : report["front"]) {
        std::ostringstream row;
        row << point["id"] << ',' << '"' << point["axes"]["job.chunk"] << "\",\""
            << point["axes"]["hardware.ai_cores"] << "\"," << point["results"]["cycles"].get<int>()
            << ',' << point["results"]["energy_uj"].dump() << '\n';
        expected += row.str();
        CHECK_THAT(text.out, Contains(' ' + std::to_string(point["results"]["cycles"].get<int>())));
    }
    CHECK(csv.out == expected);
    CHECK_THAT(text.out,
               Contains("9 points evaluated of 9 in the space") &&
                   Contains("Pareto front, " + std::to_string(report["front"].size()) + " points"));
}

TEST_CASE("a folder with results is refused without --resume, and with it nothing runs again") {
    const TestSweep sweep(kNine);
    CHECK_THAT(sweep.run().out, Contains("(9 now, 0 were there)"));
    const auto before = result_files(sweep.folder());
    CHECK_THAT(refusal("sweep" + sweep.words()),
               Contains(sweep.folder().string() + ": holds results (allowed: --resume"));
    const Outcome again = sweep.run("--resume");
    CHECK(again.code == 0);
    CHECK_THAT(again.out, Contains("(0 now, 9 were there)"));
    CHECK(result_files(sweep.folder()) == before);
}

TEST_CASE("a report takes what spans decades by its logarithm and says so") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run().code == 0);
    std::string text;
    for (json record : records_in(sweep.folder())) { // in place of what came out
        const auto chunk = record["axes"]["job.chunk"].get<double>();
        record["objectives"] = {{"cycles",
                                 chunk == 32   ? 100
                                 : chunk == 16 ? 10
                                               : 1000},
                                {"energy_uj",
                                 chunk == 32   ? 1e-3
                                 : chunk == 16 ? 1
                                               : 1e-6}};
        text += record.dump() + '\n';
    }
    std::ofstream(sweep.folder() / "results-0.jsonl", std::ios::binary) << text;
    const Outcome outcome = invoke("sweep report" + sweep.words());
    CHECK_THAT(outcome.out,
               Contains("3 points, 25.0 % of the box they span") &&
                   Contains("\ncycles           100 % chunk\n") &&
                   Contains("\nenergy_uj (log)  100 % chunk\n"));
    const json report = json::parse(invoke("sweep report" + sweep.words() + "--format json").out);
    CHECK(report["covered"].get<double>() == Approx(0.25));
    CHECK(report["objectives"]["cycles"].value("effects_of", "") == "value");
    CHECK(report["objectives"]["energy_uj"].value("effects_of", "") == "log10");
}

TEST_CASE("sweep --limit runs so many points at a time") {
    const TestSweep sweep(kNine);
    for (const auto& [limit, there] :
         {std::pair("4", 4U), std::pair("2", 6U), std::pair("30", 9U)}) {
        CHECK(sweep.run(std::string("--resume -j 2 --limit ") + limit).code == 0);
        CHECK(records_in(sweep.folder()).size() == there);
    }
    check_complete(sweep, 9);
}

TEST_CASE("shards side by side in one folder give every point once, and then nothing is left") {
    const TestSweep sweep(kSlow + "constraints: [hardware.ai_cores != 5]\n");
    std::map<int, std::unique_ptr<Process>> shards;
    for (const int i : {1, 2, 3}) {
        shards[i] = std::make_unique<Process>("sweep" + sweep.words() + "-q -j 2 --shard " +
                                                  std::to_string(i) + "/3",
                                              sweep.path() / std::to_string(i));
    }
    for (const auto& [i, shard] : shards) {
        CHECK(shard->wait() == 0);
        CHECK(content(sweep.path() / std::to_string(i)).empty());
    }
    std::vector<int> all = first_numbers(24);
    all.erase(all.begin() + 4);
    CHECK(sorted_ids(records_in(sweep.folder())) == all);
    for (const auto& [name, text] : result_files(sweep.folder())) {
        for (const std::string& line : split_lines(text)) { // those of a shard are in its own files
            const int id = json::parse(line)["id"].get<int>();
            const int shard = (id < 4 ? id : id - 1) % 3 + 1; // by its place among the feasible
            CHECK(name.starts_with("results-" + std::to_string(shard) + "of3-"));
        }
    }
    auto before = result_files(sweep.folder());
    CHECK_THAT(sweep.run("--resume").out, Contains("(0 now, 23 were there; 1 ruled out"));
    before["results-main.jsonl"] = "";
    CHECK(result_files(sweep.folder()) == before);
    CHECK_THAT(refusal("sweep" + sweep.words() + "--shard 4/3"), Contains("--shard 4/3"));
}

TEST_CASE("killed at random moments and resumed, a sweep loses no point and doubles none") {
    const TestSweep sweep(kSlow);
    std::mt19937 random(7); // NOLINT(cert-msc51-cpp): the same moments each time
    for (int kill = 0; kill < 5; ++kill) {
        Process process("sweep" + sweep.words() + "-q -j 2 --resume", sweep.path() / "err");
        std::this_thread::sleep_for(std::chrono::milliseconds(50 + random() % 350));
        process.send(SIGKILL);
        process.wait();
        const auto before = result_files(sweep.folder());
        REQUIRE(finish(sweep, "--resume --limit 1").code == 0);
        for (const auto& [name, text] : before) { // nothing that was there is touched
            CHECK(content(sweep.folder() / name).starts_with(text));
        }
    }
    CHECK(finish(sweep).code == 0);
    CHECK(sorted_ids(records_in(sweep.folder())) == first_numbers(24));
    check_complete(sweep, 24);
}

TEST_CASE("a worker that is killed costs its point alone, which can be tried again") {
    const TestSweep sweep(kSlow);
    std::mt19937 random(3); // NOLINT(cert-msc51-cpp): the same choices each time
    Process process("sweep" + sweep.words() + "-q -j 2", sweep.path() / "err");
    for (std::size_t kill = 1; kill <= 3; ++kill) {
        REQUIRE(comes_true([&] { return records_in(sweep.folder()).size() >= 3 * kill; }));
        const std::vector<pid_t> workers = process.children();
        REQUIRE(workers.size() == 2);
        ::kill(workers[random() % 2], SIGKILL);
    }
    CHECK(process.wait() == 1);
    int crashed = 0;
    for (const json& record : records_in(sweep.folder())) {
        if (record["status"] != "done") {
            ++crashed;
            CHECK(record["status"] == "crashed");
            CHECK(record["message"] == "its process was ended by signal 9 (Killed)");
        }
    }
    CHECK(crashed > 0);
    CHECK(crashed <= 3);
    CHECK(sorted_ids(merged_records(sweep)) == first_numbers(24));
    CHECK(sweep.run("--retry-failed").code == 0);
    check_complete(sweep, 24);
}

TEST_CASE("an interrupted sweep ends with 130, says what is kept, and can go on") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const TestSweep sweep(kSlow);
        const fs::path err = sweep.path() / "err";
        Process process("sweep" + sweep.words() + "-q -j 2", err);
        REQUIRE(comes_true([&] { return records_in(sweep.folder()).size() >= 3; }));
        process.send(signal);
        CHECK(process.wait() == 130);
        const std::size_t kept = records_in(sweep.folder()).size();
        CHECK(kept < 24);
        CHECK(content(err) == "npusim: interrupted; " + std::to_string(kept) +
                                  " points are kept in " + sweep.folder().string() +
                                  "; the same line with --resume goes on\n");
        const Outcome rest = sweep.run("--resume");
        CHECK(rest.code == 0);
        CHECK_THAT(rest.out, Contains(" now, " + std::to_string(kept) + " were there)"));
        CHECK(sorted_ids(records_in(sweep.folder())) == first_numbers(24));
    }
}

TEST_CASE("sweep --timeout costs the slow point alone") {
    const TestSweep sweep(R"(
job:
  {kind: inverse, kernel: inverse/forward-substitution, chunk: 128, input: 'correlated:0.9',
   accuracy: no}
axes: [{key: job.count, values: [2, 200000]}]
objectives: [{name: cycles, direction: min}]
)");
    const Outcome outcome = sweep.run("-j 2 --timeout 2");
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.out,
               Contains("1 points evaluated, 1 timeout (1 now, 0 were there)") &&
                   Contains("1 times: it took longer than 2 seconds"));
    const std::vector<json> records = records_in(sweep.folder());
    REQUIRE(records.size() == 2);
    CHECK(record_of(records, 0)["status"] == "done");
    CHECK(record_of(records, 1)["status"] == "timeout");
}

TEST_CASE("points over their time stay so by --resume, and run again by --retry-failed") {
    const TestSweep sweep(kSlow);
    CHECK(sweep.run("--timeout 0.001 --limit 2").code == 1);
    const auto before = result_files(sweep.folder());
    CHECK(records_in(sweep.folder()).size() == 2);
    CHECK_THAT(sweep.run("--resume --limit 0").out, Contains("0 points evaluated, 2 timeout"));
    CHECK(result_files(sweep.folder()) == before);
    CHECK(sweep.run("--retry-failed -j 2").code == 0);
    check_complete(sweep, 24);
    CHECK(records_in(sweep.folder()).size() == 26); // what failed stays in the files
}

#ifndef NPUSIM_TEST_SANITIZED
TEST_CASE("sweep --memory costs the large point alone") {
    const TestSweep sweep(R"(
job: {kind: inverse, kernel: inverse/neumann, chunk: 128, input: 'correlated:0.9'}
axes: [{key: job.count, values: [4, 10000]}]
objectives: [{name: cycles, direction: min}]
)");
    CHECK(sweep.run("-j 2 --memory 0.5").code == 1);
    const std::vector<json> records = records_in(sweep.folder());
    REQUIRE(records.size() == 2);
    CHECK(record_of(records, 0)["status"] == "done");
    CHECK(record_of(records, 1)["status"] == "out_of_memory");
    CHECK(record_of(records, 1)["message"] == "it wanted more memory than allowed");
}
#endif

TEST_CASE("a point that the chip cannot run is kept with its reason") {
    const TestSweep sweep(R"(
job: {kind: inverse, kernel: inverse/neumann, count: 24, accuracy: no}
axes:
  - {key: job.chunk, values: [16, 128]}
  - {key: hardware.buffers.l0a.size, values: [4KiB, 64KiB]}
objectives: [{name: cycles, direction: min}]
)");
    const Outcome outcome = sweep.run();
    CHECK(outcome.code == 1);
    const std::string reason =
        "buffers.l0a.size: 4096 bytes, and the kernel's tiles need at least 8192";
    CHECK_THAT(outcome.out,
               Contains("3 points evaluated, 1 failed (3 now, 0 were there)") &&
                   Contains("1 times: ") && Contains(reason));
    const std::vector<json> records = records_in(sweep.folder());
    const json& failed = record_of(records, 2);
    CHECK(failed["status"] == "failed");
    CHECK(failed["objectives"].empty());
    CHECK_THAT(failed["message"].get<std::string>(), Contains(reason));
}

TEST_CASE("faults of a sweep file name file, line, key, and what is allowed") {
    const TestSweep sweep(R"(
job: {kind: inverse, kernel: inverse/neumann, chnk: 3, accuracy: maybe, params: {ordr: 3}}
axes:
  - {key: job.chunk, range: {from: 32, to: 64, step: 16}}
  - {key: job.kernel, values: [inverse/neuman]}
objectives: [{name: cycls, direction: min}]
)");
    const std::vector<std::string> faults = split_lines(refusal("sweep" + sweep.words()));
    REQUIRE(faults.size() == 6);
    const auto is = [&](std::size_t i, const std::string& place, const std::string& text) {
        CHECK_THAT(faults[i], Contains(sweep.file() + ':' + place + ": " + text));
    };
    is(0, "3:53", "job.chnk: unknown key (did you mean 'job.chunk'?) (allowed: job.kind, ");
    is(1, "3:66", "job.accuracy: maybe: (allowed: yes, no)");
    is(2, "3:88", "job.params.ordr: no kernel has this parameter (allowed: block, ");
    is(3, "5:5", "job.chunk: --chunk 48: (allowed: 16, 32, 64, 128)");
    is(4, "6:5", "job.kernel: unknown kernel 'inverse/neuman' (did you mean 'inverse/neumann'?)");
    is(5, "7:14", "objectives.0.name: unknown result 'cycls' (did you mean 'cycles'?)");
    CHECK_FALSE(fs::exists(sweep.folder()));
}

TEST_CASE("a fault of a job is told of the key that has it, once") {
    const auto faults_of = [](const std::string& job) {
        const TestSweep sweep("\njob: " + job +
                              "\naxes: [{key: job.chunk, values: [16, 32]}]\n"
                              "objectives: [{name: cycles, direction: min}]\n");
        return split_lines(refusal("sweep" + sweep.words() + "--dry-run"));
    };
    const auto one = [&](const std::string& job, const std::string& text) {
        const std::vector<std::string> faults = faults_of(job);
        REQUIRE(faults.size() == 1);
        CHECK_THAT(faults[0], Contains(text));
    };
    one("{kind: inverze, count: 24}", ": job.kind: inverze: (allowed: inverse, layer)");
    CHECK_THAT(faults_of("{count: 24}").at(0),
               Contains(": job.count: job.kind is missing (allowed: inverse, layer)"));
    one("{kind: inverse, kernel: inverse/nothing, count: 24, params: {order: 3}}",
        ": job.kernel: unknown kernel 'inverse/nothing'");
    one("{kind: inverse, dtype: fp15, count: 24}", ": job.dtype: job.dtype fp15: (allowed: ");
    one("{kind: inverse, params: {order: many}}", ": job.params.order: ");
    one("{kind: layer, model: qwen3.5-0.8b, dtype: fp16, weights: fp32}",
        ": job.weights: --weights fp32: (allowed: fp16, int8, int4)");
    const std::vector<std::string> both = faults_of("{kind: inverse, tokens: 64, count: 24}");
    REQUIRE(both.size() == 2);
    CHECK_THAT(both[0], Contains(": job.tokens: ") && Contains("instead of job.count"));
    CHECK_THAT(both[1], Contains(": job.count: ") && Contains("instead of job.count"));
}

TEST_CASE("sweep merge gives one row a point, as CSV, JSONL and SQLite") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run("-j 2").code == 0);
    const std::string merge = "sweep merge " + sweep.folder().string();
    CHECK(invoke(merge).out == (sweep.folder() / "points.csv").string() + ": 9 points\n");
    const std::vector<std::string> rows = split_lines(content(sweep.folder() / "points.csv"));
    CHECK(rows.size() == 10);
    CHECK_THAT(rows[0], Contains("id,hash,version,status,message,seconds,hardware.ai_cores"));
    CHECK(sorted_ids(merged_records(sweep)) == first_numbers(9));

    const fs::path database = sweep.path() / "points.sqlite";
    const Outcome outcome = invoke(merge + " -o " + database.string());
    if (outcome.err.find("without SQLite") == std::string::npos) {
        CHECK(outcome.out == database.string() + ": 9 points\n");
        CHECK(content(database).starts_with("SQLite format 3"));
    }
    CHECK_THAT(refusal(merge + " -o points.txt"), Contains("(allowed: a name that ends in .csv"));
    CHECK_THAT(refusal("sweep merge " + sweep.folder("none").string()), Contains("no such folder"));
}

TEST_CASE("sweep merge does not write over the results it reads, nor beside them as one") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run().code == 0);
    const auto before = result_files(sweep.folder());
    for (const char* name : {"results-0.jsonl", "results-all.jsonl", "../out/results-0.jsonl"}) {
        CHECK_THAT(refusal("sweep merge " + sweep.folder().string() + " -o " +
                           (sweep.folder() / name).string()),
                   Contains("would be one of the results"));
    }
    CHECK(result_files(sweep.folder()) == before);
    const std::string elsewhere = (sweep.path() / "results-all.jsonl").string();
    CHECK(invoke("sweep merge " + sweep.folder().string() + " -o " + elsewhere).code == 0);
}

TEST_CASE("sweep diff gives the factors between two folders, point by point") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run("--limit 4", "before").code == 0);
    REQUIRE(sweep.run("--set job.kernel=inverse/forward-substitution", "after").code == 0);
    std::vector<double> factors;
    const std::vector<json> after = records_in(sweep.folder("after"));
    for (const json& record : records_in(sweep.folder("before"))) {
        factors.push_back(record_of(after, record["id"])["objectives"]["cycles"].get<double>() /
                          record["objectives"]["cycles"].get<double>());
    }
    REQUIRE(factors.size() == 4);
    std::ranges::sort(factors);
    const std::string diff =
        "sweep diff" + sweep.words("after") + "--against " + sweep.folder("before").string();
    const std::vector<std::string> lines = split_lines(invoke(diff).out);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0] == "4 points in both, 0 only before, 5 only after");
    std::istringstream row(lines[2]);
    std::string name;
    std::array<double, 4> cells{};
    row >> name >> cells[0] >> cells[1] >> cells[2] >> cells[3];
    CHECK(name == "cycles");
    CHECK(cells[0] == 4);
    CHECK(cells[1] == Approx(factors[0]).epsilon(1e-3));
    CHECK(cells[2] == Approx((factors[1] + factors[2]) / 2).epsilon(1e-3));
    CHECK(cells[3] == Approx(factors[3]).epsilon(1e-3));
    // By all they depend on, what ran by another kernel is no point of the sweep.
    CHECK_THAT(invoke(diff + " --by hash").out,
               Contains("0 points in both, 4 only before, 0 only"));
}

TEST_CASE("what is to be read from a folder that is not there is refused") {
    const TestSweep sweep(kNine);
    CHECK_THAT(refusal("sweep report" + sweep.words()), Contains("out: no such folder"));
    CHECK_THAT(refusal("sweep explain" + sweep.words()), Contains("out: no such folder"));
    REQUIRE(sweep.run("--limit 1").code == 0);
    const std::string none = sweep.folder("none").string();
    CHECK_THAT(refusal("sweep diff" + sweep.words() + "--against " + none),
               Contains(none + ": no such folder"));
    CHECK_FALSE(fs::exists(none));
}

TEST_CASE("sweep explain: the vector unit limits what runs on it, the more the narrower it is") {
    const std::string axis = R"(
axes: [{key: hardware.vector.repeat_bytes, values: [32, 64, 128, 256]}]
objectives: [{name: cycles, direction: min}, {name: energy_uj, direction: max}]
)";
    const TestSweep vector(
        "\njob: {kind: inverse, kernel: inverse/forward-substitution, count: 48, "
        "accuracy: no}" +
        axis);
    REQUIRE(vector.run().code == 0);
    const std::map<int, json> limits = limits_of(vector);
    REQUIRE(limits.size() == 4);
    double before = 1;
    for (const auto& [id, shares] : limits) { // wider and wider
        CHECK(shares.at("vector") == most_of(shares));
        CHECK(shares.at("vector") < before);
        CHECK_FALSE(shares.contains("launch"));
        before = shares.at("vector");
    }
    CHECK(before > 0.5);
    CHECK_THAT(invoke("sweep explain" + vector.words() + "--most 1").out,
               Contains("vector.repeat_bytes=256") && !Contains("vector.repeat_bytes=128"));

    const TestSweep cube(
        "\njob: {kind: inverse, kernel: inverse/neumann, count: 48, accuracy: no}" + axis);
    REQUIRE(cube.run().code == 0);
    for (const auto& [id, shares] : limits_of(cube)) {
        CHECK(shares.value("vector", 0.0) < most_of(shares));
    }
}

TEST_CASE("sweep report: --where narrows the best, the page and the picture hold the points") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run().code == 0);
    const std::string report = "sweep report" + sweep.words();
    const std::vector<json> records = records_in(sweep.folder());
    double least = 1e300;
    for (const json& record : records) {
        if (record["axes"]["hardware.ai_cores"] <= 8 && record["axes"]["job.chunk"] > 16) {
            least = std::min(least, record["objectives"]["cycles"].get<double>());
        }
    }
    const json best = json::parse(
        invoke(report + "--format json --where 'hardware.ai_cores <= 8' --where 'job.chunk > 16'")
            .out)["objectives"]["cycles"]["best"];
    CHECK(best["results"]["cycles"] == least);
    CHECK(best["axes"]["hardware.ai_cores"] == 8);
    CHECK(json::parse(invoke(report + "--format json --where 'cycles < 1'")
                          .out)["objectives"]["cycles"]["best"]
              .is_null());
    CHECK_THAT(refusal(report + "--where 'cycls < 1'"), Contains("did you mean 'cycles'?"));

    const fs::path page = sweep.path() / "page.html";
    const fs::path picture = sweep.path() / "picture.svg";
    REQUIRE(invoke(report + "--report " + page.string() + " --svg " + picture.string()).code == 0);
    const json data = page_data(page)["sweep"];
    CHECK(data["axes"] == json::parse(R"([{"name": "chunk"}, {"name": "ai_cores"}])"));
    REQUIRE(data["points"].size() == 9);
    std::set<int> front;
    for (const json& point : data["points"]) {
        const json& record = record_of(records, point["id"]);
        CHECK(point["axes"][0] == record["axes"]["job.chunk"]);
        CHECK(point["axes"][1] == record["axes"]["hardware.ai_cores"]);
        CHECK(point["objectives"][0] == record["objectives"]["cycles"]);
        CHECK(point["objectives"][1] == record["objectives"]["energy_uj"]);
        CHECK(point["failed"].is_null());
        if (point["front"].get<bool>()) {
            front.insert(point["id"].get<int>());
        }
    }
    CHECK(front == front_by_hand(records));
    CHECK(svg_elements(content(picture), "circle").size() == 9 + 3); // and the legend
}

TEST_CASE("a sweep of a decoder can be sampled, as layer can") {
    const TestSweep sweep(R"(
job: {kind: layer, model: qwen3.5-0.8b, tokens: 8192, sample: yes}
axes:
  - {key: job.batch, values: [1]}
objectives: [{name: cycles, direction: min}]
)");
    REQUIRE(sweep.run().code == 0);
    const json layer = json::parse(
        invoke("layer " + kAscend + "-q -m qwen3.5-0.8b --tokens 8192 --sample --format json").out);
    CHECK(record_of(records_in(sweep.folder()), 0)["objectives"]["cycles"] ==
          layer["total_cycles"]);
    const Outcome outcome = sweep.run("--set job.sample=seldom", "other");
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("seldom: (allowed: yes, no)"));
}

TEST_CASE("a sweep of a decoder has the cycles and the energy of layer") {
    const TestSweep sweep(R"(
job: {kind: layer, model: qwen3.5-0.8b, tokens: 64}
axes:
  - {key: job.phase, values: [prefill, decode]}
  - {key: hardware.ai_cores, values: [8, 24]}
objectives: [{name: cycles, direction: min}, {name: energy_per_token_uj, direction: min}]
)");
    REQUIRE(sweep.run("-j 2").code == 0);
    const std::vector<json> records = records_in(sweep.folder());
    REQUIRE(records.size() == 4);
    for (const json& record : {record_of(records, 0), record_of(records, 3)}) {
        const json layer =
            json::parse(invoke("layer " + kAscend +
                               "-q -m qwen3.5-0.8b --tokens 64 --format json "
                               "--phase " +
                               record["axes"]["job.phase"].get<std::string>() +
                               " --set ai_cores=" + record["axes"]["hardware.ai_cores"].dump())
                            .out);
        CHECK(record["objectives"]["cycles"] == layer["total_cycles"]);
        CHECK(record["objectives"]["energy_per_token_uj"].get<double>() ==
              Approx(layer["energy_per_token_uj"].get<double>()).epsilon(1e-12));
    }
    for (const auto& [id, shares] : limits_of(sweep)) {
        CHECK(shares.at("launches") > 0);
    }
}

TEST_CASE("results of another version are refused, or left out where that is wanted") {
    const TestSweep sweep(kNine);
    REQUIRE(sweep.run().code == 0);
    age_first_line(sweep.folder() / "results-0.jsonl");
    for (const std::string& command : {std::string("sweep report"), std::string("sweep explain")}) {
        CHECK_THAT(refusal(command + sweep.words()),
                   Contains("holds results of version ") && Contains("0.0."));
    }
    CHECK_THAT(refusal("sweep" + sweep.words() + "--resume -q"),
               Contains("holds results of version 0.0."));
    CHECK(records_in(sweep.folder()).size() == 9);
    CHECK_THAT(refusal("sweep merge " + sweep.folder().string()), Contains("version"));
    CHECK_THAT(invoke("sweep report" + sweep.words() + "--ignore-other-versions").out,
               Contains("8 points evaluated of 9"));
    CHECK_THAT(sweep.run("--resume --ignore-other-versions").out,
               Contains("(1 now, 8 were there)"));
    CHECK(records_in(sweep.folder()).size() == 10);
    CHECK_THAT(invoke("sweep merge --ignore-other-versions " + sweep.folder().string()).out,
               Contains(": 10 points"));
}

TEST_CASE("another program chooses the points by ask and tell") {
    const TestSweep sweep(kNine + "sampler: {kind: ask_tell}\n");
    const fs::path err = sweep.path() / "err";
    Process process("sweep" + sweep.words() + "-q -j 2", err);
    const json space = json::parse(process.read_line().value_or("{}"));
    CHECK(space["objectives"] == json::parse(R"(["cycles", "energy_uj"])"));
    CHECK(space["axes"][0]["keys"] == json::parse(R"(["job.chunk"])"));
    // A walk down the first axis: each point is chosen by the cycles of the one before.
    std::vector<json> wanted{json{{"job.chunk", 32}, {"hardware.ai_cores", 24}}};
    std::map<std::string, json> scores;
    while (const std::optional<std::string> line = process.read_line()) {
        const json said = json::parse(*line);
        if (said.contains("ask")) {
            CHECK(said["ask"] >= 1);
            process.write_line(wanted.empty() && scores.size() == 2
                                   ? R"({"done": true})"
                                   : json{{"points", wanted}}.dump());
            wanted.clear();
            continue;
        }
        CHECK(said["status"] == "scored");
        scores[said["tell"].dump()] = said["score"];
        if (scores.size() == 1) {
            const int cores = said["score"][0] > 1 ? 8 : 4;
            wanted.push_back({{"job.chunk", 64}, {"hardware.ai_cores", cores}});
        }
    }
    CHECK(process.wait() == 0);
    CHECK(content(err).empty());
    const std::vector<json> records = records_in(sweep.folder());
    REQUIRE(records.size() == 2);
    REQUIRE(scores.size() == 2);
    for (const json& record : records) {
        const json& score = scores.at(record["axes"].dump());
        CHECK(score[0] == record["objectives"]["cycles"]);
        CHECK(score[1] == record["objectives"]["energy_uj"]);
    }
    CHECK(sorted_ids(records) == std::vector<int>{5, 7});

    Process wrong("sweep" + sweep.words() + "-q --resume", sweep.path() / "wrong");
    wrong.write_line(R"({"points": [{"job.chunk": 17, "hardware.ai_cores": 8}]})");
    CHECK(wrong.wait() == 2);
    CHECK_THAT(content(sweep.path() / "wrong"),
               Contains("ask/tell input, line 1: job.chunk: got 17 (allowed: 16, 32, 64)"));
}

TEST_CASE("NSGA-II stays within its budget and comes to the same points again") {
    const TestSweep sweep(R"(
job: {kind: inverse, kernel: inverse/neumann, count: 24, accuracy: no}
axes:
  - {key: job.chunk, values: [16, 32, 64, 128]}
  - {key: hardware.ai_cores, range: {from: 1, to: 24, step: 1}}
objectives: [{name: cycles, direction: min}, {name: area_mm2, direction: min}]
sampler: {kind: nsga2, population: 8, generations: 5}
)");
    const Outcome outcome = sweep.run("-j 2");
    if (outcome.err.find("without pagmo") != std::string::npos) {
        CHECK(outcome.code == 2);
        return;
    }
    CHECK(outcome.code == 0);
    const std::vector<int> all = sorted_ids(records_in(sweep.folder()));
    CHECK(all.size() > 8); // more than the first population
    CHECK(all.size() <= 48);
    CHECK(std::ranges::adjacent_find(all) == all.end());
    CHECK(sweep.run("", "again").code == 0);
    CHECK(sorted_ids(records_in(sweep.folder("again"))) == all);
    CHECK(sweep.run("-j 2 --set budget.points=9", "limited").code == 0);
    CHECK(records_in(sweep.folder("limited")).size() == 9);
    CHECK_THAT(refusal("sweep" + sweep.words("shard") + "--shard 1/2"),
               Contains("(allowed with --shard: grid, random, lhs)"));
}
