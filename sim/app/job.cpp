// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job.h"

#include "sim/base/error.h"
#include "sim/base/hash.h"
#include "sim/functional/memory.h"
#include "sim/functional/program_order.h"
#include "sim/model/simulation.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace npusim::app {

namespace {

std::string identity(const config::HardwareConfig& hardware,
                     const KernelRequest& request,
                     const kernels::Problem& problem) {
    std::string text = config::to_yaml(hardware) + std::string(request.kernel->name());
    for (const auto& [name, value] : request.values) {
        text += fmt::format("\n{}={}", name, value);
    }
    text += fmt::format("\n{} {} {}", problem.count, problem.chunk, to_string(problem.dtype));
    return is_integer(problem.dtype) ? text + fmt::format(" {}", to_string(problem.scaling)) : text;
}

/// Infinite where the cube lacks `dtype`: what runs all the same is bound by memory alone.
double cube_peak_gflops(const config::HardwareConfig& hardware, DType dtype) {
    const auto format = hardware.cube.formats.find(dtype);
    if (format == hardware.cube.formats.end()) {
        return std::numeric_limits<double>::infinity();
    }
    const config::CubeFormat& block = format->second;
    return 2e-3 * static_cast<double>(block.m * block.k * block.n) /
           static_cast<double>(block.cycles_per_block) * static_cast<double>(hardware.ai_cores) *
           hardware.clock_mhz;
}

void write_inputs(const kernels::Plan& plan,
                  const inverse::Matrices& matrices,
                  functional::GlobalMemory& gm) {
    const std::int64_t elements = matrices.size * matrices.size;
    std::vector<float> row(static_cast<std::size_t>(matrices.size));
    for (std::int64_t i = 0; i < matrices.count; ++i) {
        const isa::Tile tile = plan.input(i);
        const double scale = plan.input_scale(i);
        for (std::int64_t r = 0; r < matrices.size; ++r) {
            const auto from = matrices.values.begin() + i * elements + r * matrices.size;
            std::transform(from, from + matrices.size, row.begin(), [&](double value) {
                return static_cast<float>(value / scale);
            });
            functional::store_row(tile, gm.data() + tile.address, r, row.data());
        }
    }
}

functional::GlobalMemory filled_memory(const kernels::Plan& plan,
                                       const inverse::Matrices& matrices) {
    functional::GlobalMemory gm = functional::make_global_memory(plan.gm_bytes());
    plan.write_constants(gm);
    write_inputs(plan, matrices, gm);
    return gm;
}

std::vector<double> read_outputs(const kernels::Plan& plan,
                                 const kernels::Problem& problem,
                                 const functional::GlobalMemory& gm) {
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(problem.count * problem.chunk * problem.chunk));
    std::vector<float> row(static_cast<std::size_t>(problem.chunk));
    for (std::int64_t i = 0; i < problem.count; ++i) {
        const isa::Tile tile = plan.output(i);
        const double scale = plan.output_scale(i, gm);
        for (std::int64_t r = 0; r < problem.chunk; ++r) {
            functional::load_row(tile, gm.data() + tile.address, r, row.data());
            std::transform(row.begin(), row.end(), std::back_inserter(values), [&](float value) {
                return value * scale;
            });
        }
    }
    return values;
}

/// Which matrices share a scale.
kernels::Calibration calibration_of(const Workload& workload) {
    if (workload.matrices == nullptr || !is_integer(workload.problem.dtype)) {
        return {};
    }
    const inverse::Matrices& matrices = *workload.matrices;
    const inverse::Matrices& from =
        workload.calibration != nullptr ? *workload.calibration : matrices;
    const auto count = static_cast<std::size_t>(matrices.count);
    kernels::Calibration calibration{from.values, {}, {}};
    switch (workload.problem.scaling) {
    case kernels::Scaling::Tensor:
        calibration.group_of.resize(static_cast<std::size_t>(from.count));
        calibration.group_of_a.resize(count);
        break;
    case kernels::Scaling::Head:
        calibration.group_of = from.heads;
        calibration.group_of_a = matrices.heads;
        break;
    case kernels::Scaling::Matrix:
        calibration.matrices = matrices.values;
        calibration.group_of.resize(count);
        std::iota(calibration.group_of.begin(), calibration.group_of.end(), 0);
        calibration.group_of_a = calibration.group_of;
        break;
    }
    return calibration;
}

kernels::Problem with_calibration(const Workload& workload,
                                  const kernels::Calibration& calibration) {
    kernels::Problem problem = workload.problem;
    problem.calibration = calibration.group_of.empty() ? nullptr : &calibration;
    return problem;
}

