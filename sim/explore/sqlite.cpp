// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/explore/merge.h"

#ifdef NPUSIM_SQLITE
#include "sim/explore/record_table.h"

#include <fmt/format.h>
#include <memory>
#include <sqlite3.h>
#include <string_view>
#include <type_traits>
#endif

namespace npusim::explore {

#ifdef NPUSIM_SQLITE

namespace {

/// A name between the quotes of SQL.
std::string quoted(const std::string& name) {
    std::string text = "\"";
    for (const char c : name) {
        text += c == '"' ? std::string(2, c) : std::string(1, c);
    }
    return text + '"';
}

/// A data base file that is written anew.
class Database {
  public:
    explicit Database(const std::filesystem::path& file) : file_(file) {
        std::filesystem::remove(file);
        sqlite3* opened = nullptr;
        const int code = ::sqlite3_open(file.c_str(), &opened);
        handle_.reset(opened);
        check(code);
    }

    void run(const std::string& sql) {
        check(::sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
    }
    void prepare_insert(std::size_t columns) {
        const std::string sql =
            fmt::format("INSERT INTO points VALUES ({})",
                        join(std::vector<std::string_view>(columns, "?"), ", "));
        sqlite3_stmt* statement = nullptr;
        check(::sqlite3_prepare_v2(handle_.get(), sql.c_str(), -1, &statement, nullptr));
        insert_.reset(statement);
    }
    void insert(const std::vector<Cell>& row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            check(bind(static_cast<int>(i) + 1, row[i]));
        }
        if (const int code = ::sqlite3_step(insert_.get()); code != SQLITE_DONE) {
            check(code);
        }
        check(::sqlite3_reset(insert_.get()));
    }

  private:
    void check(int code) const {
        if (code != SQLITE_OK) {
            throw ConfigError(
                fmt::format("{}: {}", file_.string(), ::sqlite3_errmsg(handle_.get())));
        }
    }
    int bind(int place, const Cell& cell) {
        return std::visit(
            [&](const auto& value) {
                using T = std::decay_t<decltype(value)>;
                if constexpr (std::is_same_v<T, std::int64_t>) {
                    return ::sqlite3_bind_int64(insert_.get(), place, value);
                } else if constexpr (std::is_same_v<T, double>) {
                    return ::sqlite3_bind_double(insert_.get(), place, value);
                } else if constexpr (std::is_same_v<T, std::string>) {
                    // Without a destructor: the row outlives the step.
                    return ::sqlite3_bind_text(insert_.get(),
                                               place,
                                               value.data(),
                                               static_cast<int>(value.size()),
                                               nullptr);
                } else {
                    return ::sqlite3_bind_null(insert_.get(), place);
                }
            },
            cell);
    }

    struct Close {
        void operator()(sqlite3* handle) const { ::sqlite3_close(handle); }
        void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
    };
    std::filesystem::path file_;
    std::unique_ptr<sqlite3, Close> handle_;
    std::unique_ptr<sqlite3_stmt, Close> insert_;
};

} // namespace

ReadSummary merge_to_sqlite(const std::filesystem::path& folder,
                            const ReadOptions& options,
                            const std::filesystem::path& file) {
    const RecordTable table(folder, options);
    std::vector<std::string> columns;
    for (const std::string& column : table.columns()) {
        columns.push_back(quoted(column));
    }
    Database database(file);
    database.run(fmt::format("CREATE TABLE points ({})", join(columns, ", ")));
    database.prepare_insert(columns.size());
    database.run("BEGIN");
    const ReadSummary summary =
        table.each_row([&](const std::vector<Cell>& row) { database.insert(row); });
    database.run("COMMIT");
    return summary;
}

#else

ReadSummary
merge_to_sqlite(const std::filesystem::path&, const ReadOptions&, const std::filesystem::path&) {
    throw ConfigError("merge to SQLite: this program was built without SQLite; install "
                      "libsqlite3-dev and build it again, or merge to CSV");
}

#endif

} // namespace npusim::explore
