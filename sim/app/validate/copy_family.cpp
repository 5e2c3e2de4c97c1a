// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/stream.h"
#include "kernels/measured/vector/elementwise.h"
#include "kernels/measured/vector/memory_probe.h"
#include "sim/app/validate/call_overhead.h"
#include "sim/app/validate/reading.h"
#include "sim/app/validate/vector_family.h"
#include "sim/base/units.h"

#include <algorithm>

namespace npusim::app {

namespace copy_rows {
namespace {

using kernels::Elementwise;
using kernels::ElementwiseKernel;
using kernels::ElementwiseShape;
using kernels::MemoryProbe;
using kernels::MemoryProbeShape;
using kernels::Probe;

constexpr std::int64_t kMega = 1'000'000;
constexpr std::int64_t kMebi = std::int64_t{1024} * 1024;
/// Footprint that no L2 holds.
constexpr std::int64_t kLargeBytes = 512 * kMebi;
/// Tile of the vendor's copy: an estimate, 32 KiB in each of two buffers.
constexpr std::int64_t kVendorTile = std::int64_t{16} * 1024;
/// Elements that fill whole blocks of UB in any of the formats.
constexpr std::int64_t kUnit = 32;
/// Tile of KernelCopy of huawei-csl/pytorch-tcuscan at its default side: 64 x 64.
constexpr std::int64_t kSingleCoreTile = std::int64_t{64} * 64;
/// Passes over the data.
constexpr std::int64_t kPasses = 8;

/// "footprint 32 MB".
std::int64_t footprint(const Measurement& row) {
    const auto megabytes = number_after(row.shape_note, "footprint ");
    return megabytes ? *megabytes * kMebi : kLargeBytes;
}

MeasuredCase probe(const Measurement& row, const config::HardwareConfig& hardware) {
    MemoryProbeShape shape;
    shape.bytes = footprint(row);
    const bool fits = shape.bytes <= hardware.gm.l2_size_bytes;
    shape.bypass = contains(row.algorithm, "bypass");
    shape.cold = !fits || shape.bypass;
    shape.passes = kPasses;
    if (row.kernel == "gm_write") {
        shape.probe = Probe::Write;
    } else if (contains(row.algorithm, "both")) {
        shape.probe = Probe::ReadByBoth;
    } else if (contains(row.algorithm, "cube")) {
        shape.probe = Probe::ReadByCube;
    }
    auto kernel = std::make_unique<MemoryProbe>(hardware, shape);
    MeasuredCase result;
    result.bytes = kernel->bytes();
    result.warm = !shape.cold;
    result.launch = false; // a rate
    result.kernel = std::move(kernel);
    return result;
}

MeasuredCase barrier(const config::HardwareConfig& hardware) {
    MeasuredCase result;
    result.kernel = std::make_unique<kernels::BarrierProbe>(hardware, 1);
    result.launch = false;
    return result;
}

/// torch.clone between two events, on data that is in HBM.
MeasuredCase clone(const Measurement& row, const config::HardwareConfig& hardware) {
    ElementwiseShape shape;
    shape.elements = elements_of(row);
    shape.start = kernels::QueueCode::kVendorStart;
    shape.blocks = kernels::vector_workers(hardware);
    shape.tile =
        std::min(ceil_div(ceil_div(shape.elements, shape.blocks), kUnit) * kUnit, kVendorTile);
    shape.cold = true;
    MeasuredCase result;
    result.kernel = std::make_unique<ElementwiseKernel>(hardware, shape);
    result.host_us = kCloneCallUs;
    result.launch = false;
    return result;
}

/// Calls in a row on the same data. The launch is not hidden: a smallest call takes 4.7 to 4.9 us
/// in these loops.
MeasuredCase queued_copy(const Measurement& row, const config::HardwareConfig& hardware) {
    ElementwiseShape shape;
    shape.elements = elements_of(row);
    shape.start = kernels::QueueCode::kVendorStart;
    shape.blocks = kernels::vector_workers(hardware);
    shape.tile = kVendorTile;
    const std::int64_t bytes = 2 * bytes_of(shape.dtype, shape.elements);
    shape.cold = bytes > hardware.gm.l2_size_bytes;
    MeasuredCase result;
    result.kernel = std::make_unique<ElementwiseKernel>(hardware, shape);
    result.warm = !shape.cold;
    result.repeated = true;
    result.bytes = static_cast<double>(bytes);
    return result;
}

MeasuredCase single_core_copy(const Measurement& row, const config::HardwareConfig& hardware) {
    ElementwiseShape shape;
    shape.function = Elementwise::Staged;
    shape.elements = elements_of(row);
    shape.blocks = 1;
    shape.tile = kSingleCoreTile;
    shape.cold = true;
    MeasuredCase result;
    result.kernel = std::make_unique<ElementwiseKernel>(hardware, shape);
    result.host_us = kOlderCallUs;
    result.launch = false;
    return result;
}

/// "67 MB copy with 1 KB transfers": one buffer, since nothing overlaps at that rate.
MeasuredCase small_transfers(const config::HardwareConfig& hardware) {
    ElementwiseShape shape;
    shape.elements = 67 * kMega / 2;
    shape.blocks = kernels::vector_workers(hardware);
    shape.tile = 512;
    shape.buffers = 1;
    shape.cold = true;
    MeasuredCase result;
    result.kernel = std::make_unique<ElementwiseKernel>(hardware, shape);
    result.bytes = static_cast<double>(67 * kMega);
    result.launch = false;
    return result;
}

MeasuredCase copy(const Measurement& row, const config::HardwareConfig& hardware) {
    if (contains(row.algorithm, "single-core")) {
        return single_core_copy(row, hardware);
    }
    if (contains(row.algorithm, "1 KB")) {
        return small_transfers(hardware);
    }
    return contains(row.timing, "queue") ? queued_copy(row, hardware) : clone(row, hardware);
}

bool matches(const Measurement& row) {
    return row.kernel == "copy" || row.kernel.starts_with("gm_") || row.kernel == "launch" ||
           row.kernel == "all_core_barrier" || row.kernel == "link_bandwidth_fit" ||
           row.kernel == "p2p_get";
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    if (row.kernel == "p2p_get") {
        throw NotModelled("from card to card");
    }
    refuse_host_times(row);
    if (row.kernel == "link_bandwidth_fit") {
        throw NotModelled("the asymptote of a fit to small transfers, no time of a transfer");
    }
    if (row.kernel == "copy") {
        return copy(row, hardware);
    }
    return row.kernel == "all_core_barrier" ? barrier(hardware) : probe(row, hardware);
}

} // namespace
} // namespace copy_rows

const Family kCopyFamily{"copy", copy_rows::matches, copy_rows::model};

} // namespace npusim::app
