// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/hand_over_family.h"

#include "kernels/measured/hand_over/hand_over_loop.h"
#include "sim/app/validate/reading.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace npusim::app {

namespace hand_over_rows {
namespace {

using kernels::HandOverLoop;
using kernels::HandOverPlan;
using Task = HandOverPlan::Task;

constexpr std::int64_t kSide = 128;
/// Iterations at which the sweeps peak, where a row gives the peak alone: the README of
/// stream_c2v_v2c names 1024 to the vector cores and 128 to the cube core.
constexpr std::int64_t kPeakToVectors = 1024;
constexpr std::int64_t kPeakToCube = 128;
/// Rows of A at which those of matmul_add peak: three tensors that still fit L2.
constexpr std::int64_t kPeakRows = 98304;
/// Below that the host's launch is all that is seen (note of the rows).
constexpr std::int64_t kFewestRows = 98304;

Task task_of(const Measurement& row) {
    constexpr std::array<std::pair<std::string_view, Task>, 4> kTasks = {{
        {"stream_c2v", Task::StreamToVectors},
        {"stream_v2c", Task::StreamToCube},
        {"matmul_add_c2v", Task::MatmulAdd},
        {"add_matmul_v2c", Task::AddMatmul},
    }};
    for (const auto& [kernel, task] : kTasks) {
        if (row.kernel == kernel) {
            return task;
        }
    }
    throw NotModelled(fmt::format("no program for {}", row.kernel));
}

/// "iterations=64"; `peak` where the row gives none.
std::int64_t iterations(const Measurement& row, std::int64_t peak) {
    const auto count = number_after(row.shape_note, "iterations=");
    return count.value_or(0) > 0 ? *count : peak;
}

std::int64_t rounds_of(const Measurement& row, const HandOverPlan& plan) {
    if (plan.task == Task::StreamToVectors) {
        return iterations(row, kPeakToVectors);
    }
    if (plan.task == Task::StreamToCube) {
        return iterations(row, kPeakToCube);
    }
    return std::max<std::int64_t>(1, row.m.value_or(kPeakRows) / (plan.cores * kSide));
}

void refuse(const Measurement& row, const config::HardwareConfig& hardware) {
    if (hardware.composition != config::Composition::Split || contains(row.algorithm, "on-core")) {
        throw NotModelled("cube and vector cores that share local memory");
    }
    if (contains(row.algorithm, "torch") || contains(row.algorithm, "vendor")) {
        throw NotModelled("kernels of the vendor that are not published");
    }
    if (contains(row.timing, "host") && row.m.value_or(0) < kFewestRows) {
        throw NotModelled("time of the host's launch");
    }
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    refuse(row, hardware);
    HandOverPlan plan;
    plan.task = task_of(row);
    plan.cores = std::min(row.cores.value_or(hardware.ai_cores), hardware.ai_cores);
    plan.slots = contains(row.algorithm, "gm_pipe") || contains(row.algorithm, "pushpop") ? 2 : 1;
    plan.separate = contains(row.algorithm, "one after the other");
    plan.rounds = rounds_of(row, plan);
    MeasuredCase measured;
    auto kernel = std::make_unique<HandOverLoop>(hardware, plan);
    const bool streams = plan.task == Task::StreamToVectors || plan.task == Task::StreamToCube;
    measured.bytes = streams ? kernel->workspace_bytes() : kernel->tensor_bytes();
    measured.warm = true;
    measured.kernel = std::move(kernel);
    return measured;
}

bool matches(const Measurement& row) {
    return row.kernel == "stream_c2v" || row.kernel == "stream_v2c" ||
           row.kernel == "stream_fused" || row.kernel == "matmul_add_c2v" ||
           row.kernel == "add_matmul_v2c";
}

} // namespace
} // namespace hand_over_rows

const Family kHandOverFamily = {"hand-over", hand_over_rows::matches, hand_over_rows::model};

} // namespace npusim::app
