// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/stream_family.h"

#include "kernels/measured/convolution/img2col_conv.h"
#include "kernels/measured/convolution/rolling_conv.h"
#include "kernels/measured/stream/tile_stream.h"
#include "sim/app/validate/reading.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

namespace stream_rows {
namespace {

using kernels::Img2colConv;
using kernels::Img2colConvShape;
using kernels::RollingConv;
using kernels::RollingConvShape;
using kernels::TileStream;
using kernels::TileStreamShape;

// Convolution.

/// Queries, keys and values of 16 heads of 128: the prefill regime of the pull request's tests.
constexpr std::int64_t kConvChannels = 6144;

bool matches_conv(const Measurement& row) {
    return row.kernel == "causal_conv1d" || row.kernel == "conv2d_forward";
}

/// Numbers of a list behind `word` in `text`: of "fmap [4,16]" those of "fmap".
std::vector<std::int64_t> list_after(const std::string& text, std::string_view word) {
    std::vector<std::int64_t> values;
    std::size_t at = text.find(word);
    at = at == std::string::npos ? at : text.find('[', at);
    while (at != std::string::npos && text[at] != ']') {
        std::int64_t value = 0;
        const char* first = text.data() + at + 1;
        const auto result = std::from_chars(first, text.data() + text.size(), value);
        values.push_back(value);
        at = text.find_first_of(",]", static_cast<std::size_t>(result.ptr - text.data()));
    }
    return values;
}

MeasuredCase model_image_conv(const Measurement& row, const config::HardwareConfig& hardware) {
    const std::vector<std::int64_t> map = list_after(row.shape_note, "fmap");
    const std::vector<std::int64_t> filter = list_after(row.shape_note, "filter");
    if (map.size() != 5 || filter.size() != 4) {
        throw NotModelled("the shape is not stated");
    }
    const Img2colConvShape shape{map[0], map[1], map[2], map[3], filter[1] * filter[2]};
    MeasuredCase result;
    result.kernel = std::make_unique<Img2colConv>(hardware, shape);
    result.flops = result.kernel->flops();
    return result;
}

/// What the smallest shape takes beside what its program does, microseconds: tiling data and a
/// parameter block from the host, which the pull request makes lighter. From B = 1, T = 128.
constexpr double kConvStart = 4.7;
constexpr double kConvStartBefore = 9.5;

MeasuredCase model_conv(const Measurement& row, const config::HardwareConfig& hardware) {
    if (row.kernel == "conv2d_forward") {
        return model_image_conv(row, hardware);
    }
    RollingConvShape shape;
    shape.sequences = required(row.b, "number of sequences");
    shape.tokens = required(row.t, "number of tokens");
    shape.channels = kConvChannels;
    MeasuredCase result;
    result.kernel = std::make_unique<RollingConv>(hardware, shape);
    result.host_us = row.algorithm == "main" ? kConvStartBefore : kConvStart;
    return result;
}

/// From one launch's end to the next one's first instruction where a bench queues launches on a
/// 950: intercept over bytes of the Walsh-Hadamard transform. (A launch alone takes 4.8 us.)
constexpr double kBackToBackUs = 3.1;

// Walsh-Hadamard transform.

constexpr std::int64_t kHalf = 2;                               ///< bytes
constexpr std::int64_t kHadamardTile = std::int64_t{32} * 1024; ///< TILE_BYTES
constexpr std::int64_t kHadamardMinRows = 8;
constexpr std::int64_t kRegisterLanes = 128; ///< halves of a vector register
/// benchmark.py builds as many buffers as go into this, whatever is asked for.
constexpr std::int64_t kHadamardUbBytes = std::int64_t{192} * 1024;
constexpr std::int64_t kHadamardPool = 8; ///< POOL of benchmark.py
/// Tiles of 8 KiB come every 620 to 670 cycles, where HBM would bring them every 520; larger ones
/// are bound by HBM. From N = 32 and 512.
constexpr std::int64_t kHadamardTileCode = 600;

std::int64_t log2_of(std::int64_t n) {
    return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(n))) - 1;
}

