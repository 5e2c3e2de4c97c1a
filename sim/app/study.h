// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/accuracy.h"
#include "sim/config/hardware.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::app {

/// A number that stands in a table of accuracies. Errors are relative Frobenius errors.
enum class Figure : std::uint8_t { Median, Worst, SnrMean, SnrWorst, NonFinite };
inline constexpr std::array<std::string_view, 5> kFigureNames{
    "median", "worst", "SNR mean dB", "SNR worst dB", "non-finite %"};
constexpr std::string_view name_of(Figure figure) {
    return kFigureNames[static_cast<std::size_t>(figure)];
}

/// `figure` of `accuracy`: an error, dB, or a share in per cent. NaN if no matrix is finite.
double value_of(Figure figure, const inverse::Accuracy& accuracy);

/// What a publication says about one figure.
struct Published {
    enum class Kind : std::uint8_t {
        Nothing,   ///< `none`
        About,     ///< a number, or `exact` for 0
        AtMost,    ///< `at most 2e-7`
        AtLeast,   ///< `at least 1`
        NonFinite, ///< `nf`: of every matrix
    };
    Kind kind = Kind::Nothing;
    double value = 0;
    std::string text;
};

/// In place of a format: the column repeats a publication, there is nothing to run.
inline constexpr std::string_view kQuoted = "quoted";

/// What a column of a table has that others have not.
struct Column {
    std::string name;
    std::string format;     ///< `fp64` (the recipe in double precision), a dtype or `quoted`
    std::string parameters; ///< of the kernels, after those of the row
    std::string input;      ///< as of `--input`, where the rows name none
};

struct Cell {
    std::vector<Published> published;        ///< by figure of the table
    std::optional<inverse::Accuracy> ours{}; ///< absent where the format cannot be run
};

struct Row {
    std::string input;   ///< where the columns and the block name none
    std::string setting; ///< how the publication calls the method
    std::string published;
    std::string kernel{};      ///< as of `-k`, from the study's methods
    std::vector<Cell> cells{}; ///< by column
};

/// In `column`, `figure` of each setting of `high` is above that of each of `low`, by `margin`.
struct Claim {
    std::string text;
    std::string column;
    Figure figure = Figure::Worst;
    std::vector<std::string> low;
    std::vector<std::string> high;
    double margin = 0; ///< in the unit of the figure
};

/// One published table.
struct Block {
    std::string title;
    std::string note; ///< what explains a difference; may be empty
    std::int64_t chunk = 0;
    std::string input; ///< of every cell, or empty
    std::vector<Figure> figures;
    std::vector<Column> columns;
    std::vector<Row> rows;
    std::vector<Claim> claims;
};

/// What a setting is as a kernel.
struct Method {
    std::string setting;
    std::string kernel; ///< as of `-k`
};

/// Published tables and, once `run_studies` has been over them, what the simulator finds.
struct Study {
    std::string name;
    std::string source;
    std::vector<Method> methods;
    std::vector<Block> blocks;
};

/// Every study there is, kernels/inverse/studies/NAME.yaml, in the order of `all`.
inline constexpr std::array<std::string_view, 5> kStudyNames{
    "truncation", "formats", "ablation", "early", "trained"};

/// Throws ConfigError with file, line and column.
Study load_study(const std::filesystem::path& file);

/// How to fill a study in.
struct StudyOptions {
    std::int64_t count = 64; ///< draws of each made-up case; the trained layer is always whole
    std::uint64_t seed = 1;
    std::function<void(const std::string& what)> progress = {}; ///< called before each run
};

/// Runs every cell: on the core in program order (the bytes of a timed run), or the kernel's recipe
/// in double precision. Formats that the chip's cube lacks are left out.
void run_studies(std::vector<Study>& studies,
                 const config::HardwareConfig& hardware,
                 const StudyOptions& options);

/// Whether `figure` (an index of the block's) of a cell is what was published: errors and shares
/// within a factor of ten, dB within twenty. What a format cannot resolve counts as its floor. A
/// published worst is one of an unknown number of draws: it may lie anywhere between our median and
/// our worst.
/// Nothing where there is nothing to compare.
std::optional<bool>
agrees(const Block& block, std::size_t column, const Cell& cell, std::size_t figure);

/// Throws ConfigError if the claim names a column or a setting that the block has not.
bool holds(const Block& block, const Claim& claim);

/// One figure of one cell, with the place where it stands.
struct Finding {
    std::string input;
    std::string column; ///< with the figure where a cell has several
    Figure figure = Figure::Worst;
    const Cell* cell = nullptr;
    const Published* published = nullptr;
    std::optional<bool> agrees;
};
std::vector<Finding> findings(const Block& block, const Row& row);

struct StudySummary {
    std::int64_t cells = 0; ///< figures that were compared
    std::int64_t agree = 0;
    std::int64_t claims = 0;
    std::int64_t hold = 0;
    void add(const Study& study);
};

} // namespace npusim::app
