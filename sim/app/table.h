// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

/// A table whose first column names the rows. The first `left` columns are aligned to the left, the
/// others to the right.
class Table {
  public:
    explicit Table(std::size_t left = 1) : left_(left) {}

    void row(std::string label, std::vector<std::string> cells) {
        cells.insert(cells.begin(), std::move(label));
        rows_.push_back(std::move(cells));
    }
    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> widths;
        for (const auto& row : rows_) {
            widths.resize(std::max(widths.size(), row.size()));
            for (std::size_t c = 0; c < row.size(); ++c) {
                widths[c] = std::max(widths[c], row[c].size());
            }
        }
        std::string text;
        for (const auto& row : rows_) {
            for (std::size_t c = 0; c < row.size(); ++c) {
                text += c == 0 ? "" : "  ";
                text += c < left_ ? fmt::format("{:<{}}", row[c], widths[c])
                                  : fmt::format("{:>{}}", row[c], widths[c]);
            }
            text.resize(text.find_last_not_of(' ') + 1);
            text += "\n";
        }
        return text;
    }

  private:
    std::size_t left_;
    std::vector<std::vector<std::string>> rows_;
};

} // namespace npusim::app
