// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/record_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <optional>
#include <utility>

namespace npusim::explore {

namespace {

constexpr std::array<std::string_view, 6> kFixedColumns{
    "id", "hash", "version", "status", "message", "seconds"};

std::string column_of(const std::string& result) {
    const bool is_taken = std::ranges::find(kFixedColumns, result) != kFixedColumns.end();
    return is_taken ? "result." + result : result;
}

template <class Map> void add_keys(std::set<std::string>& keys, const Map& map) {
    for (const auto& entry : map) {
        keys.insert(entry.first);
    }
}

Cell result_cell(const std::optional<double>& result) {
    return result && std::isfinite(*result) ? Cell(*result) : Cell();
}

Cell axis_cell(const Settings& axes, const std::string& key) {
    const auto setting = axes.find(key);
    return setting == axes.end()
               ? Cell()
               : std::visit([](const auto& value) { return Cell(value); }, setting->second);
}

} // namespace

RecordTable::RecordTable(std::filesystem::path folder, ReadOptions options)
    : folder_(std::move(folder)), options_(std::move(options)) {
    for_each_record(folder_, options_, [&](const Record& record) {
        add_keys(axes_, record.axes);
        add_keys(objectives_, record.objectives);
        add_keys(metrics_, record.metrics);
    });
    for (const std::string& objective : objectives_) { // of another run it may have been a metric
        metrics_.erase(objective);
    }
}

std::vector<std::string> RecordTable::columns() const {
    std::vector<std::string> columns(kFixedColumns.begin(), kFixedColumns.end());
    columns.insert(columns.end(), axes_.begin(), axes_.end());
    for (const std::set<std::string>* results : {&objectives_, &metrics_}) {
        std::ranges::transform(*results, std::back_inserter(columns), column_of);
    }
    return columns;
}

ReadSummary RecordTable::each_row(const std::function<void(const std::vector<Cell>&)>& use) const {
    return for_each_record(folder_, options_, [&](const Record& record) { use(row_of(record)); });
}

std::vector<Cell> RecordTable::row_of(const Record& record) const {
    std::vector<Cell> row{static_cast<std::int64_t>(record.id),
                          fmt::format("{:016x}", record.hash),
                          record.version,
                          std::string(to_string(record.status)),
                          record.message,
                          record.seconds};
    for (const std::string& key : axes_) {
        row.push_back(axis_cell(record.axes, key));
    }
    for (const std::set<std::string>* results : {&objectives_, &metrics_}) {
        for (const std::string& name : *results) {
            row.push_back(result_cell(record.result(name)));
        }
    }
    return row;
}

} // namespace npusim::explore