std::vector<StepNumerics> steps_of(const kernels::Plan& plan,
                                   const functional::Numerics& numerics) {
    const std::vector<std::string> names = plan.steps();
    std::vector<StepNumerics> steps;
    for (const auto& [step, figures] : numerics.steps) {
        const auto stored = static_cast<double>(std::max<std::int64_t>(figures.stored, 1));
        steps.push_back({names.at(static_cast<std::size_t>(step)),
                         figures.peak,
                         figures.peak_code,
                         static_cast<double>(figures.saturated) / stored,
                         static_cast<double>(figures.flushed) / stored});
    }
    return steps;
}

} // namespace

KernelRequest parse_request(const std::string& text,
                            const std::map<std::string, std::string>& shared) {
    const std::size_t colon = text.find(':');
    KernelRequest request;
    request.kernel = &kernels::find_kernel(text.substr(0, colon));
    std::map<std::string, std::string> given;
    for (const kernels::Parameter& parameter : request.kernel->parameters()) {
        if (const auto found = shared.find(parameter.name); found != shared.end()) {
            given.insert(*found);
        }
    }
    std::size_t at = colon == std::string::npos ? text.size() : colon + 1;
    while (at < text.size()) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string item = text.substr(at, comma - at);
        const std::size_t equals = item.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw ConfigError(fmt::format(
                "-k {}: '{}' is no parameter (allowed: NAME:key=value,key=value)", text, item));
        }
        given[item.substr(0, equals)] = item.substr(equals + 1);
        at = comma + 1;
    }
    request.values = kernels::resolve_parameters(*request.kernel, given);
    for (const auto& [name, text_of_value] : given) {
        request.given[name] = request.values.at(name);
    }
    return request;
}

double Result::useful_gflops() const {
    const auto n = static_cast<double>(problem.chunk);
    return static_cast<double>(problem.count) * n * n * n / 3 / microseconds() / 1e3;
}

double Result::intensity() const {
    const auto bytes = static_cast<double>(statistics.hbm_bytes);
    return bytes == 0 ? 0 : useful_flops() / bytes;
}

double Result::bound_gflops() const {
    return std::min(peak_gflops, intensity() * peak_gbps);
}

Result run(const config::HardwareConfig& hardware,
           const KernelRequest& request,
           const Workload& workload,
           observe::Observers observers) {
    const kernels::Calibration calibration = calibration_of(workload);
    const kernels::Problem problem = with_calibration(workload, calibration);
    const kernels::ParameterValues values = request.kernel->settle(problem, request.values);
    const auto plan = request.kernel->plan(hardware, problem, values);

    functional::GlobalMemory gm;
    functional::Numerics numerics;
    const bool functional = workload.matrices != nullptr;
    if (functional) {
        gm = filled_memory(*plan, *workload.matrices);
    }

    observe::StatisticsCollector statistics;
    observers.push_back(&statistics);
    const model::Job job{.program = [&](isa::CoreId core) { return plan->program(core); },
                         .gm = functional ? &gm : nullptr,
                         .numerics = functional ? &numerics : nullptr,
                         .exact = workload.exact};
    model::simulate(hardware, job, observers);

    Result result;
    result.kernel = request.kernel->name();
    result.values = values;
    result.parameters = request.kernel->parameters();
    result.hardware = hardware.name;
    result.clock_mhz = hardware.clock_mhz;
    result.launch = hardware.launch;
    result.problem = workload.problem;
    result.statistics = statistics.result();
    result.energy = physical::energy_of(result.statistics, hardware);
    result.area = physical::area_of(hardware);
    result.config_hash = fmt::format("{:016x}", hash_text(identity(hardware, request, problem)));
    result.peak_gflops = cube_peak_gflops(hardware, problem.dtype);
    result.peak_gbps = hardware.gm.hbm_bytes_per_cycle * hardware.clock_mhz * 1e-3;
    if (functional) {
        result.steps = steps_of(*plan, numerics);
        result.saturated_accumulators = numerics.saturated_accumulators;
        result.inverses = read_outputs(*plan, problem, gm);
        std::optional<inverse::ReferenceSet> own;
        const inverse::ReferenceSet& reference =
            workload.reference != nullptr ? *workload.reference : own.emplace(*workload.matrices);
        result.accuracy = reference.measure(result.inverses);
        result.cases = reference.measure_cases(result.inverses);
    }
    return result;
}

std::vector<double> run_in_program_order(const config::HardwareConfig& hardware,
                                         const KernelRequest& request,
                                         const Workload& workload) {
    const kernels::Calibration calibration = calibration_of(workload);
    const kernels::Problem problem = with_calibration(workload, calibration);
    const auto plan =
        request.kernel->plan(hardware, problem, request.kernel->settle(problem, request.values));
    functional::GlobalMemory gm = filled_memory(*plan, *workload.matrices);
    functional::run_in_program_order(
        hardware, [&](isa::CoreId core) { return plan->program(core); }, gm);
    return read_outputs(*plan, problem, gm);
}

} // namespace npusim::app
