// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace npusim::app {

/// A table whose first column names the rows.
class Table {
  public:
    void row(std::string label, std::vector<std::string> cells) {
        rows_.push_back({std::move(label), std::move(cells)});
    }
    [[nodiscard]] std::string text() const {
        std::size_t label_width = 0;
        std::vector<std::size_t> widths;
        for (const Row& row : rows_) {
            label_width = std::max(label_width, row.label.size());
            widths.resize(std::max(widths.size(), row.cells.size()));
            for (std::size_t c = 0; c < row.cells.size(); ++c) {
                widths[c] = std::max(widths[c], row.cells[c].size());
            }
        }
        std::string text;
        for (const Row& row : rows_) {
            text += fmt::format("{:<{}}", row.label, label_width);
            for (std::size_t c = 0; c < row.cells.size(); ++c) {
                text += fmt::format("  {:>{}}", row.cells[c], widths[c]);
            }
            text += "\n";
        }
        return text;
    }

  private:
    struct Row {
        std::string label;
        std::vector<std::string> cells;
    };
    std::vector<Row> rows_;
};

} // namespace npusim::app
