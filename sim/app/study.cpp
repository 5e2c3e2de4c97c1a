// SPDX-License-Identifier: Apache-2.0
#include "sim/app/study.h"

#include "kernels/inverse/input.h"
#include "kernels/inverse/recipe_plan.h"
#include "sim/app/job.h"
#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <span>
#include <tuple>

namespace npusim::app {

namespace {

constexpr std::string_view kDouble = "fp64";
constexpr const char* kTrainedLayer = NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4";

const Row& find_row(const Block& block, const std::string& setting) {
    const auto row = std::ranges::find(block.rows, setting, &Row::setting);
    if (row == block.rows.end()) {
        throw ConfigError(fmt::format("no row has the setting '{}'", setting));
    }
    return *row;
}

std::size_t find_column(const Block& block, const std::string& name) {
    const auto column = std::ranges::find(block.columns, name, &Column::name);
    if (column == block.columns.end()) {
        throw ConfigError(fmt::format("no column '{}'", name));
    }
    return static_cast<std::size_t>(column - block.columns.begin());
}

/// Runs kernels on batches and keeps what it has seen: tables share many of their cells.
class Bench {
  public:
    Bench(const config::HardwareConfig& hardware, const StudyOptions& options)
        : hardware_(hardware), options_(options) {}

    /// Nothing if the cube lacks `format`.
    std::optional<inverse::Accuracy> accuracy(const std::string& kernel,
                                              const std::string& input,
                                              std::int64_t chunk,
                                              const std::string& format) {
        const auto [dtype, scaling] = parse_format(format);
        if (format != kDouble && !(dtype && hardware_.cube.formats.contains(*dtype))) {
            return std::nullopt;
        }
        const auto [entry, fresh] = seen_.try_emplace({kernel, input, chunk, format});
        if (fresh) {
            if (options_.progress) {
                options_.progress(fmt::format("{} {} on {}", kernel, format, input));
            }
            const Batch& batch = find_batch(input, chunk);
            const KernelRequest request = parse_request(kernel, {});
            const inverse::Matrices& matrices = batch.matrices;
            entry->second = batch.reference.measure(
                dtype ? run_in_program_order(hardware_,
                                             request,
                                             {{matrices.count, chunk, *dtype, scaling}, &matrices})
                      : in_double(request, matrices));
        }
        return entry->second;
    }

  private:
    struct Batch {
        explicit Batch(inverse::Matrices input) : matrices(std::move(input)), reference(matrices) {}
        inverse::Matrices matrices;
        inverse::ReferenceSet reference;
    };

    /// `fp16`, `int8-static` (a scale per tensor, set from the batch) or `int8-dyn` (per matrix).
    static std::pair<std::optional<DType>, kernels::Scaling>
    parse_format(const std::string& format) {
        const std::size_t dash = format.find('-');
        const bool own = dash != std::string::npos && format.substr(dash) == "-dyn";
        return {dtype_from(format.substr(0, dash)),
                own ? kernels::Scaling::Matrix : kernels::Scaling::Tensor};
    }

    const Batch& find_batch(const std::string& input, std::int64_t chunk) {
        std::unique_ptr<Batch>& batch = batches_[{input, chunk}];
        if (!batch) {
            // The heads of a layer differ: its first few matrices say little about it.
            batch =
                std::make_unique<Batch>(inverse::load_input(input,
                                                            chunk,
                                                            input == "trained" ? 0 : options_.count,
                                                            options_.seed,
                                                            kTrainedLayer));
        }
        return *batch;
    }

    static std::vector<double> in_double(const KernelRequest& request,
                                         const inverse::Matrices& matrices) {
        const auto* const kernel = dynamic_cast<const inverse::RecipeKernel*>(request.kernel);
        if (kernel == nullptr) {
            throw ConfigError(
                fmt::format("{}: no recipe to run in double precision", request.kernel->name()));
        }
        const kernels::Problem problem{matrices.count, matrices.size, DType::Fp32};
        const inverse::Recipe recipe =
            kernel->recipe(problem.chunk, problem.dtype, kernel->settle(problem, request.values));
        const auto elements = static_cast<std::size_t>(matrices.size * matrices.size);
        std::vector<double> inverses;
        inverses.reserve(matrices.values.size());
        for (std::size_t at = 0; at < matrices.values.size(); at += elements) {
            const std::vector<double> inverse =
                inverse::evaluate(recipe, std::span(matrices.values).subspan(at, elements));
            inverses.insert(inverses.end(), inverse.begin(), inverse.end());
        }
        return inverses;
    }

