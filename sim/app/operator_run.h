// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "sim/functional/memory.h"
#include "sim/observe/observer.h"
#include "sim/observe/statistics.h"

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

/// What an operator costs, without data: the same cycles. `exact`: see model::Job.
observe::RunStatistics time_operator(const config::HardwareConfig& hardware,
                                     const kernels::Operator& op,
                                     observe::Observers observers = {},
                                     bool exact = false);

} // namespace npusim::app