TileStreamShape hadamard_tiles(const Measurement& row) {
    const std::int64_t n = required(row.n, "length of the transform");
    const std::int64_t batch = required(row.batch, "number of rows");
    std::int64_t rows = std::max(kHadamardTile / (n * kHalf), kHadamardMinRows);
    if (const auto kib = number_after(row.algorithm, "tile ")) {
        rows = *kib * 1024 / (n * kHalf);
    }
    rows = std::min(number_after(row.algorithm, "rows=").value_or(rows), batch);
    TileStreamShape shape;
    shape.tiles = batch / rows;
    shape.tile_bytes = rows * n * kHalf;
    shape.results = {shape.tile_bytes};
    shape.in_place = true;
    shape.buffers = number_after(row.algorithm, "nbuf=").value_or(shape.buffers);
    shape.buffers = std::min(shape.buffers, kHadamardUbBytes / shape.tile_bytes);
    shape.prefetch = std::min<std::int64_t>(2, shape.buffers - 1);
    shape.pool = kHadamardPool;
    shape.tile_code = kHadamardTileCode;
    return shape;
}

MeasuredCase model_hadamard(const Measurement& row, const config::HardwareConfig& hardware) {
    TileStreamShape shape = hadamard_tiles(row);
    const std::int64_t n = *row.n;
    if (contains(row.algorithm, "cube")) {
        throw NotModelled("no program for the transform on the cube");
    }
    if (contains(row.algorithm, "register butterfly")) {
        // vdintlv, vadd, vsub and vsel of a register in each stage, and the scale.
        shape.passes.whole = 4 * log2_of(n) + 1;
    } else {
        shape.passes.butterflies = log2_of(n);
        // Several rows share a pair of registers, and are turned back at the end; the first build
        // (no tile named) used half of each register instead.
        const bool packed = contains(row.algorithm, "tile") || contains(row.algorithm, "rows=");
        const std::int64_t missing =
            std::max<std::int64_t>(log2_of(2 * kRegisterLanes) - log2_of(n), 0);
        shape.passes.rotations = packed ? missing : 0;
        shape.passes.butterflies *= packed ? 1 : std::int64_t{1} << missing;
    }
    MeasuredCase result;
    auto kernel = std::make_unique<TileStream>(hardware, std::move(shape));
    result.bytes = kernel->bytes();
    result.kernel = std::move(kernel);
    result.launch = false;
    result.repeated = true;
    result.host_us = kBackToBackUs;
    return result;
}

// MXFP4 quantisation.

constexpr std::int64_t kMxTile = 16384; ///< TILE_ELEMS
constexpr std::int64_t kMxGrain = 1024; ///< TILE_GRAIN
constexpr std::int64_t kMxBlock = 32;
/// Passes over a tile of bf16 (128 lanes a register, two of them a group): magnitude maximum (two
/// and, max, group max of a pair of registers), the scales (an eighth of a pass in all), and
/// scaling, conversion and packing (two mul, two cvt, or of a pair).
constexpr std::int64_t kMxPasses = 5;
/// A call from Python that allocates its outputs comes no sooner than 14 us after the last one; at
/// 3.3 TB/s the device takes less than that for fewer bytes.
constexpr std::int64_t kPythonCallBytes = 46'000'000;

/// The vendor's kernel beside ours: 0.90 to 0.93 at 67 M elements and rows of 64 to 4096.
constexpr double kVendorMxSpeed = 0.91;
/// What allocating the outputs adds to a call: 51.6 us for 50.7 at the same sizes.
constexpr double kAllocationUs = 0.9;

MeasuredCase model_mxfp4(const Measurement& row, const config::HardwareConfig& hardware) {
    const std::int64_t k = required(row.k, "row length");
    const std::int64_t batch = required(row.m, "number of rows");
    std::int64_t rows = std::max<std::int64_t>(kMxTile / k, 1);
    while (rows > 1 && rows * k % kMxGrain != 0) {
        --rows;
    }
    TileStreamShape shape;
    shape.tiles = batch / rows;
    shape.tile_bytes = rows * k * kHalf;
    shape.results = {rows * k / 2, rows * k / kMxBlock};
    shape.passes.whole = kMxPasses;
    if (contains(row.algorithm, "allocation") && batch * k * 5 / 2 < kPythonCallBytes) {
        throw NotModelled("a Python call takes as long");
    }
    MeasuredCase result;
    auto kernel = std::make_unique<TileStream>(hardware, std::move(shape));
    result.bytes = kernel->bytes();
    result.kernel = std::move(kernel);
    result.launch = false; // 64 of them are queued
    result.repeated = true;
    result.host_us = kBackToBackUs;
    if (contains(row.algorithm, "torch_npu")) {
        result.efficiency = kVendorMxSpeed;
    } else if (contains(row.algorithm, "allocation")) {
        result.host_us += kAllocationUs;
    }
    return result;
}

