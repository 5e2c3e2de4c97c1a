// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer.h"

#include "sim/app/operator_run.h"
#include "sim/app/process_pool.h"
#include "sim/app/report_parts.h"
#include "sim/app/select_report.h"
#include "sim/base/error.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <functional>
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

std::vector<LayerCost> cost_of(OperatorTimer& timer, const std::vector<LayerKind>& kinds) {
    std::vector<LayerCost> costs;
    costs.reserve(kinds.size());
    for (const LayerKind& kind : kinds) {
        costs.push_back({kind.name, kind.count, timer.time(kind.steps)});
    }
    return costs;
}

std::string key_of(const kernels::Operator& op, const Step& step) {
    return fmt::format("{} {}", op.name(), step.shape);
}

/// What a run of an operator shows.
struct Measured {
    std::int64_t cycles = 0;
    std::int64_t macs = 0;
    double cube = 0;
    double vector = 0;
    std::int64_t gm_bytes = 0;
    std::int64_t hbm_bytes = 0;
};

Measured measure(const config::HardwareConfig& hardware, const kernels::Operator& op) {
    const observe::RunStatistics run = time_operator(hardware, op);
    const std::int64_t cycles = (run.total - hardware.launch).count();
    return {cycles,
            run.macs,
            utilization(run, Pipe::Cube, cycles),
            utilization(run, Pipe::Vector, cycles),
            run.gm_bytes_read + run.gm_bytes_written,
            run.hbm_bytes};
}

// The first byte of what a task returns.
constexpr char kMeasured = '=';
constexpr char kRefused = '!';

/// As bytes, to pass between processes of one program.
std::string packed(const Measured& measured) {
    std::string bytes(sizeof measured, '\0');
    std::memcpy(bytes.data(), &measured, sizeof measured);
    return bytes;
}
Measured unpacked(const std::string& bytes) {
    Measured measured;
    std::memcpy(&measured, bytes.data(), sizeof measured);
    return measured;
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

void OperatorTimer::prepare(const std::vector<Step>& steps) {
    struct Task {
        std::string key;
        const Step* step;
        OperatorCost cost;
    };
    std::vector<Task> tasks;
    for (const Step& step : steps) {
        const auto op = step.make();
        Task task{key_of(*op, step), &step, {}};
        if (seen_.contains(task.key) ||
            std::ranges::find(tasks, task.key, &Task::key) != tasks.end()) {
            continue;
        }
        task.cost.kernel = op->name();
        task.cost.shape = step.shape;
        task.cost.flops = op->flops();
        task.cost.compulsory_bytes = op->compulsory_bytes();
        tasks.push_back(std::move(task));
    }
    // The long ones first, so that none is left over at the end.
    std::ranges::stable_sort(
        tasks, std::ranges::greater{}, [](const Task& task) { return task.cost.compulsory_bytes; });
    std::size_t ended = 0;
    const std::vector<TaskOutcome> outcomes = in_processes(
        tasks.size(),
        std::min(workers_, tasks.size()),
        [&](std::size_t i) {
            try {
                return kMeasured + packed(measure(hardware_, *tasks[i].step->make()));
            } catch (const ConfigError& error) { // the chip cannot hold it: the caller's to mend
                return kRefused + std::string(error.what());
            }
        },
        [&](std::size_t i, const TaskOutcome& /*outcome*/) {
            if (progress_) {
                progress_(fmt::format("{} of {}, {}", ++ended, tasks.size(), tasks[i].key));
            }
        });
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (!outcomes[i].done) {
            throw ModelError(fmt::format("{}: {}", tasks[i].key, outcomes[i].text));
        }
        const std::string answer = outcomes[i].text.substr(1);
        if (outcomes[i].text.front() == kRefused) {
            throw ConfigError(answer);
        }
        const Measured measured = unpacked(answer);
        OperatorCost& cost = tasks[i].cost;
        cost.cycles = measured.cycles;
        cost.macs = measured.macs;
        cost.cube = measured.cube;
        cost.vector = measured.vector;
        cost.gm_bytes = measured.gm_bytes;
        cost.hbm_bytes = measured.hbm_bytes;
        seen_.emplace(tasks[i].key, cost);
    }
}

std::vector<OperatorCost> OperatorTimer::time(const std::vector<Step>& steps) {
    prepare(steps);
    std::vector<OperatorCost> costs;
    costs.reserve(steps.size());
    for (const Step& step : steps) {
        OperatorCost& cost = costs.emplace_back(seen_.at(key_of(*step.make(), step)));
        cost.label = step.label;
        cost.part = step.part;
    }
    return costs;
}

ModelCost cost_of_model(const config::HardwareConfig& hardware,
                        const config::ModelConfig& model,
                        const LayerJob& job,
                        bool launch_each,
                        const std::optional<KernelRequest>& versus,
                        const std::function<void(const std::string&)>& progress,
                        std::size_t workers) {
    OperatorTimer timer(hardware, progress, workers);
    const Decoder decoder(hardware, model, job);
    ModelCost cost;
    cost.model = model;
    cost.job = job;
    cost.hardware = hardware.name;
    cost.clock_mhz = hardware.clock_mhz;
    cost.launch = hardware.launch.count();
    cost.launch_each = launch_each;
    const std::vector<LayerKind> kinds = layer_kinds(decoder, model, job.inverse);
    std::vector<LayerKind> others;
    if (versus) {
        others = layer_kinds(decoder, model, *versus);
    }
    const std::vector<Step> head = decoder.head();
    std::vector<Step> all = head;
    for (const std::vector<LayerKind>* list : {&kinds, &std::as_const(others)}) {
        for (const LayerKind& kind : *list) {
            all.insert(all.end(), kind.steps.begin(), kind.steps.end());
        }
    }
    timer.prepare(all);
    cost.layers = cost_of(timer, kinds);
    cost.head = {"head", 1, timer.time(head)};
    if (versus) {
        cost.versus = spec(*versus);
        cost.versus_layers = cost_of(timer, others);
    }
    cost.simulated = timer.simulated();
    return cost;
}

} // namespace npusim::app
