// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/merge.h"
#include "tests/explore/folder.h"
#include "tests/support/catch.hpp"

#include <cmath>
#include <memory>
#ifdef NPUSIM_SQLITE
#include <sqlite3.h>
#endif

namespace npusim::explore {
namespace {

using test::Folder;

/// Two points: one done, one failed with a message that needs quotes.
void fill(const Folder& folder) {
    RecordFile file(folder.path(), "0");
    file.add({.id = 3,
              .hash = 0xab,
              .version = "1",
              .axes = {{"job.n", std::int64_t{64}}, {"job.kernel", "a,b"}},
              .objectives = {{"cycles", 1200}, {"error", std::nan("")}},
              .metrics = {{"area", 0.1}, {"seconds", 7}},
              .seconds = 0.5});
    file.add({.id = 4,
              .hash = 0xac,
              .version = "1",
              .axes = {{"job.n", 0.5}, {"job.kernel", "c"}},
              .status = Status::Failed,
              .message = "no \"x\"\nhere"});
}

} // namespace

TEST_CASE("merge: CSV with all columns, quoted where needed") {
    const Folder folder;
    fill(folder);
    const ReadSummary summary = merge_to_csv(folder.path(), {}, folder / "all.csv");
    CHECK(summary.records == 2);
    CHECK(test::text_of(folder / "all.csv") ==
          "id,hash,version,status,message,seconds,job.kernel,job.n,cycles,error,area,"
          "result.seconds\n"
          "3,00000000000000ab,1,done,,0.5,\"a,b\",64,1200,,0.1,7\n"
          "4,00000000000000ac,1,failed,\"no \"\"x\"\"\nhere\",0,c,0.5,,,,\n");
}

TEST_CASE("merge: JSONL holds the same records, each once") {
    const Folder folder;
    fill(folder);
    RecordFile(folder.path(), "1").add(read_records(folder.path(), {}).front());
    CHECK(merge_to_jsonl(folder.path(), {}, folder / "all.jsonl").doubled == 1);
    CHECK(test::text_of(folder / "all.jsonl") == test::text_of(folder / "results-0.jsonl"));
}

TEST_CASE("merge: a file that cannot be written, versions that do not mix") {
    const Folder folder;
    fill(folder);
    CHECK_THROWS_AS(merge_to_csv(folder.path(), {}, folder / "no" / "all.csv"), ConfigError);
    CHECK_THROWS_AS(merge_to_csv(folder.path(), {"2"}, folder / "all.csv"), ConfigError);
}

#ifdef NPUSIM_SQLITE
TEST_CASE("merge: SQLite answers a query, and a second merge replaces the first") {
    const Folder folder;
    fill(folder);
    merge_to_sqlite(folder.path(), {}, folder / "all.db");
    CHECK(merge_to_sqlite(folder.path(), {}, folder / "all.db").records == 2);

    sqlite3* opened = nullptr;
    REQUIRE(::sqlite3_open((folder / "all.db").c_str(), &opened) == SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&::sqlite3_close)> database(opened, &::sqlite3_close);
    std::vector<std::string> cells;
    const auto collect = [](void* out, int count, char** values, char**) {
        for (int i = 0; i < count; ++i) {
            static_cast<std::vector<std::string>*>(out)->emplace_back(
                values[i] == nullptr ? "NULL" : values[i]);
        }
        return 0;
    };
    REQUIRE(::sqlite3_exec(opened,
                           "SELECT id, \"job.n\", \"job.kernel\", cycles, error, message FROM "
                           "points ORDER BY id",
                           collect,
                           &cells,
                           nullptr) == SQLITE_OK);
    CHECK(cells == std::vector<std::string>{"3",
                                            "64",
                                            "a,b",
                                            "1200.0",
                                            "NULL",
                                            "",
                                            "4",
                                            "0.5",
                                            "c",
                                            "NULL",
                                            "NULL",
                                            "no \"x\"\nhere"});
    CHECK_THROWS_AS(merge_to_sqlite(folder.path(), {}, folder / "no" / "all.db"), ConfigError);
}
#else
TEST_CASE("merge: SQLite says what to do if it is not built in") {
    const Folder folder;
    CHECK_THROWS_WITH(merge_to_sqlite(folder.path(), {}, folder / "all.db"),
                      Catch::Contains("libsqlite3-dev"));
}
#endif

} // namespace npusim::explore
