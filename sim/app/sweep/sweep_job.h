// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job_options.h"
#include "sim/app/layer.h"
#include "sim/app/layer_options.h"
#include "sim/config/hardware.h"
#include "sim/explore/sweep.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

/// What runs at a point of a sweep: by the key `job.kind` an inverse (as `npusim run`) or the
/// layers of a decoder (as `npusim layer`, timing only).
namespace npusim::app {

/// The keys a job may have, and the names of its results, of both kinds.
explore::Evaluator sweep_evaluator();

/// A result of a point as reports name it.
struct ResultInfo {
    std::string_view name;
    std::string_view unit;
    std::string_view meaning;
};
const std::vector<ResultInfo>& result_infos();
/// "" where the name says it.
std::string unit_of(const std::string& result);
/// "time_us, us"
std::string with_unit(const std::string& result);

/// An inverse at a point: options of `run`, of which the chip is not one.
JobOptions inverse_options(const explore::Settings& job);
/// Its kernel, with those of the parameters that it has.
KernelRequest inverse_request_of(const explore::Settings& job);
/// The layers of a decoder at a point.
LayerOptions layer_options(const explore::Settings& job);
bool is_inverse(const explore::Settings& job);

/// Runs points one after the other. What they have in common is read and worked out once: hardware
/// files, matrices and their exact inverses, operators of a decoder, and simulations that come to
/// the same.
class PointRunner {
  public:
    /// `sweep` must outlive it.
    explicit PointRunner(const explore::Sweep& sweep);

    /// Throws ConfigError and ModelError where the point cannot run.
    explore::Results operator()(const explore::Point& point);

    /// The parts of it.
    [[nodiscard]] config::HardwareConfig hardware_of(const explore::Point& point) const {
        return files_.at(point.hardware_file)->with(point.hardware);
    }
    /// Good until the next call.
    Workload workload_of(const JobOptions& options);
    ModelCost model_cost(const explore::Settings& job, const config::HardwareConfig& hardware);

  private:
    explore::Results run_inverse(const explore::Point& point,
                                 const config::HardwareConfig& hardware);

    /// A chip with what has been timed on it.
    struct TimedChip {
        explicit TimedChip(config::HardwareConfig chip) : hardware(std::move(chip)) {}

        config::HardwareConfig hardware;
        OperatorTimer timer{hardware};
    };

    std::map<std::string, std::shared_ptr<const config::HardwareFile>> files_;
    std::map<std::string, std::unique_ptr<LoadedInput>> inputs_;          ///< by their options
    std::unordered_map<std::uint64_t, explore::Results> done_;            ///< by all they depend on
    std::unordered_map<std::uint64_t, std::unique_ptr<TimedChip>> chips_; ///< by their settings
    std::map<std::string, config::ModelConfig> models_;
};

} // namespace npusim::app
