// SPDX-License-Identifier: Apache-2.0
#include "sim/app/plot_input.h"

#include "sim/app/decoder.h"
#include "sim/app/report.h"
#include "sim/app/report_parts.h"
#include "sim/base/error.h"
#include "sim/base/join.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>

namespace npusim::app {

namespace {

using traces::Bar;
using traces::ParetoPoint;
using traces::ParetoSet;

constexpr std::string_view kInverseFolder = "inverse/";

/// Reads `file`, which `command` is said to have written, and makes something of it; whatever does
/// not go as it should there is the file's fault.
template <class Make>
auto from_file(const std::string& file, const std::string& command, const Make& make) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        throw ConfigError(fmt::format("{}: cannot read this file", file));
    }
    try {
        return make(json::parse(stream));
    } catch (const json::exception& error) {
        std::string what = error.what();
        what = what.substr(what.find("] ") + 2); // after nlohmann's own name of the error
        throw ConfigError(fmt::format(
            "{}: {} (allowed: what npusim {} --format json writes)", file, what, command));
    }
}

std::string text_of(const json& object, const char* key) {
    return object.at(key).get<std::string>();
}

std::int64_t whole_of(const json& object, const char* key) {
    return object.at(key).get<std::int64_t>();
}

/// "neumann" of "inverse/neumann".
std::string short_name(const std::string& kernel) {
    return kernel.starts_with(kInverseFolder) ? kernel.substr(kInverseFolder.size()) : kernel;
}

/// What is said of each of several files, in the same order for all.
using Facts = std::vector<std::string>;

/// Those that hold for all of `files`.
std::string common_facts(const std::vector<Facts>& files) {
    Facts common;
    for (std::size_t i = 0; i < files.front().size(); ++i) {
        if (std::ranges::all_of(files,
                                [&](const Facts& facts) { return facts[i] == files[0][i]; })) {
            common.push_back(files[0][i]);
        }
    }
    return join(common, ", ");
}

/// Those of `one` that do not hold for all of `files`.
Facts own_facts(const std::vector<Facts>& files, const Facts& one) {
    Facts own;
    for (std::size_t i = 0; i < one.size(); ++i) {
        if (std::ranges::any_of(files, [&](const Facts& facts) { return facts[i] != one[i]; })) {
            own.push_back(one[i]);
        }
    }
    return own;
}

/// A file's layers, in microseconds by part and then launches.
struct LayerFile {
    Facts facts;
    std::vector<Bar> bars;
};

std::size_t part_place(const std::string& name, const std::string& file) {
    const auto* const found = std::ranges::find(kPartNames, name);
    if (found == kPartNames.end()) {
        throw ConfigError(
            fmt::format("{}: part '{}' (allowed: {})", file, name, join(kPartNames, ", ")));
    }
    return static_cast<std::size_t>(found - kPartNames.begin());
}

Bar layer_bar(const json& layer,
              const std::string& inverse,
              double clock_mhz,
              const std::string& file) {
    Bar bar{{text_of(layer, "layer")}, std::vector<double>(kPartNames.size() + 1)};
    std::int64_t left = whole_of(layer, "cycles");
    const auto take = [&](std::size_t piece, std::int64_t cycles) {
        bar.pieces[piece] += static_cast<double>(cycles) / clock_mhz;
        left -= cycles;
    };
    for (const auto& [part, cycles] : layer.at("parts").items()) {
        take(part_place(part, file), cycles.get<std::int64_t>());
    }
    take(kPartNames.size(), whole_of(layer, "launch_cycles"));
    if (left != 0) {
        throw ConfigError(fmt::format("{}: {}: cycles of the layer are {} more than those of its "
                                      "parts and launches (allowed: the same)",
                                      file,
                                      bar.words.front(),
                                      left));
    }
    if (bar.pieces[static_cast<std::size_t>(Part::Inverse)] > 0) {
        bar.words.push_back(short_name(inverse));
    }
    return bar;
}

bool has_inverse(const json& layer) {
    return layer.at("parts").contains(kPartNames[static_cast<std::size_t>(Part::Inverse)]);
}

LayerFile layer_file(const json& run, const std::string& file) {
    const double clock_mhz = run.at("clock_mhz");
    LayerFile read;
    read.facts = {text_of(run, "model"),
                  text_of(run, "hardware"),
                  fmt::format("{} of {} x {} tokens",
                              text_of(run, "phase"),
                              whole_of(run, "batch"),
                              whole_of(run, "tokens")),
                  fmt::format("chunk {}", whole_of(run, "chunk")),
                  text_of(run, "dtype"),
                  "weights " + text_of(run, "weights")};
    for (std::size_t i = 0; i < run.at("layers").size(); ++i) {
        const json& layer = run["layers"][i];
        if (run.contains("versus") && has_inverse(layer)) {
            const json& versus = run["versus"];
            read.bars.push_back(
                layer_bar(versus.at("layers").at(i), text_of(versus, "inverse"), clock_mhz, file));
        }
        read.bars.push_back(layer_bar(layer, text_of(run, "inverse"), clock_mhz, file));
    }
    return read;
}

