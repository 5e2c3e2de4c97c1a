// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/decoder.h"
#include "sim/app/operator_run.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// What one operator took.
struct OperatorCost : OperatorRun {
    std::string label;
    Part part = Part::Projection;
    std::string kernel;
    std::string shape;
    double flops = 0; ///< of the textbook formula
    std::int64_t compulsory_bytes = 0;
};

/// One kind of decoder layer.
struct LayerCost {
    std::string name; ///< "linear attention, dense"
    std::int64_t count = 0;
    std::vector<OperatorCost> operators;

    [[nodiscard]] std::int64_t cycles() const; ///< without launches
    [[nodiscard]] std::int64_t cycles_of(Part part) const;
    [[nodiscard]] double joules() const; ///< without launches
};

/// A whole decoder.
struct ModelCost {
    config::ModelConfig model;
    LayerJob job;
    std::string hardware;
    double clock_mhz = 0;
    std::int64_t launch = 0;            ///< cycles of a launch
    bool launch_each = true;            ///< paid by every operator, not once
    std::optional<double> static_watts; ///< drawn during launches; absent without a technology
    std::vector<LayerCost> layers;      ///< by kind
    LayerCost head;
    std::optional<std::string> versus;    ///< the other inverse
    std::vector<LayerCost> versus_layers; ///< the same kinds with it
    std::int64_t simulated = 0;           ///< different operators that were simulated

    /// Calls `visit(operator, times)` for all that a pass does, head included.
    template <class Visit> void each_operator(const Visit& visit) const {
        for (const LayerCost& layer : layers) {
            for (const OperatorCost& op : layer.operators) {
                visit(op, layer.count);
            }
        }
        for (const OperatorCost& op : head.operators) {
            visit(op, head.count);
        }
    }
    /// Cycles of a layer with the launches it pays.
    [[nodiscard]] std::int64_t with_launches(const LayerCost& layer) const;
    /// All layers and the head.
    [[nodiscard]] std::int64_t total(const std::vector<LayerCost>& kinds) const;
    /// J of the same.
    [[nodiscard]] double total_joules(const std::vector<LayerCost>& kinds) const;
    /// J of a layer with the launches it pays.
    [[nodiscard]] double joules_with_launches(const LayerCost& layer) const;

  private:
    /// J of cycles in which nothing runs.
    [[nodiscard]] double launch_joules(std::int64_t cycles) const;
};

/// Times operators, timing only, each different one once.
class OperatorTimer {
  public:
    /// `workers`: processes to run in. `exact`: see model::Job.
    explicit OperatorTimer(const config::HardwareConfig& hardware,
                           std::function<void(const std::string&)> progress = {},
                           std::size_t workers = 1,
                           bool exact = false)
        : hardware_(hardware), progress_(std::move(progress)), workers_(workers), exact_(exact) {}
    /// What each of `steps` takes; those that have not been timed before are, side by side.
    /// `sampled`: see sample(). Throws ConfigError where the chip cannot hold one, ModelError where
    /// one cannot run.
    std::vector<OperatorCost> time(const std::vector<Step>& steps, bool sampled = false);
    [[nodiscard]] std::int64_t simulated() const { return std::ssize(seen_); }

  private:
    const config::HardwareConfig& hardware_;
    std::function<void(const std::string&)> progress_;
    std::size_t workers_;
    bool exact_;
    std::map<std::string, OperatorCost> seen_; ///< by kernel, shape, and whether it was sampled
};

/// `versus`: also with this inverse. `timer` is of `hardware`. Throws ConfigError where the chip
/// cannot hold an operator.
ModelCost cost_of_model(const config::HardwareConfig& hardware,
                        const config::ModelConfig& model,
                        const LayerJob& job,
                        bool launch_each,
                        const std::optional<KernelRequest>& versus,
                        OperatorTimer& timer);

std::string layer_text(const ModelCost& cost);
std::string layer_json(const ModelCost& cost);
std::string layer_csv(const ModelCost& cost);

} // namespace npusim::app
