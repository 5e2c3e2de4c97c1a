// SPDX-License-Identifier: Apache-2.0
#include "sim/app/operator_run.h"

#include "sim/functional/program_order.h"
#include "sim/model/simulation.h"

#include <cassert>

namespace npusim::app {

namespace {

observe::RunStatistics simulate(const config::HardwareConfig& hardware,
                                const kernels::Operator& op,
                                functional::GlobalMemory* gm,
                                observe::Observers observers,
                                bool exact) {
    observe::StatisticsCollector statistics;
    observers.push_back(&statistics);
    const model::Job job{
        .program = [&](isa::CoreId core) { return op.program(core); }, .gm = gm, .exact = exact};
    model::simulate(hardware, job, observers);
    return statistics.result();
}

} // namespace

OperatorData::OperatorData(const kernels::Operator& op)
    : op_(op), gm_(functional::make_global_memory(op.gm_bytes())) {
    op.write_constants(gm_);
}

void OperatorData::set(std::string_view tensor, const std::vector<double>& values) {
    const isa::Tile& tile = op_.tensor(tensor);
    assert(std::ssize(values) == tile.rows * tile.cols);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
        functional::store_row(
            tile, gm_.data() + tile.address, row, values.data() + row * tile.cols);
    }
}

std::vector<double> OperatorData::get(std::string_view tensor) const {
    const isa::Tile& tile = op_.tensor(tensor);
    std::vector<double> values(static_cast<std::size_t>(tile.rows * tile.cols));
    for (std::int64_t row = 0; row < tile.rows; ++row) {
        functional::load_row(tile, gm_.data() + tile.address, row, values.data() + row * tile.cols);
    }
    return values;
}

observe::RunStatistics OperatorData::run(const config::HardwareConfig& hardware,
                                         observe::Observers observers) {
    return simulate(hardware, op_, &gm_, std::move(observers), false);
}

void OperatorData::run_in_program_order(const config::HardwareConfig& hardware) {
    functional::run_in_program_order(
        hardware, [&](isa::CoreId core) { return op_.program(core); }, gm_);
}

observe::RunStatistics time_operator(const config::HardwareConfig& hardware,
                                     const kernels::Operator& op,
                                     observe::Observers observers,
                                     bool exact) {
    return simulate(hardware, op, nullptr, std::move(observers), exact);
}

} // namespace npusim::app
