// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/merge.h"

#include "sim/base/error.h"
#include "sim/explore/record_table.h"

#include <fmt/format.h>
#include <fstream>
#include <type_traits>

namespace npusim::explore {

namespace {

/// Quoted where RFC 4180 asks for it.
std::string csv_text(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c;
        if (c == '"') {
            quoted += c;
        }
    }
    return quoted + '"';
}

std::string csv_cell(const Cell& cell) {
    return std::visit(
        [](const auto& value) -> std::string {
            using T = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::monostate>) {
                return "";
            } else {
                return csv_text(fmt::format("{}", value));
            }
        },
        cell);
}

template <class Cells, class Show>
void write_csv_line(std::ostream& out, const Cells& cells, Show show) {
    std::string_view separator;
    for (const auto& cell : cells) {
        out << separator << show(cell);
        separator = ",";
    }
    out << '\n';
}

/// Lets `write` fill a file, which appears whole or not at all.
template <class Write> ReadSummary write_file(const std::filesystem::path& file, Write write) {
    std::filesystem::path partial = file;
    partial += ".partial";
    std::ofstream out(partial, std::ios::binary);
    ReadSummary summary;
    std::error_code error;
    try {
        summary = write(out);
        out.close();
    } catch (...) {
        std::filesystem::remove(partial, error);
        throw;
    }
    if (out) {
        std::filesystem::rename(partial, file, error);
    }
    if (!out || error) {
        throw ConfigError(fmt::format("{}: cannot write to this file", file.string()));
    }
    return summary;
}

} // namespace

ReadSummary merge_to_csv(const std::filesystem::path& folder,
                         const ReadOptions& options,
                         const std::filesystem::path& file) {
    const RecordTable table(folder, options);
    return write_file(file, [&](std::ostream& out) {
        write_csv_line(out, table.columns(), csv_text);
        return table.each_row(
            [&](const std::vector<Cell>& row) { write_csv_line(out, row, csv_cell); });
    });
}

ReadSummary merge_to_jsonl(const std::filesystem::path& folder,
                           const ReadOptions& options,
                           const std::filesystem::path& file) {
    return write_file(file, [&](std::ostream& out) {
        return for_each_record(
            folder, options, [&](const Record& record) { out << to_line(record) << '\n'; });
    });
}

} // namespace npusim::explore
