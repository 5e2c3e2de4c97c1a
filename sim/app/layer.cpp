// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer.h"

#include "sim/app/process_pool.h"
#include "sim/app/sampling.h"
#include "sim/app/select_report.h"
#include "sim/base/error.h"
#include "sim/physical/energy.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

namespace npusim::app {

namespace {

/// A kind of layer and what it does.
struct LayerKind {
    std::string name;
    std::int64_t count = 0;
    std::vector<Step> steps;
};

/// The kinds of layers of `model`, with how many there are of each.
std::vector<LayerKind> layer_kinds(const Decoder& decoder,
                                   const config::ModelConfig& model,
                                   const KernelRequest& inverse) {
    std::vector<LayerKind> kinds;
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
                                 decoder.layer(full, dense, inverse)});
            }
        }
    }
    return kinds;
}

/// As bytes, to pass between processes of one program.
std::string packed(const OperatorRun& run) {
    std::string bytes(sizeof run, '\0');
    std::memcpy(bytes.data(), &run, sizeof run);
    return bytes;
}
OperatorRun unpacked(const std::string& bytes) {
    OperatorRun run;
    std::memcpy(&run, bytes.data(), sizeof run);
    return run;
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

double LayerCost::joules() const {
    return std::transform_reduce(
        operators.begin(), operators.end(), 0.0, std::plus<>(), [](const OperatorCost& op) {
            return op.joules;
        });
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

double ModelCost::joules_with_launches(const LayerCost& layer) const {
    const std::int64_t launches = with_launches(layer) - layer.cycles();
    return layer.joules() + launch_joules(launches);
}

double ModelCost::total_joules(const std::vector<LayerCost>& kinds) const {
    double sum = joules_with_launches(head) + (launch_each ? 0 : launch_joules(launch));
    for (const LayerCost& layer : kinds) {
        sum += static_cast<double>(layer.count) * joules_with_launches(layer);
    }
    return sum;
}

double ModelCost::launch_joules(std::int64_t cycles) const {
    return static_watts.value_or(0) * static_cast<double>(cycles) / (clock_mhz * 1e6);
}

std::vector<OperatorCost> OperatorTimer::time(const std::vector<Step>& steps, bool sampled) {
    struct Task {
        std::string key;
        std::unique_ptr<kernels::Operator> op;
        OperatorCost cost;
    };
    std::vector<std::string> keys; // by step
    std::vector<Task> tasks;
    for (const Step& step : steps) {
        auto op = step.make();
        const std::string& key = keys.emplace_back(
            fmt::format("{} {}{}", op->name(), step.shape, sampled ? ", sampled" : ""));
        if (seen_.contains(key) || std::ranges::find(tasks, key, &Task::key) != tasks.end()) {
            continue;
        }
        Task& task = tasks.emplace_back(Task{key, std::move(op), {}});
        task.cost.kernel = task.op->name();
        task.cost.shape = step.shape;
        task.cost.flops = task.op->flops();
        task.cost.compulsory_bytes = task.op->compulsory_bytes();
    }
    // The long ones first, so that none is left over at the end.
    std::ranges::stable_sort(
        tasks, std::ranges::greater{}, [](const Task& task) { return task.cost.compulsory_bytes; });
    std::size_t ended = 0;
    const std::vector<TaskOutcome> outcomes = in_processes(
        tasks.size(),
        std::min(workers_, tasks.size()),
        [&](std::size_t i) {
            kernels::Operator& op = *tasks[i].op;
            return packed(
                sampled ? sample(hardware_, op)
                        : operator_run(time_operator(hardware_, op, {.exact = exact_}), hardware_));
        },
        [&](std::size_t i, const TaskOutcome& /*outcome*/) {
            if (progress_) {
                progress_(fmt::format("{} of {}, {}", ++ended, tasks.size(), tasks[i].key));
            }
        });
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (outcomes[i].refused) {
            throw ConfigError(outcomes[i].text);
        }
        if (!outcomes[i].done) {
            throw ModelError(fmt::format("{}: {}", tasks[i].key, outcomes[i].text));
        }
        static_cast<OperatorRun&>(tasks[i].cost) = unpacked(outcomes[i].text);
        seen_.emplace(tasks[i].key, tasks[i].cost);
    }
    std::vector<OperatorCost> costs;
    costs.reserve(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        OperatorCost& cost = costs.emplace_back(seen_.at(keys[i]));
        cost.label = steps[i].label;
        cost.part = steps[i].part;
    }
    return costs;
}

ModelCost cost_of_model(const config::HardwareConfig& hardware,
                        const config::ModelConfig& model,
                        const LayerJob& job,
                        bool launch_each,
                        const std::optional<KernelRequest>& versus,
                        OperatorTimer& timer) {
    const Decoder decoder(hardware, model, job);
    ModelCost cost;
    cost.model = model;
    cost.job = job;
    cost.hardware = hardware.name;
    cost.clock_mhz = hardware.clock_mhz;
    cost.launch = hardware.launch.count();
    cost.launch_each = launch_each;
    cost.static_watts = physical::static_watts(hardware);
    std::vector<LayerKind> kinds = layer_kinds(decoder, model, job.inverse);
    const auto own = std::ssize(kinds);
    if (versus) {
        cost.versus = spec(*versus);
        std::ranges::move(layer_kinds(decoder, model, *versus), std::back_inserter(kinds));
    }
    kinds.push_back({"head", 1, decoder.head()});
    std::vector<Step> steps; // of all, to be timed side by side
    for (const LayerKind& kind : kinds) {
        steps.insert(steps.end(), kind.steps.begin(), kind.steps.end());
    }
    const std::vector<OperatorCost> costs = timer.time(steps, job.sampled);
    std::vector<LayerCost> layers;
    for (auto next = costs.begin(); const LayerKind& kind : kinds) {
        const auto end = next + std::ssize(kind.steps);
        layers.push_back({kind.name, kind.count, {next, end}});
        next = end;
    }
    cost.layers.assign(layers.begin(), layers.begin() + own);
    cost.versus_layers.assign(layers.begin() + own, layers.end() - 1);
    cost.head = layers.back();
    cost.simulated = timer.simulated();
    return cost;
}

} // namespace npusim::app
