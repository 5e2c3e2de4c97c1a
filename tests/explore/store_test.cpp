// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/store.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <csignal>
#include <sys/wait.h>

namespace npusim::explore {
namespace {

using test::Folder;

Record
record_of(std::uint64_t hash, Status status = Status::Done, const std::string& version = "1") {
    return {.id = hash % 100,
            .hash = hash,
            .version = version,
            .axes = {{"job.chunk", std::int64_t{64}}, {"job.kernel", "a \"b\"\n"}, {"job.x", 0.1}},
            .status = status,
            .objectives = {{"cycles", 1234.5}},
            .metrics = {{"area", 1e-300}},
            .message = "",
            .seconds = 0.25};
}

/// Of the records as for_each_record gives them; read_records gives the same.
std::vector<std::uint64_t> hashes_in(const Folder& folder, const ReadOptions& options = {}) {
    std::vector<std::uint64_t> hashes;
    std::vector<std::string> lines;
    for_each_record(folder.path(), options, [&](const Record& record) {
        hashes.push_back(record.hash);
        lines.push_back(to_line(record));
    });
    std::vector<std::string> at_once;
    for (const Record& record : read_records(folder.path(), options)) {
        at_once.push_back(to_line(record));
    }
    CHECK(at_once == lines);
    return hashes;
}

} // namespace

TEST_CASE("records: a line reads back as the same record") {
    Record record = record_of(0xfedcba9876543210, Status::Timeout);
    record.message = "took\tlong";
    const std::string line = to_line(record);
    CHECK(line.find('\n') == std::string::npos);
    const std::optional<Record> back = parse_record(line);
    REQUIRE(back);
    CHECK(back->hash == record.hash);
    CHECK(back->axes == record.axes);
    CHECK(back->status == Status::Timeout);
    CHECK(back->objectives == record.objectives);
    CHECK(back->metrics == record.metrics);
    CHECK(back->message == record.message);
    CHECK(to_line(*back) == line);
    CHECK(record.results().size() == 2);
    CHECK(record.result("cycles") == 1234.5);
    CHECK(record.result("area") == 1e-300);
    CHECK_FALSE(record.result("error"));
}

TEST_CASE("records: results that are not finite, texts that are not UTF-8") {
    Record record = record_of(1);
    record.objectives["cycles"] = std::numeric_limits<double>::infinity();
    record.message = "\xff";
    const std::optional<Record> back = parse_record(to_line(record));
    REQUIRE(back);
    CHECK(std::isnan(back->objectives.at("cycles")));
}

TEST_CASE("records: no beginning of a line is a record") {
    const std::string line = to_line(record_of(7));
    for (std::size_t length = 0; length < line.size(); ++length) {
        CHECK_FALSE(parse_record(line.substr(0, length)));
    }
    CHECK_FALSE(parse_record("{}"));
    CHECK_FALSE(parse_record("[1]"));
}

TEST_CASE("store: what several writers added comes back once each") {
    const Folder folder;
    RecordFile a(folder.path(), "0");
    RecordFile b(folder.path(), "1");
    a.add(record_of(1));
    b.add(record_of(2));
    a.add(record_of(3));
    b.add(record_of(1)); // doubled
    folder.write("notes.jsonl", "not of ours\n");
    CHECK(hashes_in(folder) == std::vector<std::uint64_t>{1, 3, 2});
    const ReadSummary summary = for_each_record(folder.path(), {}, [](const Record&) {});
    CHECK(summary.records == 3);
    CHECK(summary.doubled == 1);
    CHECK(summary.torn == 0);
    CHECK(hashes_in(folder).size() == read_records(folder.path(), {}).size());
    CHECK(read_records(folder / "nowhere", {}).empty());
}

TEST_CASE("store: of records of one point the one that is done counts") {
    const Folder folder;
    RecordFile file(folder.path(), "0");
    file.add(record_of(1, Status::Crashed));
    file.add(record_of(1, Status::Done));
    file.add(record_of(1, Status::Failed));
    const std::vector<Record> records = read_records(folder.path(), {});
    REQUIRE(records.size() == 1);
    CHECK(records[0].status == Status::Done);
}

TEST_CASE(
    "store: a record stands where its line does: of one point the first done, else the first") {
    const Folder folder;
    RecordFile a(folder.path(), "0");
    RecordFile b(folder.path(), "1");
    a.add(record_of(1, Status::Failed));
    a.add(record_of(2, Status::Crashed));
    a.add(record_of(3));
    a.add(record_of(2, Status::Timeout));
    b.add(record_of(4, Status::Failed));
    b.add(record_of(1)); // comes after those of the first file
    b.add(record_of(3));
    b.add(record_of(1));
    CHECK(hashes_in(folder) == std::vector<std::uint64_t>{2, 3, 4, 1});
    const std::vector<Record> records = read_records(folder.path(), {});
    REQUIRE(records.size() == 4);
    CHECK(records[0].status == Status::Crashed);
    CHECK(records[3].status == Status::Done);
    const ReadSummary summary = for_each_record(folder.path(), {}, [](const Record&) {});
    CHECK(summary.records == 4);
    CHECK(summary.doubled == 4);
}

TEST_CASE("store: a torn line loses itself alone, and the next writer closes it") {
    const Folder folder;
    RecordFile(folder.path(), "0").add(record_of(1));
    const std::string whole = test::text_of(folder / "results-0.jsonl");
    for (std::size_t cut = 1; cut < whole.size(); cut += 7) {
        folder.write("results-0.jsonl", whole + whole.substr(0, cut));
        CHECK(hashes_in(folder).size() == 1);
        RecordFile(folder.path(), "0").add(record_of(2));
        CHECK(hashes_in(folder) == std::vector<std::uint64_t>{1, 2});
        CHECK(for_each_record(folder.path(), {}, [](const Record&) {}).torn == 1);
    }
}

TEST_CASE("store: what is added while records are read is not there yet") {
    const Folder folder;
    RecordFile first(folder.path(), "0");
    RecordFile last(folder.path(), "1");
    first.add(record_of(1));
    first.add(record_of(2));
    last.add(record_of(3));
    std::vector<std::uint64_t> hashes;
    const ReadSummary summary = for_each_record(folder.path(), {}, [&](const Record& record) {
        hashes.push_back(record.hash);
        first.add(record_of(10 + record.hash));
        last.add(record_of(20 + record.hash));
        RecordFile(folder.path(), "2").add(record_of(30 + record.hash));
    });
    CHECK(hashes == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(summary.records == 3);
    CHECK(hashes_in(folder).size() == 12);
}

TEST_CASE("store: versions are not mixed silently") {
    const Folder folder;
    RecordFile file(folder.path(), "0");
    file.add(record_of(1, Status::Done, "0.1"));
    CHECK(hashes_in(folder, {"0.1"}).size() == 1);
    CHECK_THROWS_WITH(hashes_in(folder, {"0.2"}),
                      Catch::Contains("holds results of version 0.1 beside those of 0.2; use "
                                      "another folder, or ask"));
    CHECK_THROWS_AS(read_records(folder.path(), {"0.2"}), ConfigError);
    CHECK(hashes_in(folder, {"0.2", true}).empty());
    file.add(record_of(1, Status::Done, "0.2"));
    file.add(record_of(2, Status::Done, "0.2"));
    CHECK_THROWS_AS(hashes_in(folder), ConfigError);
    CHECK_THROWS_AS(read_records(folder.path(), {}), ConfigError);
    CHECK(hashes_in(folder, {{}, true}).size() == 3);
    CHECK(hashes_in(folder, {"0.2", true}) == std::vector<std::uint64_t>{1, 2});
    CHECK(for_each_record(folder.path(), {"0.2", true}, [](const Record&) {}).others == 1);
}

TEST_CASE("store: one process at a time, and the other is named") {
    const Folder folder;
    {
        const FolderLock lock(folder / "made" / "deep");
        CHECK_THROWS_WITH(FolderLock(folder / "made" / "deep"),
                          Catch::Contains(fmt::format("in use by process {} on ", ::getpid())));
    }
    const FolderLock again(folder / "made" / "deep");
}

TEST_CASE("store: parts of a folder exclude the whole and themselves, not each other") {
    const Folder folder;
    {
        const FolderLock first(folder / "out", "1of2-");
        const FolderLock second(folder / "out", "2of2-");
        CHECK_THROWS_WITH(FolderLock(folder / "out", "2of2-"), Catch::Contains("in use by"));
        CHECK_THROWS_WITH(FolderLock(folder / "out"), Catch::Contains("in use by"));
    }
    const FolderLock whole(folder / "out");
    CHECK_THROWS_WITH(FolderLock(folder / "out", "1of2-"), Catch::Contains("in use by process"));
}

TEST_CASE("store: a writer killed at any moment leaves whole lines, but for the last") {
    for (int round = 0; round < 10; ++round) {
        const Folder folder;
        const pid_t writer = ::fork();
        REQUIRE(writer >= 0);
        if (writer == 0) {
            RecordFile file(folder.path(), "0");
            for (std::uint64_t hash = 0;; ++hash) {
                file.add(record_of(hash));
            }
        }
        while (!std::filesystem::exists(folder / "results-0.jsonl")) {
            ::usleep(100);
        }
        ::usleep(static_cast<useconds_t>(1000 + 777 * round));
        ::kill(writer, SIGKILL);
        ::waitpid(writer, nullptr, 0);
        const std::vector<std::uint64_t> hashes = hashes_in(folder);
        CHECK(for_each_record(folder.path(), {}, [](const Record&) {}).torn <= 1);
        for (std::uint64_t hash = 0; hash < hashes.size(); ++hash) {
            REQUIRE(hashes[hash] == hash);
        }
    }
}

} // namespace npusim::explore
