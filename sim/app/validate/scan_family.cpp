// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/scan.h"
#include "kernels/measured/vector/segmented_scan.h"
#include "sim/app/validate/call_overhead.h"
#include "sim/app/validate/reading.h"
#include "sim/app/validate/vector_family.h"

namespace npusim::app {

namespace scan_rows {
namespace {

using kernels::Scan;
using kernels::ScanShape;
using kernels::SegmentedScan;
using kernels::SegmentedScanShape;

constexpr std::int64_t kLargestSide = 128;
/// What _run_scan_multi_core of src/scan_multi_core.cpp takes L2 to hold: L2_SIZE of
/// src/kernels/kernel_utils.h.
constexpr std::int64_t kPieceBytes = std::int64_t{96} * 1024 * 1024;

std::int64_t side_of(const Measurement& row) {
    const auto side = number_after(row.algorithm, "s=");
    if (!side || *side % 16 != 0 || *side <= 0 || *side > kLargestSide) {
        throw NotModelled("side of the matrix of ones not known");
    }
    return *side;
}

MeasuredCase scan(const Measurement& row, const config::HardwareConfig& hardware) {
    ScanShape shape;
    shape.elements = elements_of(row);
    shape.side = side_of(row);
    shape.ai_cores = hardware.ai_cores;
    shape.rows_only = row.kernel == "row_scan";
    const bool older = contains(row.algorithm, "older");
    if (!older && !shape.rows_only && !contains(row.algorithm, "L2 disabled")) {
        // Input and result of a piece fill what it takes for L2.
        shape.piece = kPieceBytes / (bytes_of(DType::Fp16, 1) + bytes_of(DType::Fp32, 1));
    }
    MeasuredCase result;
    result.kernel = std::make_unique<Scan>(hardware, shape);
    result.host_us = older ? kOlderCallUs : kScanCallUs;
    result.launch = false;
    return result;
}

MeasuredCase segmented_scan(const Measurement& row, const config::HardwareConfig& hardware) {
    SegmentedScanShape shape;
    shape.elements = elements_of(row);
    shape.side = side_of(row);
    const auto density = number_after<double>(row.algorithm, "density ");
    if (!density) {
        throw NotModelled("number of segments not known");
    }
    shape.segments = *density;
    MeasuredCase result;
    result.kernel = std::make_unique<SegmentedScan>(hardware, shape);
    result.host_us = kOlderCallUs;
    result.launch = false;
    return result;
}

bool matches(const Measurement& row) {
    return row.kernel == "mcscan" || row.kernel == "row_scan" ||
           row.kernel == "seg_scan_single_core";
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    refuse_host_times(row);
    if (row.kernel == "seg_scan_single_core") {
        return segmented_scan(row, hardware);
    }
    return scan(row, hardware);
}

} // namespace
} // namespace scan_rows

const Family kScanFamily{"scan", scan_rows::matches, scan_rows::model};

} // namespace npusim::app
