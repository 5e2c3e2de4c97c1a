// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/store.h"

#include <functional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace npusim::explore {

/// A cell of a table of records; std::monostate: empty.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string>;

/// The records of a folder as a table: see merge.h for its columns. Reads the folder once to find
/// these, and again for the rows.
class RecordTable {
  public:
    /// Throws as for_each_record.
    RecordTable(std::filesystem::path folder, ReadOptions options);

    [[nodiscard]] std::vector<std::string> columns() const;
    /// Gives the rows, each with a cell for every column.
    ReadSummary each_row(const std::function<void(const std::vector<Cell>&)>& use) const;

  private:
    [[nodiscard]] std::vector<Cell> row_of(const Record& record) const;

    std::filesystem::path folder_;
    ReadOptions options_;
    std::set<std::string> axes_;
    std::set<std::string> objectives_;
    std::set<std::string> metrics_;
};

} // namespace npusim::explore
