// SPDX-License-Identifier: Apache-2.0
#include "sim/app/operator_run.h"

#include "sim/app/report_parts.h"
#include "sim/functional/program_order.h"
#include "sim/model/simulation.h"
#include "sim/physical/energy.h"

#include <cassert>
#include <optional>
#include <utility>

namespace npusim::app {

namespace {

observe::RunStatistics simulate(const config::HardwareConfig& hardware,
                                const kernels::Operator& op,
                                functional::GlobalMemory* gm,
                                const TimingOptions& options) {
    observe::StatisticsCollector statistics;
    observe::Observers observers = options.observers;
    observers.push_back(&statistics);
    const model::Job job{.program = [&](isa::CoreId core) { return op.program(core); },
                         .gm = gm,
                         .exact = options.exact,
                         .seen = options.l2};
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
    return simulate(hardware, op_, &gm_, {.observers = std::move(observers)});
}

void OperatorData::run_in_program_order(const config::HardwareConfig& hardware) {
    functional::run_in_program_order(
        hardware, [&](isa::CoreId core) { return op_.program(core); }, gm_);
}

observe::RunStatistics time_operator(const config::HardwareConfig& hardware,
                                     const kernels::Operator& op,
                                     const TimingOptions& options) {
    return simulate(hardware, op, nullptr, options);
}

OperatorRun operator_run(const observe::RunStatistics& statistics,
                         const config::HardwareConfig& hardware) {
    observe::RunStatistics run = statistics;
    run.total = run.total - hardware.launch;
    const std::int64_t cycles = run.total.count();
    const std::optional<physical::Energy> energy = physical::energy_of(run, hardware);
    return {.cycles = cycles,
            .macs = run.macs(),
            .cube = utilization(run, Pipe::Cube, cycles),
            .vector = utilization(run, Pipe::Vector, cycles),
            .gm_bytes = run.gm_bytes_read + run.gm_bytes_written,
            .hbm_bytes = run.hbm_bytes,
            .joules = energy ? energy->joules() : 0};
}

} // namespace npusim::app
