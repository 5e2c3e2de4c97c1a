// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job.h"
#include "sim/app/study.h"
#include "sim/base/error.h"
#include "sim/base/number.h"
#include "sim/config/yaml_reader.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace npusim::app {

using config::YamlReader;

namespace {

constexpr std::size_t kMaxText = 2000; ///< bytes of any text of a study file

/// What the cells of a table may hold.
struct FigureSet {
    std::string_view name;
    std::vector<Figure> figures;
};
const std::array<FigureSet, 3> kFigureSets{{
    {"worst", {Figure::Worst}},
    {"median / worst", {Figure::Median, Figure::Worst}},
    {"SNR mean dB / SNR worst dB / non-finite %",
     {Figure::SnrMean, Figure::SnrWorst, Figure::NonFinite}},
}};

std::string trimmed(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = text.find_last_not_of(' ') + 1;
    return std::string(text.substr(begin, std::max(begin, end) - begin));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t at = std::min(text.find(separator), text.size());
        parts.push_back(trimmed(text.substr(0, at)));
        if (at == text.size()) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

Published parse_published(const std::string& text) {
    using Kind = Published::Kind;
    if (text == "none") {
        return {Kind::Nothing, 0, text};
    }
    if (text == "nf") {
        return {Kind::NonFinite, std::nan(""), text};
    }
    if (text == "exact") {
        return {Kind::About, 0, text};
    }
    constexpr std::string_view kAtMost = "at most ";
    constexpr std::string_view kAtLeast = "at least ";
    const Kind kind = text.starts_with(kAtMost)    ? Kind::AtMost
                      : text.starts_with(kAtLeast) ? Kind::AtLeast
                                                   : Kind::About;
    const std::string digits = text.substr(kind == Kind::AtMost    ? kAtMost.size()
                                           : kind == Kind::AtLeast ? kAtLeast.size()
                                                                   : 0);
    const auto value = number_from<double>(digits);
    if (!value) {
        throw ConfigError(fmt::format(
            "'{}' (allowed: a number, at most or at least a number, exact, nf, none)", text));
    }
    return {kind, *value, text};
}

/// The figures of a cell, between slashes; the last stands for those that are missing.
std::vector<Published> parse_cell(const std::string& text, std::size_t figures) {
    const std::vector<std::string> parts = split(text, '/');
    if (parts.size() > figures) {
        throw ConfigError(fmt::format("'{}' (allowed: {} figures)", text, figures));
    }
    std::vector<Published> cell;
    for (std::size_t f = 0; f < figures; ++f) {
        cell.push_back(parse_published(parts[std::min(f, parts.size() - 1)]));
    }
    return cell;
}

void optional_text(YamlReader& io, std::string_view key, std::string& out) {
    if (io.has(key)) {
        io.text(key, out, kMaxText);
    }
}

std::vector<Cell> parse_cells(const std::string& text, const Block& block) {
    const std::vector<std::string> parts = split(text, '|');
    if (parts.size() != block.columns.size()) {
        throw ConfigError(
            fmt::format("{} cells (allowed: {})", parts.size(), block.columns.size()));
    }
    std::vector<Cell> cells;
    cells.reserve(parts.size());
    for (const std::string& part : parts) {
        cells.push_back({parse_cell(part, block.figures.size())});
    }
    return cells;
}

const std::string& kernel_of(const Study& study, const std::string& setting) {
    const auto method = std::ranges::find(study.methods, setting, &Method::setting);
    if (method == study.methods.end()) {
        throw ConfigError(fmt::format("'{}' is none of the methods", setting));
    }
    return method->kernel;
}

/// Block, column or row names the input of a cell, and only one of them.
void check_input(const Block& block, const Row& row) {
    for (const Column& column : block.columns) {
        const std::array inputs{block.input, column.input, row.input};
        if (std::ranges::count(inputs, std::string()) != 2) {
            throw ConfigError(fmt::format("column {}: one of block, column and row names the input",
                                          column.name));
        }
    }
}

} // namespace

static void describe(YamlReader& io, Column& column) {
    io.text("column", column.name, kMaxText);
    io.text("format", column.format, kMaxText);
    optional_text(io, "parameters", column.parameters);
    optional_text(io, "input", column.input);
}

static void describe(YamlReader& io, Method& method) {
    io.text("setting", method.setting, kMaxText);
    io.text("kernel", method.kernel, kMaxText);
}

static void describe(YamlReader& io, Row& row) {
    optional_text(io, "input", row.input);
    io.text("setting", row.setting, kMaxText);
    io.text("published", row.published, kMaxText);
}

static void describe(YamlReader& io, Claim& claim) {
    std::string low;
    std::string high;
    io.text("claim", claim.text, kMaxText);
    io.text("column", claim.column, kMaxText);
    io.choice("figure", claim.figure, kFigureNames);
    io.text("low", low, kMaxText);
    io.text("high", high, kMaxText);
    if (io.has("margin")) {
        io.real("margin", claim.margin, {-1000, 1000});
    }
    claim.low = split(low, '|');
    claim.high = split(high, '|');
}

static void describe(YamlReader& io, Block& block) {
    std::array<std::string_view, kFigureSets.size()> names;
    std::ranges::transform(kFigureSets, names.begin(), &FigureSet::name);
    std::size_t figures = 0;
    io.text("title", block.title, kMaxText);
    optional_text(io, "note", block.note);
    optional_text(io, "input", block.input);
    io.integer("chunk", block.chunk, {16, 128});
    io.choice("figures", figures, names);
    io.list("columns", block.columns);
    io.list("rows", block.rows);
    if (io.has("claims")) {
        io.list("claims", block.claims);
    }
    block.figures = kFigureSets[figures].figures;
}

Study load_study(const std::filesystem::path& file) {
    const config::YamlNode root = config::parse_yaml_file(file);
    config::Faults faults(file);
    Study study{file.stem(), {}, {}, {}};
    YamlReader io(root, "", faults);
    io.text("source", study.source, kMaxText);
    io.list("methods", study.methods);
    io.list("blocks", study.blocks);
    io.finish();
    faults.throw_if_any();

    const auto at = [&](const std::string& path, const auto& resolve) {
        try {
            resolve();
        } catch (const ConfigError& error) {
            const std::string place = config::where(file, root.find_path(path)->origin);
            throw ConfigError(fmt::format("{}: {}: {}", place, path, error.what()));
        }
    };
    for (std::size_t m = 0; m < study.methods.size(); ++m) {
        at(fmt::format("methods.{}.kernel", m),
           [&] { parse_request(study.methods[m].kernel, {}); });
    }
    for (std::size_t b = 0; b < study.blocks.size(); ++b) {
        Block& block = study.blocks[b];
        for (std::size_t r = 0; r < block.rows.size(); ++r) {
            const std::string path = fmt::format("blocks.{}.rows.{}", b, r);
            Row& row = block.rows[r];
            at(path + ".setting", [&] { row.kernel = kernel_of(study, row.setting); });
            at(path + ".published", [&] { row.cells = parse_cells(row.published, block); });
            at(path, [&] { check_input(block, row); });
        }
        for (std::size_t c = 0; c < block.claims.size(); ++c) {
            at(fmt::format("blocks.{}.claims.{}", b, c), [&] { holds(block, block.claims[c]); });
        }
    }
    return study;
}

} // namespace npusim::app
