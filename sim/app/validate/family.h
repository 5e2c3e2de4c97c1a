// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "sim/app/validate/measurement.h"
#include "sim/config/hardware.h"

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace npusim::app {

/// Why a row is not modelled.
class NotModelled : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What a row of a table of measurements stands for.
struct MeasuredCase {
    std::unique_ptr<kernels::SteadyKernel> kernel;
    /// Microseconds in the measured time that the device does not spend in the kernel (host launch,
    /// Python); 0 where the device's own clock was read.
    double host_us = 0;
    /// Whether the measurement repeats the kernel on the same data, so that what fits is in L2.
    bool warm = false;
    /// Whether it runs the kernel again and again, so that L2 is full of what the kernel itself
    /// leaves there; otherwise of results of others (a flush by zeroes).
    bool repeated = false;
    /// Share of the modelled speed a kernel of unknown making reaches; 1 where its source is known.
    double efficiency = 1;
    /// For rows that give GB/s or TFLOP/s: what was divided by the time.
    double bytes = 0;
    double flops = 0;
    /// For rows that give cycles: those of one core in the kernel, launch not counted.
    bool launch = true;
};

/// Kernels of one kind.
struct Family {
    std::string_view name; ///< as in the summary: "triangular-inverse", "gemm"
    /// Whether the row is of this family.
    bool (*matches)(const Measurement&);
    /// What to run for it on `hardware`, which must outlive the case. Throws NotModelled.
    MeasuredCase (*model)(const Measurement&, const config::HardwareConfig& hardware);
};

/// Every family; a row belongs to the first that matches.
std::span<const Family> families();

} // namespace npusim::app