// Others.

/// A task on a 950 that does nothing, as msprof has it: the smallest softmax task, 3.25 us, less
/// its transfers and 28 vector instructions.
constexpr double kTaskUs = 2.5;
/// 28 vector instructions on one register of 128 halves, 929 on 32 of them.
constexpr std::int64_t kSoftmaxPasses = 29;
/// Computing a mask takes 10 to 14 ns; one for 64 lanes.
constexpr std::int64_t kMaskCycles = 20;
constexpr std::int64_t kMaskLanes = 64;

MeasuredCase model_softmax(const Measurement& row, const config::HardwareConfig& hardware) {
    TileStreamShape shape;
    shape.tiles = required(row.cores, "number of cores");
    const std::int64_t elements =
        required(row.m, "number of rows") * required(row.n, "row length") / shape.tiles;
    shape.tile_bytes = elements * kHalf;
    shape.results = {shape.tile_bytes};
    shape.in_place = true;
    shape.buffers = 2;
    shape.prefetch = 1;
    shape.passes.whole = kSoftmaxPasses;
    if (contains(row.algorithm, "mask per register")) {
        shape.passes.scalar = elements / kMaskLanes * kMaskCycles;
    }
    MeasuredCase result;
    result.kernel = std::make_unique<TileStream>(hardware, std::move(shape));
    result.launch = false;
    result.host_us = kTaskUs;
    return result;
}

MeasuredCase model_weights(const Measurement& row, const config::HardwareConfig& hardware) {
    std::int64_t megabytes = 0;
    const std::string& text = row.algorithm;
    if (std::from_chars(text.data(), text.data() + text.size(), megabytes).ec != std::errc()) {
        throw NotModelled("no size in the row");
    }
    TileStreamShape shape;
    shape.tile_bytes = kHadamardTile;
    shape.tiles = megabytes * 1'000'000 / shape.tile_bytes;
    MeasuredCase result;
    auto kernel = std::make_unique<TileStream>(hardware, std::move(shape));
    result.bytes = kernel->bytes();
    result.kernel = std::move(kernel);
    return result;
}

struct Refusal {
    std::string_view kernel;
    std::string_view reason;
};
constexpr std::array kRefused{
    Refusal{"gdn_gating", "the number of heads is not stated"},
    Refusal{"rope", "the shape is not stated"},
    Refusal{"rms_norm_quant",
            "the passes of the kernel are not known, and it is far from memory speed"},
    Refusal{"swiglu", "the shape is not in the row"},
    Refusal{"topk", "the model has no sort of the vector unit"},
    Refusal{"prefill_ttft", "host time of a whole model"},
};

bool matches_stream(const Measurement& row) {
    return row.kernel == "fast_hadamard" || row.kernel == "mxfp4_quant" ||
           row.kernel == "weight_stream" || row.kernel == "softmax" ||
           std::ranges::any_of(kRefused, [&](const Refusal& r) { return r.kernel == row.kernel; });
}

MeasuredCase model_stream(const Measurement& row, const config::HardwareConfig& hardware) {
    for (const Refusal& refusal : kRefused) {
        if (refusal.kernel == row.kernel) {
            throw NotModelled(std::string(refusal.reason));
        }
    }
    if (row.kernel == "fast_hadamard") {
        return model_hadamard(row, hardware);
    }
    if (row.kernel == "softmax") {
        return model_softmax(row, hardware);
    }
    return row.kernel == "mxfp4_quant" ? model_mxfp4(row, hardware) : model_weights(row, hardware);
}

} // namespace
} // namespace stream_rows

const Family kConvolutionFamily{"convolution", stream_rows::matches_conv, stream_rows::model_conv};
const Family kTileStreamFamily{"vector", stream_rows::matches_stream, stream_rows::model_stream};

} // namespace npusim::app
