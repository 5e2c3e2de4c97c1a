// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/vector_family.h"

#include "kernels/common/stream.h"
#include "kernels/measured/vector/difference.h"
#include "kernels/measured/vector/elementwise.h"
#include "kernels/measured/vector/lower_ones.h"
#include "sim/app/validate/call_overhead.h"
#include "sim/app/validate/reading.h"
#include "sim/base/units.h"

#include <algorithm>

namespace npusim::app {

namespace vector_rows {
namespace {

using kernels::Elementwise;
using kernels::ElementwiseKernel;
using kernels::ElementwiseShape;

/// Elements of a tile and blocks of the Ascend C kernels of BobbyWeng/cannbot-ascendc-vs-pypto
/// (operators/*/ascendc/src/*_tiling.h, *_host.asc).
constexpr std::int64_t kTile = 8192;
constexpr std::int64_t kBlocks = 20;
/// Columns of the dividend there.
constexpr std::int64_t kDivideColumns = 256;

std::optional<Elementwise> function_of(const Measurement& row, bool vendor) {
    if (row.kernel == "vec_relu") {
        return Elementwise::Relu;
    }
    if (row.kernel == "vec_mul") {
        return Elementwise::Mul;
    }
    if (row.kernel == "vec_add") {
        return vendor ? Elementwise::Add : Elementwise::AddFour;
    }
    if (row.kernel == "vec_div") {
        return vendor ? Elementwise::DivideTile : Elementwise::DivideRows;
    }
    return std::nullopt;
}

/// The vendor's kernels take every vector core, and tiles no larger than a core's share.
void spread(ElementwiseShape& shape, const config::HardwareConfig& hardware) {
    shape.start = kernels::QueueCode::kVendorStart;
    shape.blocks = kernels::vector_workers(hardware);
    const std::int64_t share = ceil_div(shape.elements, shape.blocks);
    shape.tile = std::min(shape.tile, ceil_div(share, shape.row) * shape.row);
}

MeasuredCase elementwise(const Measurement& row, const config::HardwareConfig& hardware) {
    const bool vendor = contains(row.algorithm, "vendor");
    const auto function = function_of(row, vendor);
    if (!function) {
        throw NotModelled("no program for " + row.kernel);
    }
    ElementwiseShape shape;
    shape.function = *function;
    shape.elements = elements_of(row);
    shape.tile = kTile;
    shape.row = kDivideColumns;
    shape.blocks = kBlocks;
    if (vendor) {
        spread(shape, hardware);
    }
    auto kernel = std::make_unique<ElementwiseKernel>(hardware, shape);
    MeasuredCase result;
    result.host_us = task_us(kernel->blocks());
    result.launch = false;
    result.warm = true; // 700 launches on the same data
    result.kernel = std::move(kernel);
    return result;
}

MeasuredCase difference(const Measurement& row, const config::HardwareConfig& hardware) {
    MeasuredCase result;
    const DType dtype = contains(row.dtype, "32") ? DType::Fp32 : DType::Fp16;
    result.kernel = std::make_unique<kernels::Difference>(hardware, elements_of(row), dtype);
    result.host_us = kDifferenceCallUs;
    result.launch = false;
    return result;
}

/// The side is in the number of elements.
MeasuredCase lower_ones(const Measurement& row, const config::HardwareConfig& hardware) {
    std::int64_t side = 0;
    while (side * side < elements_of(row)) {
        ++side;
    }
    if (side % 16 != 0) {
        throw NotModelled("rows that do not fill blocks of UB");
    }
    MeasuredCase result;
    result.kernel =
        std::make_unique<kernels::LowerOnes>(hardware, side, kernels::vector_workers(hardware));
    result.host_us = kLowerOnesCallUs;
    result.launch = false;
    return result;
}

bool matches(const Measurement& row) {
    return row.kernel.starts_with("vec_") || row.kernel == "diff" || row.kernel == "gen_lower";
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    refuse_host_times(row);
    if (row.kernel == "diff") {
        return difference(row, hardware);
    }
    if (row.kernel == "gen_lower") {
        return lower_ones(row, hardware);
    }
    return elementwise(row, hardware);
}

} // namespace
} // namespace vector_rows

const Family kVectorFamily{"vector", vector_rows::matches, vector_rows::model};

} // namespace npusim::app
