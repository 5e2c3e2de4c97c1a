// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/input.h"
#include "sim/app/job.h"
#include "sim/config/hardware.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace npusim::app {

/// Kernels, a chip and matrices, as the command line names them.
struct JobOptions {
    std::string config;
    std::vector<std::string> kernels;
    std::int64_t chunk = 64;
    std::string dtype = "fp16";
    std::string scale; ///< empty: head, or tensor with a calibration set
    std::string calibrate;
    std::string input = "trained";
    std::int64_t count = 0;
    std::int64_t seed = 1;
    std::vector<std::string> parameters; ///< of all kernels
    std::vector<std::string> sets;
    bool timing_only = false;
    bool exact = false;
    std::string format = "text";
    bool verbose = false;
    bool quiet = false;
};

/// What every command that runs kernels takes.
void add_job_options(CLI::App& command, JobOptions& options);
/// -p and its short forms, for commands that run the kernels of -k and no others.
void add_parameter_options(CLI::App& command, JobOptions& options);
/// --timing-only and --exact; returns the former.
CLI::Option* add_timing_option(CLI::App& command, JobOptions& options);

/// The matrices that options name, read and checked, and what results are held against.
class LoadedInput {
  public:
    /// Throws ConfigError.
    explicit LoadedInput(const JobOptions& options);

    /// Points into this.
    [[nodiscard]] Workload workload() const;

  private:
    inverse::Matrices matrices_;
    kernels::Problem problem_;
    std::optional<inverse::ReferenceSet> reference_; ///< none: timing only
    std::optional<inverse::Matrices> calibration_;
    bool exact_;
};

/// All that options name, read and checked.
class LoadedJob {
  public:
    /// Throws ConfigError.
    explicit LoadedJob(const JobOptions& options);

    [[nodiscard]] const config::HardwareConfig& hardware() const { return hardware_; }
    [[nodiscard]] const std::vector<KernelRequest>& requests() const { return requests_; }
    /// Points into this job.
    [[nodiscard]] Workload workload() const { return input_.workload(); }

  private:
    config::HardwareConfig hardware_;
    std::vector<KernelRequest> requests_;
    LoadedInput input_;
};

} // namespace npusim::app
