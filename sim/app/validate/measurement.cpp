// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/measurement.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/number.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string_view>

namespace npusim::app {

namespace {

using Cells = std::vector<std::string>;

/// Cuts comma-separated text into rows (RFC 4180: a cell in quotes may hold commas, line ends and
/// doubled quotes). `lines` tells on which line each row starts.
class CsvReader {
  public:
    explicit CsvReader(std::string_view text) : text_(text) {}

    /// The next row, or nullopt at the end.
    std::optional<Cells> row() {
        if (at_ >= text_.size()) {
            return std::nullopt;
        }
        line_of_row_ = line_;
        Cells cells{""};
        for (bool quoted = false; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            line_ += c == '\n' ? 1 : 0;
            if (c == '"') {
                if (quoted && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
                    cells.back() += text_[at_++];
                } else {
                    quoted = !quoted;
                }
            } else if (c == ',' && !quoted) {
                cells.emplace_back();
            } else if (c == '\n' && !quoted) {
                ++at_;
                break;
            } else if (c != '\r' || quoted) {
                cells.back() += c;
            }
        }
        return cells;
    }
    /// Where the last row starts, from 1.
    [[nodiscard]] int line() const { return line_of_row_; }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 1;
    int line_of_row_ = 1;
};

/// A column and where its text goes.
struct TextColumn {
    std::string_view name;
    std::string Measurement::*field;
};
constexpr std::array kTexts{
    TextColumn{"id", &Measurement::id},
    TextColumn{"platform", &Measurement::platform},
    TextColumn{"kernel", &Measurement::kernel},
    TextColumn{"algorithm", &Measurement::algorithm},
    TextColumn{"dtype", &Measurement::dtype},
    TextColumn{"shape_note", &Measurement::shape_note},
    TextColumn{"timing", &Measurement::timing},
    TextColumn{"kind", &Measurement::kind},
    TextColumn{"source_repo", &Measurement::source},
    TextColumn{"note", &Measurement::note},
    TextColumn{"group", &Measurement::group},
};

struct IntegerColumn {
    std::string_view name;
    std::optional<std::int64_t> Measurement::*field;
};
constexpr std::array kIntegers{
    IntegerColumn{"B", &Measurement::b},
    IntegerColumn{"H", &Measurement::h},
    IntegerColumn{"Hg", &Measurement::hg},
    IntegerColumn{"T", &Measurement::t},
    IntegerColumn{"D", &Measurement::d},
    IntegerColumn{"chunk", &Measurement::chunk},
    IntegerColumn{"M", &Measurement::m},
    IntegerColumn{"N", &Measurement::n},
    IntegerColumn{"K", &Measurement::k},
    IntegerColumn{"batch", &Measurement::batch},
    IntegerColumn{"n_elems", &Measurement::elements},
    IntegerColumn{"cores", &Measurement::cores},
};

struct RealColumn {
    std::string_view name;
    std::optional<double> Measurement::*field;
};
constexpr std::array kReals{
    RealColumn{"measured_us", &Measurement::us},
    RealColumn{"measured_GBps", &Measurement::gbps},
    RealColumn{"TFLOPs", &Measurement::tflops},
    RealColumn{"measured_cycles", &Measurement::cycles},
    RealColumn{"derived_us", &Measurement::derived_us},
};
constexpr std::array<std::string_view, 4> kRequired{"id", "platform", "kernel", "algorithm"};

/// The header row, and the cells of the others by its names.
class Columns {
  public:
    Columns(Cells header, std::string path) : header_(std::move(header)), path_(std::move(path)) {
        for (const std::string_view name : kRequired) {
            if (std::ranges::find(header_, name) == header_.end()) {
                throw ConfigError(fmt::format(
                    "{}:1: no column '{}' (there are: {})", path_, name, join(header_, ", ")));
            }
        }
    }

    Measurement read(const Cells& cells, int line) const {
        if (cells.size() != header_.size()) {
            throw ConfigError(fmt::format("{}:{}: {} cells where the header has {}",
                                          path_,
                                          line,
                                          cells.size(),
                                          header_.size()));
        }
        Measurement row;
        for (const TextColumn& column : kTexts) {
            row.*column.field = std::string(cell(cells, column.name));
        }
        for (const IntegerColumn& column : kIntegers) {
            row.*column.field = number<std::int64_t>(cells, column.name, line);
        }
        for (const RealColumn& column : kReals) {
            row.*column.field = number<double>(cells, column.name, line);
        }
        if (!row.us && !row.gbps && !row.tflops && !row.cycles && !row.derived_us) {
            throw ConfigError(fmt::format("{}:{}: row '{}' has no measured value (one of {})",
                                          path_,
                                          line,
                                          row.id,
                                          "measured_us, measured_GBps, TFLOPs, measured_cycles"));
        }
        return row;
    }

  private:
    [[nodiscard]] std::string_view cell(const Cells& cells, std::string_view name) const {
        const auto at = std::ranges::find(header_, name);
        return at == header_.end() ? std::string_view{}
                                   : cells[static_cast<std::size_t>(at - header_.begin())];
    }
    template <class Number>
    std::optional<Number> number(const Cells& cells, std::string_view name, int line) const {
        const std::string_view text = cell(cells, name);
        if (text.empty()) {
            return std::nullopt;
        }
        const auto value = number_from<Number>(text);
        if (!value || !(*value > 0)) {
            throw ConfigError(
                fmt::format("{}:{}: column '{}': got '{}' (allowed: a positive number or nothing)",
                            path_,
                            line,
                            name,
                            text));
        }
        return value;
    }

    Cells header_;
    std::string path_;
};

} // namespace

bool device_timed(const Measurement& row) {
    return row.timing.find("host") == std::string::npos &&
           row.timing.find("end to end") == std::string::npos;
}

std::vector<Measurement> read_measurements(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
        throw ConfigError(path + ": cannot read the table");
    }
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    CsvReader reader(text);
    std::optional<Cells> cells = reader.row();
    if (!cells) {
        throw ConfigError(path + ":1: the table is empty");
    }
    const Columns columns(*cells, path);
    std::vector<Measurement> rows;
    while ((cells = reader.row())) {
        if (cells->size() > 1 || !cells->front().empty()) {
            rows.push_back(columns.read(*cells, reader.line()));
        }
    }
    return rows;
}

} // namespace npusim::app
