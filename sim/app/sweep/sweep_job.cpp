// SPDX-License-Identifier: Apache-2.0
#include "sim/app/sweep/sweep_job.h"

#include "sim/app/arguments.h"
#include "sim/app/report_parts.h"
#include "sim/base/error.h"
#include "sim/base/hash.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace npusim::app {

namespace {

using explore::Results;
using explore::Settings;
using explore::Value;

constexpr std::string_view kJob = "job.";
constexpr std::string_view kParams = "job.params.";
constexpr std::array<std::string_view, 2> kKinds{"inverse", "layer"};

// What a worker keeps of what it has done, in numbers of things.
constexpr std::size_t kMostInputs = 8;
constexpr std::size_t kMostDone = 100'000;
constexpr std::size_t kMostChips = 64;

/// A key of a job of kind `Options`, without "job." before it.
template <class Options> struct JobKey {
    std::string_view name;
    std::function<void(Options&, const Value&)> put;
};

/// The job of an inverse, with another way to say how many matrices there are.
struct InverseOptions : JobOptions {
    std::int64_t tokens = 0; ///< of each case: as many matrices as hold them; 0: `count`
};

std::int64_t whole(const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return *number;
    }
    throw ConfigError(fmt::format("{}: (allowed: a whole number)", explore::to_text(value)));
}

template <class Options> auto number_field(std::int64_t Options::*field) {
    return [field](auto& options, const Value& value) { options.*field = whole(value); };
}
template <class Options> auto text_field(std::string Options::*field) {
    return [field](auto& options, const Value& value) { options.*field = explore::to_text(value); };
}

bool yes(const Value& value) {
    const std::string text = explore::to_text(value);
    if (text != "yes" && text != "no") {
        throw ConfigError(fmt::format("{}: (allowed: yes, no)", text));
    }
    return text == "yes";
}

const std::vector<JobKey<InverseOptions>>& inverse_keys() {
    static const std::vector<JobKey<InverseOptions>> keys{
        {"kernel",
         [](JobOptions& options, const Value& value) {
             options.kernels = {explore::to_text(value)};
         }},
        {"chunk", number_field(&JobOptions::chunk)},
        {"dtype", text_field(&JobOptions::dtype)},
        {"scale", text_field(&JobOptions::scale)},
        {"calibrate", text_field(&JobOptions::calibrate)},
        {"input", text_field(&JobOptions::input)},
        {"count", number_field(&JobOptions::count)},
        {"tokens", number_field(&InverseOptions::tokens)},
        {"seed", number_field(&JobOptions::seed)},
        {"accuracy",
         [](JobOptions& options, const Value& value) { options.timing_only = !yes(value); }},
    };
    return keys;
}

const std::vector<JobKey<LayerOptions>>& layer_keys() {
    static const std::vector<JobKey<LayerOptions>> keys{
        {"model", text_field(&LayerOptions::model)},
        {"phase", text_field(&LayerOptions::phase)},
        {"tokens", number_field(&LayerOptions::tokens)},
        {"batch", number_field(&LayerOptions::batch)},
        {"draft", number_field(&LayerOptions::draft)},
        {"chunk", number_field(&LayerOptions::chunk)},
        {"dtype", text_field(&LayerOptions::dtype)},
        {"weights", text_field(&LayerOptions::weights)},
        {"inverse", text_field(&LayerOptions::inverse)},
        {"launch", text_field(&LayerOptions::launch)},
        {"sample", [](LayerOptions& options, const Value& value) { options.sample = yes(value); }},
    };
    return keys;
}

template <class Options>
Options options_from(const std::vector<JobKey<Options>>& keys, const Settings& job) {
    Options options;
    for (const JobKey<Options>& key : keys) {
        if (const auto found = job.find(fmt::format("{}{}", kJob, key.name)); found != job.end()) {
            key.put(options, found->second);
        }
    }
    return options;
}

/// "job.chunk" and so on, of both kinds.
template <class Options>
std::vector<std::string> names_of(const std::vector<JobKey<Options>>& keys) {
    std::vector<std::string> names{"job.kind"};
    for (const JobKey<Options>& key : keys) {
        names.push_back(fmt::format("{}{}", kJob, key.name));
    }
    return names;
}

/// Names of parameters that some kernel has.
std::set<std::string> parameter_names() {
    std::set<std::string> names;
    for (const kernels::Kernel* kernel : kernels::registry()) {
        for (const kernels::Parameter& parameter : kernel->parameters()) {
            names.insert(std::string(parameter.name));
        }
    }
    return names;
}

