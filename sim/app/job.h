// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/inverse/accuracy.h"
#include "kernels/inverse/input.h"
#include "sim/config/hardware.h"
#include "sim/observe/observer.h"
#include "sim/observe/statistics.h"
#include "sim/physical/area.h"
#include "sim/physical/energy.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// A kernel and the parameters asked for, e.g. from `inverse/neumann:order=4,steps=8`.
struct KernelRequest {
    const kernels::Kernel* kernel = nullptr;
    kernels::ParameterValues values;
    kernels::ParameterValues given = {}; ///< those of `values` that were asked for
};

/// Parses `NAME[:key=value,...]`; `shared` are `-p` values, used where the kernel has the
/// parameter. Throws ConfigError.
KernelRequest parse_request(const std::string& text,
                            const std::map<std::string, std::string>& shared);

/// What to run a kernel on.
struct Workload {
    kernels::Problem problem;
    const inverse::Matrices* matrices = nullptr; ///< null: timing only
    /// Of `matrices`, shared by the kernels of a job; null: `run` makes its own.
    const inverse::ReferenceSet* reference = nullptr;
    /// What scales of integer formats are set from; null: `matrices` themselves.
    const inverse::Matrices* calibration = nullptr;
    bool exact = false; ///< see model::Job
};

/// What a number format did to the results of one step of a kernel, over all its matrices.
struct StepNumerics {
    std::string name;
    double peak = 0;            ///< largest finite |value| stored
    double peak_code = 0;       ///< the stored number: of an integer format, the integer
    double saturated_share = 0; ///< of entries: infinite or clamped
    double flushed_share = 0;   ///< of entries: other than zero, stored as zero
};

/// Everything measured in one run.
struct Result {
    std::string kernel;
    kernels::ParameterValues values;
    std::vector<kernels::Parameter> parameters;
    std::string hardware;
    double clock_mhz = 0;
    Cycles launch; ///< of `statistics.total`, before anything runs
    kernels::Problem problem;
    observe::RunStatistics statistics;
    std::optional<physical::Energy> energy;    ///< absent where the hardware has no technology
    std::optional<physical::Area> area;        ///< the same
    std::optional<inverse::Accuracy> accuracy; ///< absent in a timing-only run
    std::vector<inverse::CaseAccuracy> cases;  ///< of the input; empty in a timing-only run
    std::vector<StepNumerics> steps;           ///< empty in a timing-only run
    std::int64_t saturated_accumulators = 0;   ///< sums clamped to the range of L0C
    std::vector<double> inverses; ///< [count, chunk, chunk]; empty in a timing-only run
    std::string config_hash;      ///< of the resolved hardware, kernel, parameters and problem
    double peak_gflops = 0; ///< cube peak in the problem's dtype, 2 per MAC; infinite without one
    double peak_gbps = 0;   ///< HBM

    [[nodiscard]] double microseconds() const {
        return static_cast<double>(statistics.total.count()) / clock_mhz;
    }
    /// Cycles after launch: what a kernel in a chain of kernels would take.
    [[nodiscard]] std::int64_t cycles_after_launch() const {
        return (statistics.total - launch).count();
    }
    /// n^3 / 3 flops a matrix: what a triangular inverse takes, whatever the algorithm does.
    [[nodiscard]] double useful_gflops() const;
    [[nodiscard]] double useful_flops() const { return useful_gflops() * microseconds() * 1e3; }
    /// Useful flops per byte to and from HBM.
    [[nodiscard]] double intensity() const;
    /// The roofline at that intensity.
    [[nodiscard]] double bound_gflops() const;
};

/// Runs one kernel. `observers` see the run besides the statistics.
Result run(const config::HardwareConfig& hardware,
           const KernelRequest& request,
           const Workload& workload,
           observe::Observers observers = {});

/// The inverses of the same job executed in program order, without time: what the kernel means.
/// [count, chunk, chunk]. Equal to `run`'s, bit by bit, unless a flag is missing.
std::vector<double> run_in_program_order(const config::HardwareConfig& hardware,
                                         const KernelRequest& request,
                                         const Workload& workload);

} // namespace npusim::app
