// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "sim/functional/memory.h"
#include "sim/observe/observer.h"
#include "sim/observe/statistics.h"
#include "sim/timing/l2_cache.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace npusim::app {

/// An operator with data in its tensors. Values are row-major, rounded to the tensor's dtype on the
/// way in and exact on the way out. What nobody has set is NaN.
class OperatorData {
  public:
    explicit OperatorData(const kernels::Operator& op);

    void set(std::string_view tensor, const std::vector<double>& values);
    [[nodiscard]] std::vector<double> get(std::string_view tensor) const;
    /// Runs the operator on the modelled chip and returns what that cost.
    observe::RunStatistics run(const config::HardwareConfig& hardware,
                               observe::Observers observers = {});
    /// The same bytes without time: plain program order.
    void run_in_program_order(const config::HardwareConfig& hardware);
    [[nodiscard]] const functional::GlobalMemory& memory() const { return gm_; }

  private:
    const kernels::Operator& op_;
    functional::GlobalMemory gm_;
};

/// How an operator is timed: see model::Job.
struct TimingOptions {
    observe::Observers observers = {};
    bool exact = false;
    const timing::L2Cache* l2 = nullptr;
};
/// What an operator costs, without data: the same cycles.
observe::RunStatistics time_operator(const config::HardwareConfig& hardware,
                                     const kernels::Operator& op,
                                     const TimingOptions& options = {});

/// What a run of an operator shows.
struct OperatorRun {
    std::int64_t cycles = 0; ///< without launch
    std::int64_t macs = 0;   ///< that the cube did
    double cube = 0;         ///< share of `cycles` the cubes are busy, mean over AI cores
    double vector = 0;
    std::int64_t gm_bytes = 0;
    std::int64_t hbm_bytes = 0; ///< of those, past L2
    double joules = 0;          ///< without launch; 0 where the hardware has no technology
    double worked_out = 1;      ///< share of its rounds; the others are taken to be like them
};

/// The same in short.
OperatorRun operator_run(const observe::RunStatistics& statistics,
                         const config::HardwareConfig& hardware);

} // namespace npusim::app
