// SPDX-License-Identifier: Apache-2.0
#include "sim/app/speed.h"

#include "sim/app/job.h"
#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace npusim::app {

namespace {

const std::vector<std::string> kKernels{kBaseline,
                                        "inverse/column-sweep",
                                        "inverse/block-forward-substitution",
                                        kSeries,
                                        "inverse/neumann:order=7,early=yes",
                                        "inverse/doubling",
                                        "inverse/mixed",
                                        "inverse/bunch-hopcroft",
                                        "inverse/radix4",
                                        "inverse/newton-schulz"};
const std::vector<std::int64_t> kChunks{32, 64, 128};

/// A published speed-up of a kernel, by chunk of `kChunks`; NaN where there is none.
struct PublishedSpeed {
    const char* kernel;
    const char* base;
    std::array<double, 3> speedup;
    const char* source;
};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::array kPublished{
    PublishedSpeed{kSeries,
                   kBaseline,
                   {5.2, 4.2, 4.6},
                   "arXiv 2606.06034: N=3 S=8 over forward substitution, Snapdragon 8 Elite Gen 5"},
    PublishedSpeed{
        "inverse/mixed",
        "inverse/block-forward-substitution",
        {kNone, 4.3, kNone},
        "arXiv 2605.21325: MXR over SGLang's block forward substitution (compiled), Ascend "
        "910B"},
};

std::string times(double ratio) {
    return std::isnan(ratio) ? "-" : fmt::format("{:.2f}x", ratio);
}

const SpeedRow& row_of(const Speed& speed, const std::string& kernel) {
    return *std::ranges::find(speed.rows, kernel, &SpeedRow::kernel);
}

} // namespace

double Speed::ratio(const std::string& kernel, const std::string& base, std::size_t at) const {
    const auto numerator = row_of(*this, base).cycles[at];
    const auto denominator = row_of(*this, kernel).cycles[at];
    return numerator && denominator
               ? static_cast<double>(*numerator) / static_cast<double>(*denominator)
               : kNone;
}

Speed measure_speed(const config::HardwareConfig& hardware,
                    DType dtype,
                    std::int64_t tokens,
                    const std::function<void(const std::string&)>& progress) {
    Speed speed{hardware.name, hardware.clock_mhz, hardware.ai_cores, dtype, tokens, kChunks, {}};
    for (const std::string& kernel : kKernels) {
        SpeedRow row{kernel, {}};
        for (const std::int64_t chunk : kChunks) {
            progress(fmt::format("{} at chunk {}", kernel, chunk));
            try {
                const Result result =
                    run(hardware,
                        parse_request(kernel, {}),
                        {{std::max<std::int64_t>(tokens / chunk, 1), chunk, dtype}});
                row.cycles.emplace_back(result.cycles_after_launch());
            } catch (const ConfigError&) { // the chip cannot hold it
                row.cycles.emplace_back();
            }
        }
        speed.rows.push_back(std::move(row));
    }
    return speed;
}

std::string speed_text(const Speed& speed) {
    std::string text = fmt::format("{}: {} tokens x heads, {}, timing only\n"
                                   "cycles a matrix and AI core, and speed-up over {}\n\n",
                                   speed.hardware,
                                   speed.tokens,
                                   to_string(speed.dtype),
                                   kBaseline);
    Table table;
    std::vector<std::string> head;
    for (const std::int64_t chunk : speed.chunks) {
        head.push_back(fmt::format("chunk {}", chunk));
        head.emplace_back();
    }
    table.row("", head);
    for (const SpeedRow& row : speed.rows) {
        std::vector<std::string> cells;
        for (std::size_t c = 0; c < speed.chunks.size(); ++c) {
            const std::int64_t count = speed.tokens / speed.chunks[c];
            const double matrices =
                static_cast<double>(count) / static_cast<double>(speed.ai_cores);
            cells.push_back(
                row.cycles[c]
                    ? fmt::format("{:.0f}", static_cast<double>(*row.cycles[c]) / matrices)
                    : "no room");
            cells.push_back(times(speed.ratio(row.kernel, kBaseline, c)));
        }
        table.row(row.kernel, cells);
    }
    text += table.text();
    for (const PublishedSpeed& published : kPublished) {
        text += fmt::format("\n{} over {}\n", published.kernel, published.base);
        for (std::size_t c = 0; c < speed.chunks.size(); ++c) {
            if (!std::isnan(published.speedup[c])) {
                text += fmt::format("  chunk {:<4} {:>7} here, {:.1f}x published\n",
                                    speed.chunks[c],
                                    times(speed.ratio(published.kernel, published.base, c)),
                                    published.speedup[c]);
            }
        }
        text += fmt::format("  {}\n", published.source);
    }
    return text;
}

std::string speed_json(const Speed& speed) {
    json rows = json::array();
    for (const SpeedRow& row : speed.rows) {
        json cells = json::array();
        for (std::size_t c = 0; c < speed.chunks.size(); ++c) {
            cells.push_back(
                {{"chunk", speed.chunks[c]},
                 {"matrices", speed.tokens / speed.chunks[c]},
                 {"cycles_after_launch", row.cycles[c] ? json(*row.cycles[c]) : json(nullptr)},
                 {"speedup", number(speed.ratio(row.kernel, kBaseline, c))}});
        }
        rows.push_back({{"kernel", row.kernel}, {"chunks", cells}});
    }
    json published = json::array();
    for (const PublishedSpeed& entry : kPublished) {
        for (std::size_t c = 0; c < speed.chunks.size(); ++c) {
            if (!std::isnan(entry.speedup[c])) {
                published.push_back({{"kernel", entry.kernel},
                                     {"over", entry.base},
                                     {"chunk", speed.chunks[c]},
                                     {"ours", number(speed.ratio(entry.kernel, entry.base, c))},
                                     {"published", entry.speedup[c]},
                                     {"source", entry.source}});
            }
        }
    }
    return json{{"hardware", speed.hardware},
                {"dtype", to_string(speed.dtype)},
                {"tokens", speed.tokens},
                {"kernels", rows},
                {"published", published},
                {"version", NPUSIM_VERSION}}
               .dump(2) +
           "\n";
}

} // namespace npusim::app