/// Whether candidates of the kernel of `one` differ in a parameter.
bool is_varied(const json& candidates, const json& one, const std::string& parameter) {
    return std::ranges::any_of(candidates, [&](const json& other) {
        return other.at("kernel") == one.at("kernel") &&
               other.at("params").at(parameter) != one.at("params").at(parameter);
    });
}

/// "neumann:order=4,steps=8": the parameters that tell a candidate from others of its kernel.
std::string candidate_name(const json& candidates, const json& one) {
    std::vector<std::string> parameters;
    for (const auto& [name, value] : one.at("params").items()) {
        if (is_varied(candidates, one, name)) {
            parameters.push_back(fmt::format(
                "{}={}", name, value.is_string() ? value.get<std::string>() : value.dump()));
        }
    }
    return fmt::format("{}{}{}",
                       short_name(text_of(one, "kernel")),
                       parameters.empty() ? "" : ":",
                       join(parameters, ","));
}

bool has_figures(const json& candidate) {
    const auto above_zero = [](const json& value) {
        return !value.is_null() && value.get<double>() > 0;
    };
    return above_zero(candidate.at("cycles_after_launch")) && above_zero(candidate.at("error"));
}

struct SelectFile {
    Facts facts;
    ParetoSet set;
};

SelectFile select_file(const json& selection) {
    SelectFile read{{text_of(selection, "hardware"),
                     fmt::format("chunk {}", whole_of(selection, "chunk")),
                     text_of(selection, "dtype"),
                     "input " + text_of(selection, "input")},
                    {}};
    read.set.limit = selection.at("max_error").get<double>();
    const json& candidates = selection.at("candidates");
    for (const json& candidate : candidates) {
        if (has_figures(candidate)) {
            read.set.points.push_back({short_name(text_of(candidate, "kernel")),
                                       candidate_name(candidates, candidate),
                                       candidate.at("cycles_after_launch").get<double>(),
                                       candidate.at("error").get<double>(),
                                       candidate.at("pareto").get<bool>()});
        } else {
            ++read.set.left_out;
        }
    }
    return read;
}

} // namespace

traces::Roofline roofline_of(const config::HardwareConfig& hardware,
                             const std::vector<Result>& results) {
    const Result& first = results.front();
    traces::Roofline roofline;
    roofline.subtitle = job_line(first) + "; a matrix of n rows counts n^3/3 useful flops";
    roofline.hbm = {"HBM", first.peak_gbps};
    roofline.l2 = {"L2, reads", hardware.gm.l2_read_bytes_per_cycle * hardware.clock_mhz * 1e-3};
    roofline.peak_name = fmt::format("cube, {}", to_string(first.problem.dtype));
    if (std::isfinite(first.peak_gflops)) {
        roofline.peak_gflops = first.peak_gflops;
    }
    for (const Result& result : results) {
        const auto read = static_cast<double>(result.statistics.gm_bytes_read);
        roofline.kernels.push_back({result_spec(result),
                                    result.useful_gflops(),
                                    result.intensity(),
                                    read == 0 ? 0 : result.useful_flops() / read});
    }
    return roofline;
}

traces::StackedBars layer_bars(const std::vector<std::string>& files) {
    std::vector<LayerFile> read;
    std::vector<Facts> facts;
    for (const std::string& file : files) {
        read.push_back(
            from_file(file, "layer", [&](const json& run) { return layer_file(run, file); }));
        facts.push_back(read.back().facts);
    }
    traces::StackedBars chart{"A decoder layer by part",
                              common_facts(facts),
                              "microseconds a layer",
                              {kPartNames.begin(), kPartNames.end()},
                              {}};
    chart.parts.emplace_back("launches");
    for (const LayerFile& file : read) {
        const Facts own = own_facts(facts, file.facts);
        for (const Bar& bar : file.bars) {
            chart.bars.push_back(bar);
            auto& words = chart.bars.back().words;
            words.insert(words.end(), own.begin(), own.end());
        }
    }
    return chart;
}

traces::ParetoPlot pareto_of(const std::vector<std::string>& files) {
    std::vector<SelectFile> read;
    std::vector<Facts> facts;
    for (const std::string& file : files) {
        read.push_back(from_file(file, "select", select_file));
        facts.push_back(read.back().facts);
        if (read.back().set.points.empty()) {
            throw ConfigError(fmt::format("{}: no candidate has cycles and an error above 0 "
                                          "(allowed: at least one)",
                                          file));
        }
    }
    traces::ParetoPlot plot{common_facts(facts), {}};
    for (std::size_t i = 0; i < files.size(); ++i) {
        SelectFile& file = read[i];
        const Facts own = own_facts(facts, file.facts);
        file.set.name = own.empty() ? files[i] : join(own, ", ");
        if (files.size() > 1) { // colours tell the files apart, not the kernels
            for (ParetoPoint& point : file.set.points) {
                point.series = file.set.name;
            }
        }
        plot.sets.push_back(std::move(file.set));
    }
    return plot;
}

} // namespace npusim::app
