// SPDX-License-Identifier: Apache-2.0
#include "sim/app/page.h"

#include "sim/app/report_parts.h"
#include "sim/base/error.h"
#include "sim/base/join.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <zlib.h>

namespace npusim::app {

namespace {

constexpr int kSchema = 1;
constexpr std::size_t kMostSlices = 1'000'000;
constexpr std::string_view kPlace = "NPUSIM_DATA"; ///< of the data, in the page

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t word = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const auto byte = i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U;
            word = word << 8U | byte;
        }
        for (std::size_t j = 0; j < 4; ++j) {
            text += i + j > bytes.size() ? '=' : digits[word >> (18 - 6 * j) & 0x3FU];
        }
    }
    return text;
}

std::string gzipped(const std::string& text) {
    constexpr int window = 15 + 16; // the largest, with gzip's head and end
    constexpr int memory = 8;       // zlib's own choice
    z_stream stream{};
    if (deflateInit2(&stream, 6, Z_DEFLATED, window, memory, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::bad_alloc();
    }
    std::string bytes(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<const Bytef*>(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    deflate(&stream, Z_FINISH); // there is room for all of it
    bytes.resize(stream.total_out);
    deflateEnd(&stream);
    return bytes;
}

/// A column as the page reads it: base64 of its numbers, little-endian.
template <class T> std::string packed(const std::vector<T>& column) {
    static_assert(std::endian::native == std::endian::little);
    return base64({reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T)});
}

json lanes_json(const traces::Columns& columns, const observe::RunStatistics& statistics) {
    json lanes = json::array();
    for (const traces::Lane& lane : columns.lanes) {
        const observe::PipeStatistics& pipe =
            statistics.cores[lane.core].pipes[static_cast<std::size_t>(lane.pipe)];
        lanes.push_back({{"core", lane.core_name},
                         {"pipe", to_string(lane.pipe)},
                         {"instructions", pipe.instructions},
                         {"cycles", pipe.cycles},
                         {"idle", pipe.idle(statistics.total)}});
    }
    return lanes;
}

json slices_json(const traces::Columns::Slices& slices) {
    return {{"count", slices.lane.size()},
            {"lane", packed(slices.lane)},
            {"start", packed(slices.start)},
            {"cycles", packed(slices.cycles)},
            {"name", packed(slices.name)},
            {"state", packed(slices.state)},
            {"detail", packed(slices.detail)}};
}

json flows_json(const traces::Columns::Flows& flows) {
    return {{"count", flows.from.size()},
            {"from_lane", packed(flows.from_lane)},
            {"from", packed(flows.from)},
            {"to_lane", packed(flows.to_lane)},
            {"to", packed(flows.to)},
            {"kind", packed(flows.kind)}};
}

using Path = std::optional<std::vector<traces::CriticalPath::Stretch>>;

/// The stretches that lie on lanes that are shown; null if there was no room for a path.
json critical_json(const Path& path, const std::vector<traces::Lane>& lanes) {
    if (!path) {
        return nullptr;
    }
    std::map<std::pair<std::size_t, Pipe>, std::int32_t> numbers;
    for (const traces::Lane& lane : lanes) {
        numbers.emplace(std::pair(lane.core, lane.pipe), static_cast<std::int32_t>(numbers.size()));
    }
    std::vector<std::int32_t> lane;
    std::vector<std::int32_t> start;
    std::vector<std::int32_t> end;
    std::vector<std::uint8_t> reason;
    for (const traces::CriticalPath::Stretch& stretch : *path) {
        const auto at = numbers.find({stretch.core, stretch.pipe});
        if (at != numbers.end()) {
            lane.push_back(at->second);
            start.push_back(static_cast<std::int32_t>(stretch.start.count()));
            end.push_back(static_cast<std::int32_t>(stretch.end.count()));
            reason.push_back(static_cast<std::uint8_t>(stretch.reason));
        }
    }
    return {{"count", lane.size()},
            {"lane", packed(lane)},
            {"start", packed(start)},
            {"end", packed(end)},
            {"reason", packed(reason)},
            {"reasons", traces::CriticalPath::kReasonNames}};
}

json series_json(const traces::Columns& columns) {
    json list = json::array();
    for (const traces::Columns::Measured& measured : columns.counters) {
        const traces::Counter& counter = measured.counter;
        list.push_back(
            {{"group", counter.group},
             {"name", counter.core ? counter.core_name + " " + counter.name : counter.name},
             {"unit", counter.unit},
             {"limit", counter.limit},
             {"step", measured.step.count()},
             {"values", packed(measured.values)}});
    }
    return list;
}

/// Useful work against bytes, of L2 and of HBM; null where the chip has no cube for the format.
json roofline_json(const Result& result, const config::HardwareConfig& hardware) {
    if (!std::isfinite(result.peak_gflops)) {
        return nullptr;
    }
    const auto cycles = static_cast<double>(result.cycles_after_launch());
    const double work = result.useful_flops() / 2; // two to a MAC
    const observe::RunStatistics& statistics = result.statistics;
    const auto point = [&](std::string_view memory, std::int64_t bytes) {
        return json{{"name", fmt::format("{}, {}", result.kernel, memory)},
                    {"bytes", bytes},
                    {"work", work},
                    {"per_cycle", work / cycles}};
    };
    json points = json::array();
    points.push_back(point("L2", statistics.gm_bytes_read + statistics.gm_bytes_written));
    if (statistics.hbm_bytes > 0) {
        points.push_back(point("HBM", statistics.hbm_bytes));
    }
    const config::GmConfig& gm = hardware.gm;
    return {{"peak", result.peak_gflops * 1e3 / (2 * result.clock_mhz)},
            {"unit", "useful MAC/cycle"},
            {"roofs",
             {{{"name", "L2 read"}, {"bytes_per_cycle", gm.l2_read_bytes_per_cycle}},
              {{"name", "HBM"}, {"bytes_per_cycle", gm.hbm_bytes_per_cycle}}}},
            {"points", points}};
}

json accuracy_json(const Result& result) {
    json list = json::array();
    if (!result.accuracy) {
        return list;
    }
    const auto add = [&](std::string_view name, double value, std::string_view note) {
        if (std::isfinite(value)) {
            list.push_back({{"name", name}, {"value", value}, {"note", note}});
        }
    };
    const inverse::Accuracy& accuracy = *result.accuracy;
    constexpr std::string_view against = "Frobenius, against double precision";
    add("relative error, worst", accuracy.rel_frobenius_max, against);
    add("relative error, median", accuracy.rel_frobenius_median, against);
    add("SNR, mean", accuracy.snr_db_mean, "dB");
    add("SNR, worst", accuracy.snr_db_worst, "dB");
    add("non-finite matrices",
        static_cast<double>(accuracy.non_finite),
        fmt::format("of {}", accuracy.matrices));
    for (const inverse::CaseAccuracy& part : result.cases) {
        add("worst of " + part.name, part.accuracy.rel_frobenius_max, against);
    }
    return list;
}

json facts_json(const Result& result) {
    json facts = json::array();
    for (const kernels::Parameter& parameter : result.parameters) {
        facts.push_back(
            {parameter.name, kernels::parameter_text(parameter, result.values.at(parameter.name))});
    }
    facts.push_back({"config hash", result.config_hash});
    return facts;
}

json note_json(const PageRecorder& run, const Path& path) {
    std::vector<std::string> notes;
    if (const std::int64_t left = run.columns().left_out; left > 0) {
        notes.push_back(fmt::format("{} slices of {} are left out: see --trace for a format "
                                    "without a limit, or --trace-window",
                                    left,
                                    left + std::ssize(run.columns().slices.lane)));
    }
    if (!run.shown().whole()) {
        notes.emplace_back("a part of the run is shown; sums are of all of it");
    }
    if (!path) {
        notes.emplace_back("too many instructions for a critical path");
    }
    return notes.empty() ? json(nullptr) : json(join(notes, "; "));
}

std::string job_text(const Result& result) {
    const kernels::Problem& problem = result.problem;
    return fmt::format("{} matrices of {}x{} {}",
                       problem.count,
                       problem.chunk,
                       problem.chunk,
                       to_string(problem.dtype));
}

json run_json(const config::HardwareConfig& hardware,
              const Result& result,
              const PageRecorder& run) {
    const traces::Columns& columns = run.columns();
    const Path path = run.critical_path().path();
    const std::int64_t total = result.statistics.total.count();
    return {{"name", result.kernel},
            {"hardware", result.hardware},
            {"clock_mhz", result.clock_mhz},
            {"job", job_text(result)},
            {"cycles", total},
            {"launch", result.launch.count()},
            {"window", {run.shown().from().count(), std::min(total, run.shown().to().count())}},
            {"note", note_json(run, path)},
            {"states", observe::kStateNames},
            {"lanes", lanes_json(columns, result.statistics)},
            {"names", columns.names},
            {"details", columns.details},
            {"slices", slices_json(columns.slices)},
            {"flows", flows_json(columns.flows)},
            {"critical", critical_json(path, columns.lanes)},
            {"series", series_json(columns)},
            {"roofline", roofline_json(result, hardware)},
            {"accuracy", accuracy_json(result)},
            {"facts", facts_json(result)}};
}

/// The page with `data` in it. Throws ConfigError if the page is not where it should be.
std::string page_of(const json& data) {
    const std::string path = NPUSIM_SOURCE_DIR "/traces/report/report.html";
    std::ifstream file(path, std::ios::binary);
    std::string page(std::istreambuf_iterator<char>(file), {});
    const std::size_t place = page.find(kPlace);
    if (place == std::string::npos) {
        throw ConfigError(fmt::format("{}: not the report page", path));
    }
    return page.replace(place, kPlace.size(), base64(gzipped(data.dump())));
}

json head_json(const std::string& title, const std::string& command) {
    return {
        {"schema", kSchema}, {"npusim", NPUSIM_VERSION}, {"title", title}, {"command", command}};
}

/// A kernel's value of a parameter; "-" if it has no such parameter.
std::string value_text(const Candidate& candidate, const std::string& name) {
    const auto parameters = candidate.request.kernel->parameters();
    const auto parameter = std::ranges::find(parameters, name, &kernels::Parameter::name);
    return parameter == parameters.end()
               ? "-"
               : kernels::parameter_text(*parameter, candidate.request.values.at(name));
}

/// The parameters in which candidates of one kernel differ.
std::vector<std::string> varied_parameters(const std::vector<Candidate>& candidates) {
    std::vector<std::string> names;
    std::map<std::pair<const kernels::Kernel*, std::string>, std::int64_t> first;
    for (const Candidate& candidate : candidates) {
        for (const auto& [name, value] : candidate.request.values) {
            const auto at = first.try_emplace({candidate.request.kernel, name}, value).first;
            if (at->second != value && std::ranges::count(names, name) == 0) {
                names.push_back(name);
            }
        }
    }
    return names;
}

json candidate_json(const Candidate& candidate,
                    std::size_t id,
                    bool front,
                    const std::vector<std::string>& parameters) {
    const std::string kernel(candidate.request.kernel->name());
    json axes = json::array({kernel});
    for (const std::string& name : parameters) {
        axes.push_back(value_text(candidate, name));
    }
    std::string config = "kernel: " + kernel;
    for (const kernels::Parameter& parameter : candidate.request.kernel->parameters()) {
        config += fmt::format("\n{}: {}", parameter.name, value_text(candidate, parameter.name));
    }
    json point{{"id", id},
               {"axes", axes},
               {"objectives", nullptr},
               {"front", front},
               {"failed", nullptr},
               {"config", config}};
    if (!candidate.result) {
        point["failed"] = candidate.refused;
    } else if (const Score score = candidate.score(); std::isfinite(score.error)) {
        point["objectives"] = {score.cycles, score.error};
    } else {
        point["failed"] = "no finite result";
    }
    return point;
}

} // namespace

PageRecorder::PageRecorder(const config::HardwareConfig& hardware, const traces::Selection& shown)
    : shown_(shown), columns_(std::make_unique<traces::Columns>()),
      recorder_(std::make_unique<traces::Recorder>(
          std::make_unique<traces::ColumnWriter>(*columns_, kMostSlices),
          hardware,
          shown,
          traces::Detail::Instructions)),
      path_(std::make_unique<traces::CriticalPath>(hardware)) {}

observe::Observers PageRecorder::observers() {
    return {recorder_.get(), path_.get()};
}

std::string run_page(const config::HardwareConfig& hardware,
                     const std::string& command,
                     const std::vector<Result>& results,
                     const std::vector<PageRecorder>& runs) {
    std::vector<std::string> names;
    json list = json::array();
    for (std::size_t i = 0; i < results.size(); ++i) {
        names.push_back(results[i].kernel);
        list.push_back(run_json(hardware, results[i], runs[i]));
    }
    const Result& first = results.front();
    json data = head_json(
        fmt::format("{}: {} on {}", join(names, " against "), job_text(first), first.hardware),
        command);
    data["runs"] = list;
    return page_of(data);
}

std::string page_of_sweep(const std::string& title, const std::string& command, const json& sweep) {
    json data = head_json(title, command);
    data["sweep"] = sweep;
    return page_of(data);
}

std::string selection_page(const std::string& command, const Selection& selection) {
    const std::vector<std::string> parameters = varied_parameters(selection.candidates);
    json axes = json::array({{{"name", "kernel"}}});
    for (const std::string& name : parameters) {
        axes.push_back({{"name", name}});
    }
    json points = json::array();
    for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
        points.push_back(candidate_json(
            selection.candidates[i], i, std::ranges::count(selection.front, i) > 0, parameters));
    }
    const std::string title = fmt::format("inverses of {} {} on {}, input {}",
                                          selection.problem.chunk,
                                          to_string(selection.problem.dtype),
                                          selection.hardware,
                                          selection.input);
    return page_of_sweep(
        title,
        command,
        {{"title", title},
         {"axes", axes},
         {"objectives",
          {{{"name", "cycles"}, {"unit", "cycles"}, {"direction", "min"}},
           {{"name", "error"}, {"unit", "relative, worst"}, {"direction", "min"}}}},
         {"points", points}});
}

} // namespace npusim::app