/// Throws ConfigError for a value that no chip and no other value could make right.
void check_inverse(const Settings& job) {
    const JobOptions options = inverse_options(job);
    check_chunk(options.chunk);
    parse_dtype(options.dtype, "job.dtype");
    inverse::list_cases(options.input, options.count);
    inverse_request_of(job);
}

void check_layer(const Settings& job) {
    const LayerOptions options = layer_options(job);
    layer_job(options);
    if (!options.model.empty()) {
        load_model(options.model);
    }
}

std::string check_key(const std::string& key, const Settings& job) {
    const bool inverse = is_inverse(job);
    const std::vector<std::string> names =
        inverse ? names_of(inverse_keys()) : names_of(layer_keys());
    if (inverse && key.starts_with(kParams)) {
        const std::set<std::string> known = parameter_names();
        const std::string name = key.substr(kParams.size());
        return known.contains(name)
                   ? ""
                   : fmt::format("no kernel has this parameter (allowed: {})", join(known, ", "));
    }
    return std::ranges::count(names, key) > 0 ? ""
                                              : fmt::format("unknown key{} (allowed: {}{})",
                                                            did_you_mean(key, names),
                                                            join(names, ", "),
                                                            inverse ? ", job.params.NAME" : "");
}

/// What is wrong with a job, "" if nothing is.
std::string fault_of(const Settings& job) {
    try {
        is_inverse(job) ? check_inverse(job) : check_layer(job);
        return "";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

/// The other key that a value of `key` has to go with, "" if there is none.
std::string_view companion_of(const std::string& key) {
    if (key.starts_with(kParams)) {
        return "job.kernel";
    }
    constexpr std::array<std::array<std::string_view, 2>, 3> pairs{
        {{"job.weights", "job.dtype"}, {"job.tokens", "job.count"}, {"job.count", "job.tokens"}}};
    const auto* pair = std::ranges::find(pairs, key, [](const auto& one) { return one[0]; });
    return pair == pairs.end() ? "" : (*pair)[1];
}

/// What is wrong with the kind of a job, as far as it is to be said of `key`; nothing if it is one.
std::optional<std::string> kind_fault(const std::string& key, const Settings& job) {
    const auto kind = job.find("job.kind");
    if (kind == job.end()) { // not said of every key
        return key == job.begin()->first
                   ? fmt::format("job.kind is missing (allowed: {})", join(kKinds, ", "))
                   : "";
    }
    const std::string text = explore::to_text(kind->second);
    if (std::ranges::count(kKinds, text) > 0) {
        return std::nullopt;
    }
    return key == kind->first ? fmt::format("{}: (allowed: {})", text, join(kKinds, ", ")) : "";
}

/// What is wrong with a value of a job by itself, "" if nothing is.
std::string check_job(const std::string& key, const Value& value, const Settings& job) {
    if (std::optional<std::string> fault = kind_fault(key, job)) {
        return *fault;
    }
    if (std::string wrong = check_key(key, job); !wrong.empty()) {
        return wrong;
    }
    Settings own{*job.find("job.kind")};
    if (const auto other = job.find(companion_of(key)); other != job.end()) {
        own.insert(*other);
        if (!fault_of(own).empty()) {
            return ""; // a fault of the other
        }
    }
    own[key] = value;
    return fault_of(own);
}

void put_busy(Results& results, const observe::RunStatistics& statistics, std::int64_t cycles) {
    for (std::size_t i = 0; i < kPipeCount; ++i) {
        const auto pipe = static_cast<Pipe>(i);
        if (const double share = utilization(statistics, pipe, cycles); !std::isnan(share)) {
            results[fmt::format("{}_busy", to_string(pipe))] = share;
        }
    }
}

/// Energy and what follows from it. `seconds` are those of `time_us`, which may leave out launch.
void put_energy(Results& results, double joules, double watts, double seconds, double tokens) {
    results["energy_uj"] = joules * 1e6;
    results["energy_per_token_uj"] = joules * 1e6 / tokens;
    results["power_w"] = watts;
    results["edp_ujs"] = joules * 1e6 * seconds;
}

void put_area(Results& results, const config::HardwareConfig& hardware) {
    if (const auto area = physical::area_of(hardware)) {
        results["area_mm2"] = area->chip();
    }
}

Results results_of(const Result& result, const config::HardwareConfig& hardware) {
    const auto cycles = static_cast<double>(result.cycles_after_launch());
    const auto tokens = static_cast<double>(result.problem.count * result.problem.chunk);
    const double seconds = cycles / result.clock_mhz * 1e-6;
    Results results{
        {"cycles", cycles},
        {"time_us", seconds * 1e6},
        {"cycles_per_token", cycles / tokens},
        {"gm_bytes",
         static_cast<double>(result.statistics.gm_bytes_read + result.statistics.gm_bytes_written)},
        {"hbm_bytes", static_cast<double>(result.statistics.hbm_bytes)},
        {"roofline", result.useful_gflops() / result.bound_gflops()},
    };
    put_busy(results, result.statistics, result.cycles_after_launch());
    if (result.accuracy) {
        const bool usable = result.accuracy->non_finite == 0;
        const double none = std::numeric_limits<double>::infinity();
        results["error"] = usable ? result.accuracy->rel_frobenius_max : none;
        results["error_median"] = usable ? result.accuracy->rel_frobenius_median : none;
    }
    if (result.energy) {
        put_energy(results, result.energy->joules(), result.energy->watts(), seconds, tokens);
    }
    put_area(results, hardware);
    return results;
}

/// Mean of a figure of operators over the cycles of a decoder.
double mean_over(const ModelCost& cost, double OperatorRun::*figure) {
    double sum = 0;
    double cycles = 0;
    cost.each_operator([&](const OperatorCost& op, std::int64_t times) {
        const auto each = static_cast<double>(op.cycles * times);
        sum += each * (op.*figure);
        cycles += each;
    });
    return cycles > 0 ? sum / cycles : 0;
}

double sum_over(const ModelCost& cost, std::int64_t OperatorRun::*figure) {
    double sum = 0;
    cost.each_operator([&](const OperatorCost& op, std::int64_t times) {
        sum += static_cast<double>(times * (op.*figure));
    });
    return sum;
}

Results results_of(const ModelCost& cost, const config::HardwareConfig& hardware) {
    const auto cycles = static_cast<double>(cost.total(cost.layers));
    const double seconds = cycles / cost.clock_mhz * 1e-6;
    const auto tokens = static_cast<double>(cost.job.rows());
    double inverse = 0;
    for (const LayerCost& layer : cost.layers) {
        inverse += static_cast<double>(layer.count * layer.cycles_of(Part::Inverse));
    }
    Results results{
        {"cycles", cycles},
        {"time_us", seconds * 1e6},
        {"cycles_per_token", cycles / tokens},
        {"tokens_per_second", tokens / seconds},
        {"inverse_share", inverse / cycles},
        {"cube_busy", mean_over(cost, &OperatorRun::cube)},
        {"vector_busy", mean_over(cost, &OperatorRun::vector)},
        {"gm_bytes", sum_over(cost, &OperatorRun::gm_bytes)},
        {"hbm_bytes", sum_over(cost, &OperatorRun::hbm_bytes)},
    };
    if (hardware.technology) {
        const double joules = cost.total_joules(cost.layers);
        put_energy(results, joules, joules / seconds, seconds, tokens);
    }
    put_area(results, hardware);
    return results;
}

/// Options that say which matrices are meant.
std::string input_key(const JobOptions& options) {
    return fmt::format("{} {} {} {} {} {} {} {}",
                       options.input,
                       options.chunk,
                       options.count,
                       options.seed,
                       options.dtype,
                       options.scale,
                       options.calibrate,
                       options.timing_only);
}

} // namespace

explore::Evaluator sweep_evaluator() {
    explore::Evaluator evaluator;
    for (const ResultInfo& info : result_infos()) {
        evaluator.results.emplace_back(info.name);
    }
    evaluator.check_job = check_job;
    return evaluator;
}

std::string unit_of(const std::string& result) {
    const auto& infos = result_infos();
    const auto info = std::ranges::find(infos, result, &ResultInfo::name);
    return info == infos.end() || info->unit == result ? "" : std::string(info->unit);
}

std::string with_unit(const std::string& result) {
    const std::string unit = unit_of(result);
    return unit.empty() ? result : fmt::format("{}, {}", result, unit);
}

const std::vector<ResultInfo>& result_infos() {
    static const std::vector<ResultInfo> infos{
        {"cycles", "cycles", "of an inverse after launch; of a decoder with all launches"},
        {"time_us", "us", "the same as time"},
        {"cycles_per_token", "cycles", "of all chunks; of a layer, of its rows"},
        {"error", "", "inverse: worst relative Frobenius error of a matrix"},
        {"error_median", "", "inverse: median of the same"},
        {"tokens_per_second", "1/s", "layer"},
        {"inverse_share", "", "layer: of the cycles"},
        {"scalar_busy", "", "inverse: share of the cycles, mean over the cores that have the pipe"},
        {"vector_busy", "", "the same"},
        {"cube_busy", "", "the same"},
        {"mte1_busy", "", "inverse: the same"},
        {"mte2_busy", "", "inverse: the same"},
        {"mte3_busy", "", "inverse: the same"},
        {"fixpipe_busy", "", "inverse: the same"},
        {"roofline", "", "inverse: useful flops of what the roofline allows"},
        {"gm_bytes", "bytes", "read and written"},
        {"hbm_bytes", "bytes", "of these, past L2"},
        {"energy_uj", "uJ", "of the run, with launch"},
        {"energy_per_token_uj", "uJ", "of all chunks; of a layer, of its rows"},
        {"power_w", "W", "mean"},
        {"edp_ujs", "uJ s", "energy times time"},
        {"area_mm2", "mm2", "of the chip, as far as it is modelled"},
    };
    return infos;
}

bool is_inverse(const Settings& job) {
    return explore::to_text(job.at("job.kind")) == "inverse";
}

JobOptions inverse_options(const Settings& job) {
    InverseOptions options = options_from(inverse_keys(), job);
    if (options.kernels.empty()) {
        options.kernels = {"inverse/neumann"};
    }
    if (options.tokens < 0 || (options.tokens > 0 && options.count > 0)) {
        throw ConfigError("job.tokens: (allowed: above 0, instead of job.count)");
    }
    if (options.tokens > 0) {
        options.count = (options.tokens + options.chunk - 1) / options.chunk;
    }
    return options;
}

KernelRequest inverse_request_of(const Settings& job) {
    const JobOptions options = inverse_options(job);
    std::map<std::string, std::string> parameters;
    for (auto at = job.lower_bound(kParams); at != job.end() && at->first.starts_with(kParams);
         ++at) {
        parameters[at->first.substr(kParams.size())] = explore::to_text(at->second);
    }
    return parse_request(options.kernels.front(), parameters);
}

LayerOptions layer_options(const Settings& job) {
    return options_from(layer_keys(), job);
}

PointRunner::PointRunner(const explore::Sweep& sweep) {
    files_.emplace(sweep.base.file, sweep.base.content);
    for (const auto& entry : sweep.bases) {
        files_.emplace(entry.second.file, entry.second.content);
    }
}

Workload PointRunner::workload_of(const JobOptions& options) {
    std::string key = input_key(options);
    auto found = inputs_.find(key);
    if (found == inputs_.end()) {
        if (inputs_.size() >= kMostInputs) {
            inputs_.clear();
        }
        found = inputs_.emplace(std::move(key), std::make_unique<LoadedInput>(options)).first;
    }
    return found->second->workload();
}

Results PointRunner::run_inverse(const explore::Point& point,
                                 const config::HardwareConfig& hardware) {
    const JobOptions options = inverse_options(point.job);
    const KernelRequest request = inverse_request_of(point.job);
    const Workload workload = workload_of(options);
    std::uint64_t key = hash_text(config::to_yaml(hardware), hash_text(input_key(options)));
    key = hash_text(request.kernel->name(), key);
    for (const auto& [name, value] : request.kernel->settle(workload.problem, request.values)) {
        key = hash_text(fmt::format("{}={} ", name, value), key);
    }
    if (const auto found = done_.find(key); found != done_.end()) {
        return found->second;
    }
    if (done_.size() >= kMostDone) {
        done_.clear();
    }
    return done_[key] = results_of(run(hardware, request, workload), hardware);
}

ModelCost PointRunner::model_cost(const Settings& job, const config::HardwareConfig& hardware) {
    const LayerOptions options = layer_options(job);
    if (options.model.empty()) {
        throw ConfigError("job.model: missing (see: npusim list models)");
    }
    auto model = models_.find(options.model);
    if (model == models_.end()) {
        model = models_.emplace(options.model, load_model(options.model)).first;
    }
    if (chips_.size() >= kMostChips) {
        chips_.clear();
    }
    std::unique_ptr<TimedChip>& chip = chips_[hash_text(config::to_yaml(hardware))];
    if (chip == nullptr) {
        chip = std::make_unique<TimedChip>(hardware);
    }
    return cost_of_model(chip->hardware,
                         model->second,
                         layer_job(options),
                         options.launch == "each",
                         std::nullopt,
                         chip->timer);
}

Results PointRunner::operator()(const explore::Point& point) {
    const config::HardwareConfig hardware = hardware_of(point);
    return is_inverse(point.job) ? run_inverse(point, hardware)
                                 : results_of(model_cost(point.job, hardware), hardware);
}

} // namespace npusim::app