    const config::HardwareConfig& hardware_;
    const StudyOptions& options_;
    std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<Batch>> batches_;
    std::map<std::tuple<std::string, std::string, std::int64_t, std::string>, inverse::Accuracy>
        seen_;
};

/// `inverse/neumann` with `order=3,steps=8`, as `-k` takes it.
std::string with_parameters(const std::string& kernel, const std::string& parameters) {
    if (parameters.empty()) {
        return kernel;
    }
    return kernel + (kernel.find(':') == std::string::npos ? ':' : ',') + parameters;
}

/// The one that is not empty.
std::string input_of(const Block& block, const Column& column, const Row& row) {
    return block.input + column.input + row.input;
}

void fill(Row& row, const Block& block, Bench& bench) {
    for (std::size_t c = 0; c < block.columns.size(); ++c) {
        const Column& column = block.columns[c];
        row.cells[c].ours = bench.accuracy(with_parameters(row.kernel, column.parameters),
                                           input_of(block, column, row),
                                           block.chunk,
                                           column.format);
    }
}

// --- judging ---

/// The error below which a format tells nothing apart: about 1e-7 in fp32, and what long sums leave
/// of double precision. The tables have nothing that small in shorter formats.
double floor_of(std::string_view format) {
    constexpr double kFloorFp32 = 1e-7;
    constexpr double kFloorDouble = 1e-13;
    return format == to_string(DType::Fp32) ? kFloorFp32 : format == kDouble ? kFloorDouble : 0;
}

/// What we find: a number, or a range where the publication's own is one of several possible.
struct Range {
    double low = 0;
    double high = 0;
};

/// Whether `published` lies within a factor of ten of `ours`, both taken as at least `floor`.
bool near(Range ours, const Published& published, double floor) {
    constexpr double kOrder = 10;
    const double value = std::max(published.value, floor);
    const bool above = kOrder * std::max(ours.high, floor) >= value;
    const bool below = std::max(ours.low, floor) <= kOrder * value;
    return (above || published.kind == Published::Kind::AtMost) &&
           (below || published.kind == Published::Kind::AtLeast);
}

} // namespace

double value_of(Figure figure, const inverse::Accuracy& accuracy) {
    switch (figure) {
    case Figure::Median:
        return accuracy.rel_frobenius_median;
    case Figure::Worst:
        return accuracy.rel_frobenius_max;
    case Figure::SnrMean:
        return accuracy.snr_db_mean;
    case Figure::SnrWorst:
        return accuracy.snr_db_worst;
    case Figure::NonFinite:
        return 100 * static_cast<double>(accuracy.non_finite) /
               static_cast<double>(accuracy.matrices);
    }
    return std::nan("");
}

void run_studies(std::vector<Study>& studies,
                 const config::HardwareConfig& hardware,
                 const StudyOptions& options) {
    Bench bench(hardware, options);
    for (Study& study : studies) {
        for (Block& block : study.blocks) {
            for (Row& row : block.rows) {
                fill(row, block, bench);
            }
        }
    }
}

std::optional<bool>
agrees(const Block& block, std::size_t column, const Cell& cell, std::size_t figure) {
    const Published& published = cell.published[figure];
    if (!cell.ours || published.kind == Published::Kind::Nothing) {
        return std::nullopt;
    }
    const double ours = value_of(block.figures[figure], *cell.ours);
    if (std::isnan(ours) || published.kind == Published::Kind::NonFinite) {
        return std::isnan(ours) && published.kind == Published::Kind::NonFinite;
    }
    switch (block.figures[figure]) {
    case Figure::SnrMean:
    case Figure::SnrWorst:
        return std::abs(ours - published.value) <= 20; // dB: a factor of ten
    case Figure::NonFinite:
        return near({ours, ours}, published, 0);
    case Figure::Median:
        return near({ours, ours}, published, floor_of(block.columns[column].format));
    case Figure::Worst: // of fewer draws than ours, perhaps: between our median and our worst
        return near(
            {published.kind == Published::Kind::AtMost ? ours : cell.ours->rel_frobenius_median,
             ours},
            published,
            floor_of(block.columns[column].format));
    }
    return std::nullopt;
}

bool holds(const Block& block, const Claim& claim) {
    const std::size_t column = find_column(block, claim.column);
    const auto values = [&](const std::vector<std::string>& settings) {
        std::vector<double> list;
        for (const std::string& setting : settings) {
            const Cell& cell = find_row(block, setting).cells[column];
            list.push_back(cell.ours ? value_of(claim.figure, *cell.ours) : std::nan(""));
        }
        return list;
    };
    const std::vector<double> low = values(claim.low);
    const std::vector<double> high = values(claim.high);
    return std::ranges::all_of(high, [&](double above) { // NaN holds nothing
        return std::ranges::all_of(low, [&](double below) { return above > below + claim.margin; });
    });
}

std::vector<Finding> findings(const Block& block, const Row& row) {
    std::vector<Finding> list;
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
        const Cell& cell = row.cells[c];
        for (std::size_t f = 0; f < block.figures.size(); ++f) {
            const Column& column = block.columns[c];
            const Figure figure = block.figures[f];
            list.push_back({input_of(block, column, row),
                            block.figures.size() == 1
                                ? column.name
                                : fmt::format("{} {}", column.name, name_of(figure)),
                            figure,
                            &cell,
                            &cell.published[f],
                            agrees(block, c, cell, f)});
        }
    }
    return list;
}

void StudySummary::add(const Study& study) {
    for (const Block& block : study.blocks) {
        for (const Row& row : block.rows) {
            for (const Finding& finding : findings(block, row)) {
                cells += finding.agrees.has_value() ? 1 : 0;
                agree += finding.agrees.value_or(false) ? 1 : 0;
            }
        }
        for (const Claim& claim : block.claims) {
            ++claims;
            hold += holds(block, claim) ? 1 : 0;
        }
    }
}

} // namespace npusim::app
