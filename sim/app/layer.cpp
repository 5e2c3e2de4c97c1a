// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer.h"

#include "sim/app/operator_run.h"
#include "sim/app/report_parts.h"
#include "sim/app/select_report.h"

#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace npusim::app {

namespace {

/// The kinds of layers of `model`, with how many there are of each.
std::vector<LayerCost> layer_kinds(OperatorTimer& timer,
                                   const Decoder& decoder,
                                   const config::ModelConfig& model,
                                   const KernelRequest& inverse) {
    std::vector<LayerCost> kinds;
    for (const bool full : {false, true}) {
        for (const bool dense : {true, false}) {
            std::int64_t count = 0;
            for (std::int64_t layer = 1; layer <= model.layers; ++layer) {
                count += model.is_full(layer) == full && model.is_dense(layer) == dense ? 1 : 0;
            }
            if (count > 0) {
                kinds.push_back({fmt::format("{} attention, {}",
                                             full ? "softmax" : "linear",
                                             dense ? "dense" : "experts"),
                                 count,
                                 timer.time(decoder.layer(full, dense, inverse))});
            }
        }
    }
    return kinds;
}

} // namespace

std::int64_t LayerCost::cycles() const {
    return std::transform_reduce(operators.begin(),
                                 operators.end(),
                                 std::int64_t{0},
                                 std::plus<>(),
                                 [](const OperatorCost& op) { return op.cycles; });
}

std::int64_t LayerCost::cycles_of(Part part) const {
    std::int64_t sum = 0;
    for (const OperatorCost& op : operators) {
        sum += op.part == part ? op.cycles : 0;
    }
    return sum;
}

std::int64_t ModelCost::with_launches(const LayerCost& layer) const {
    return layer.cycles() + (launch_each ? launch * std::ssize(layer.operators) : 0);
}

std::int64_t ModelCost::total(const std::vector<LayerCost>& kinds) const {
    std::int64_t sum = with_launches(head) + (launch_each ? 0 : launch);
    for (const LayerCost& layer : kinds) {
        sum += layer.count * with_launches(layer);
    }
    return sum;
}

OperatorCost OperatorTimer::time(const Step& step) {
    const auto op = step.make();
    const std::string key = fmt::format("{} {}", op->name(), step.shape);
    const auto [found, fresh] = seen_.try_emplace(key);
    OperatorCost& cost = found->second;
    if (fresh) {
        if (progress_) {
            progress_(key);
        }
        const observe::RunStatistics statistics = time_operator(hardware_, *op);
        cost.kernel = op->name();
        cost.shape = step.shape;
        cost.cycles = (statistics.total - hardware_.launch).count();
        cost.flops = op->flops();
        cost.macs = statistics.macs;
        cost.cube = utilization(statistics, Pipe::Cube, cost.cycles);
        cost.vector = utilization(statistics, Pipe::Vector, cost.cycles);
        cost.gm_bytes = statistics.gm_bytes_read + statistics.gm_bytes_written;
        cost.hbm_bytes = statistics.hbm_bytes;
        cost.compulsory_bytes = op->compulsory_bytes();
    }
    OperatorCost labelled = cost;
    labelled.label = step.label;
    labelled.part = step.part;
    return labelled;
}

std::vector<OperatorCost> OperatorTimer::time(const std::vector<Step>& steps) {
    std::vector<OperatorCost> costs;
    costs.reserve(steps.size());
    for (const Step& step : steps) {
        costs.push_back(time(step));
    }
    return costs;
}

ModelCost cost_of_model(const config::HardwareConfig& hardware,
                        const config::ModelConfig& model,
                        const LayerJob& job,
                        bool launch_each,
                        const std::optional<KernelRequest>& versus,
                        const std::function<void(const std::string&)>& progress) {
    OperatorTimer timer(hardware, progress);
    const Decoder decoder(hardware, model, job);
    ModelCost cost;
    cost.model = model;
    cost.job = job;
    cost.hardware = hardware.name;
    cost.clock_mhz = hardware.clock_mhz;
    cost.launch = hardware.launch.count();
    cost.launch_each = launch_each;
    cost.layers = layer_kinds(timer, decoder, model, job.inverse);
    cost.head = {"head", 1, timer.time(decoder.head())};
    if (versus) {
        cost.versus = spec(*versus);
        cost.versus_layers = layer_kinds(timer, decoder, model, *versus);
    }
    cost.simulated = timer.simulated();
    return cost;
}

} // namespace npusim::app
