// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/inverse_family.h"

#include "kernels/measured/inverse/column_sweep.h"
#include "kernels/measured/inverse/cube_column_sweep.h"
#include "kernels/measured/inverse/mxr.h"
#include "kernels/measured/inverse/neumann_product.h"
#include "kernels/measured/inverse/tile_lang_inverse.h"
#include "sim/app/validate/reading.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace npusim::app {

namespace inverse_rows {
namespace {

using kernels::InverseBatch;

/// A framework operator issued while the device waits for it: 31 to 52 us ([M] SKILL).
constexpr double kFrameworkOperatorUs = 45;
/// What a single call from Python adds in the benches of huawei-csl/pytorch-tcuscan, device launch
/// not counted: 93 us ([M]) less that.
constexpr double kTcuCallUs = 87;
/// The same in benches on a 910B2 that time one launch by events: 50 us ([M] SKILL).
constexpr double kSingleCallUs = 50;

// huawei-csl/gdn-tri-inverse times whole wrappers by events on an idle device
// (profiling/utils.py), so that operators of the framework round the kernel count. Their numbers
// are what the intercepts over the batch say.
constexpr double kMxrOperators = 3;           ///< -I, its diagonal, the kernel
constexpr double kVectorSweepOperators = 3;   ///< sign, transposed copy, the kernel
constexpr double kCubeSweepOperators = 5;     ///< conversion, sign and copies, the kernel
constexpr double kTileLangOperators = 12;     ///< the identity made on the host and copied, too
constexpr double kTileLangFirstOperators = 6; ///< in the build that keeps half precision

/// The build whose result is half precision fills its output with zeros first and converts it in
/// the end: 4 bytes written, then 4 read and 2 written, of every element.
constexpr double kConversionBytes = 10;

bool round_wrapper(const Measurement& row) {
    return row.timing == "profiler";
}

double operators(const Measurement& row, double count) {
    return round_wrapper(row) ? count * kFrameworkOperatorUs : 0;
}

/// Microseconds the device takes for the operators that make a result of half precision.
double conversion_us(const InverseBatch& batch, const config::HardwareConfig& hardware) {
    const auto elements = static_cast<double>(batch.count * batch.side * batch.side);
    return kConversionBytes * elements / hardware.gm.hbm_bytes_per_cycle / hardware.clock_mhz;
}

std::int64_t matrices_of(const Measurement& row) {
    if (row.batch) {
        return *row.batch;
    }
    if (row.b && row.h && row.t) {
        return *row.b * *row.h * *row.t / *row.chunk;
    }
    throw NotModelled("how many matrices is not stated");
}

InverseBatch batch_of(const Measurement& row) {
    if (!row.chunk) {
        throw NotModelled("the side of the matrices is not stated");
    }
    InverseBatch batch;
    batch.count = matrices_of(row);
    batch.side = *row.chunk;
    batch.cores = row.cores.value_or(0);
    return batch;
}

/// Heads side by side in memory: in the gated delta net, whose rows have key heads, and where the
/// row says so.
std::int64_t heads_side_by_side(const Measurement& row) {
    const bool sequence_first =
        row.hg || contains(row.note, "sequence-first") || contains(row.algorithm, "BSND");
    return sequence_first ? row.h.value_or(1) : 1;
}

MeasuredCase mxr(const Measurement& row, const config::HardwareConfig& hardware) {
    InverseBatch batch = batch_of(row);
    batch.heads = heads_side_by_side(row);
    const bool first = contains(row.algorithm, "first version");
    const bool older = first || contains(row.note, "older build");
    // The gated delta net has the kernel write half precision itself.
    batch.out = row.hg && !older ? DType::Fp16 : DType::Fp32;
    MeasuredCase out;
    out.host_us = operators(row, kMxrOperators);
    if (contains(row.algorithm, "varlen")) {
        out.host_us = kSingleCallUs;
    }
    if (older) {
        out.host_us += conversion_us(batch, hardware);
    }
    const kernels::MxrBuild build{contains(row.algorithm, "with accumulator reuse")};
    out.kernel = std::make_unique<kernels::Mxr>(hardware, batch, build);
    return out;
}

MeasuredCase neumann(const Measurement& row, const config::HardwareConfig& hardware) {
    MeasuredCase out;
    out.kernel = std::make_unique<kernels::NeumannProduct>(hardware, batch_of(row));
    return out;
}

/// Kernels of pytorch-tcuscan, timed from Python one by one.
MeasuredCase tcu_sweep(const Measurement& row, const config::HardwareConfig& hardware) {
    MeasuredCase out;
    out.host_us = kTcuCallUs;
    if (contains(row.algorithm, "cube")) {
        out.kernel = std::make_unique<kernels::CubeColumnSweep>(hardware, batch_of(row));
    } else {
        out.kernel = std::make_unique<kernels::VectorColumnSweep>(
            hardware, batch_of(row), kernels::ColumnSweepBuild{.axpy = true});
    }
    return out;
}

/// The same and that of pto-kernels, as gdn-tri-inverse times them.
MeasuredCase wrapped_sweep(const Measurement& row, const config::HardwareConfig& hardware) {
    MeasuredCase out;
    if (contains(row.algorithm, "on cube")) {
        out.host_us = operators(row, kCubeSweepOperators);
        out.kernel = std::make_unique<kernels::CubeColumnSweep>(hardware, batch_of(row));
        return out;
    }
    out.host_us = operators(row, kVectorSweepOperators);
    // "Flat" is the AscendC kernel. It takes twice the time per matrix that it takes by itself: as
    // if launched with one vector core for each cube core.
    kernels::ColumnSweepBuild build;
    if (contains(row.algorithm, "flat")) {
        build = {.axpy = true, .lanes = 1};
    }
    out.kernel = std::make_unique<kernels::VectorColumnSweep>(hardware, batch_of(row), build);
    return out;
}

MeasuredCase tile_lang(const Measurement& row, const config::HardwareConfig& hardware) {
    const InverseBatch batch = batch_of(row);
    if (batch.side != 32 && batch.side != 64 && batch.side != 128) {
        throw NotModelled("published for sides 32, 64 and 128");
    }
    // Builds before the one compared in single precision took a quarter longer.
    const bool first = contains(row.algorithm, "TileLang-Ascend") ||
                       (round_wrapper(row) && !contains(row.dtype, "fp32"));
    MeasuredCase out;
    out.host_us = operators(row, first ? kTileLangFirstOperators : kTileLangOperators);
    out.kernel = std::make_unique<kernels::TileLangInverse>(hardware, batch, first);
    return out;
}

/// Algorithms that there is a program for, by a part of their names.
struct Program {
    std::string_view kernel; ///< empty: any
    std::string_view algorithm;
    MeasuredCase (*model)(const Measurement&, const config::HardwareConfig&);
};
constexpr std::array kPrograms{
    Program{"", "MXR", mxr},
    Program{"tri_inv_trick", "", neumann},
    Program{"tri_inv_col_sweep", "column sweep", tcu_sweep},
    Program{"", "AscendC column sweep", wrapped_sweep},
    Program{"", "TileLang", tile_lang},
};

/// Why a row is refused whatever its algorithm; empty if it is not.
std::string_view refused(const Measurement& row) {
    if (contains(row.timing, "host")) {
        return "timed by the host, which is most of it";
    }
    if (contains(row.algorithm, "torch eager")) {
        return "a loop of framework operators: host launches are most of it";
    }
    if (contains(row.note, "PyPTO compiled")) {
        return "what the PyPTO compiler makes of it is not published";
    }
    if (contains(row.kind, "uncertain") || contains(row.note, "shape not printed")) {
        return "the shape is not stated";
    }
    return {};
}

bool matches(const Measurement& row) {
    static constexpr std::array<std::string_view, 3> kKernels{"solve_tril", "tri_inv", "merge_16"};
    return !contains(row.algorithm, "Triton") &&
           std::ranges::any_of(
               kKernels, [&](std::string_view kernel) { return row.kernel.starts_with(kernel); });
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    if (const std::string_view why = refused(row); !why.empty()) {
        throw NotModelled(std::string(why));
    }
    for (const Program& program : kPrograms) {
        if (contains(row.kernel, program.kernel) && contains(row.algorithm, program.algorithm)) {
            return program.model(row, hardware);
        }
    }
    throw NotModelled("no program for " + row.algorithm);
}

} // namespace
} // namespace inverse_rows

const Family kTriangularInverseFamily{
    "triangular-inverse", inverse_rows::matches, inverse_rows::model};

} // namespace npusim::app
