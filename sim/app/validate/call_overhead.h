// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::app {

// What is in a measured time beside the kernel's run on the cores, by the way it was taken.

/// Microseconds of a task, as msprof has it, in which no core runs: handing out the blocks. From
/// the task times less the cores' own cycles of the vector kernels on the 910B4 of
/// BobbyWeng/cannbot-ascendc-vs-pypto: 0.86 with 12 blocks, 1.05 with 20, 1.45 with 40.
constexpr double task_us(std::int64_t blocks) {
    return 0.6 + 0.0215 * static_cast<double>(blocks);
}

// huawei-csl/pytorch-tcuscan takes the time between two events round one call from Python on an
// idle device (scripts/profiling/profile_tcuscan_ops.py, _run_benchmark): the first event passes at
// once, so that all the host does until the launch is in the time. Most wrappers allocate result,
// workspace and tiling data and copy the latter by a blocking call (src/pybind11.cpp). Each number
// is the time of its notebook's smallest shape less that of the kernel there.

/// torch.clone.
inline constexpr double kCloneCallUs = 29;
/// run_diff.
inline constexpr double kDifferenceCallUs = 66;
/// run_gen_lower.
inline constexpr double kLowerOnesCallUs = 92;
/// run_scan_multi_core, run_row_scan of the paper's build.
inline constexpr double kScanCallUs = 100;
/// The wrappers of the older builds.
inline constexpr double kOlderCallUs = 57;

} // namespace npusim::app
