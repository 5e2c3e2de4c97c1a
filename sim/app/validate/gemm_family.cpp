// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/gemm_family.h"

#include "kernels/measured/gemm/tiled_gemm.h"
#include "sim/app/validate/reading.h"
#include "sim/base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace npusim::app {

namespace gemm_rows {
namespace {

using kernels::DealtTiles;
using kernels::TiledGemm;
using kernels::TiledGemmPlan;
using kernels::Walk;

/// Host time of the wrappers of huawei-csl/pto-kernels, examples/jit_cpp/matmul_swizzle, in
/// microseconds per call. The swizzled product waits for the device before every launch
/// (jit_util_matmul.py), so that launch, allocation and wake-up add to the kernel: 33 us is what
/// remains of the 910B2 rows of 4, 8 and 16 whole rounds at no rounds, less the launch of the
/// device. The others only queue.
constexpr double kSynchronisedCallUs = 33;
/// Gap between queued launches, less the launch on the device: estimate.
constexpr double kQueuedCallUs = 5;

/// Columns of tiles that the swizzled kernels walk at a time: their default.
constexpr std::int64_t kSwizzle = 3;

std::int64_t padded(std::int64_t size, std::int64_t to) {
    return ceil_div(size, to) * to;
}

struct Sizes {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
};

Sizes sizes_of(const Measurement& row) {
    if (!row.m || !row.n || !row.k) {
        throw NotModelled("no M, N and K");
    }
    return {*row.m, *row.n, *row.k};
}

std::int64_t cores_of(const Measurement& row, const config::HardwareConfig& hardware) {
    return std::min(row.cores.value_or(hardware.ai_cores), hardware.ai_cores);
}

TiledGemmPlan plan_of(const Sizes& size) {
    TiledGemmPlan plan;
    plan.m = size.m;
    plan.n = size.n;
    plan.k = size.k;
    return plan;
}

std::int64_t tile_rows(const TiledGemmPlan& plan) {
    return ceil_div(plan.m, plan.tile_m);
}

std::int64_t tile_cols(const TiledGemmPlan& plan) {
    return ceil_div(plan.n, plan.tile_n);
}

void deal(TiledGemmPlan& plan, std::int64_t cores, Walk walk, std::int64_t width) {
    const std::int64_t rows = tile_rows(plan);
    const std::int64_t cols = tile_cols(plan);
    plan.tiles = kernels::deal_walk(rows, cols, std::min(cores, rows * cols), walk, width);
}

/// To a grid of so many cores, or where there are fewer or the tiles do not fill it, to one that
/// divides them.
void deal_to_grid(TiledGemmPlan& plan,
                  std::int64_t cores,
                  std::int64_t grid_rows,
                  std::int64_t grid_cols) {
    const std::int64_t rows = tile_rows(plan);
    const std::int64_t cols = tile_cols(plan);
    const bool fills =
        cores >= grid_rows * grid_cols && rows % grid_rows == 0 && cols % grid_cols == 0;
    plan.tiles = fills ? kernels::deal_grid(rows, cols, grid_rows, grid_cols)
                       : kernels::deal_rectangles(rows, cols, cores);
}

/// Microseconds of the copies into zeroed tensors of whole tiles that the wrappers of
/// matmul_swizzle make on the device before the kernel, both operands if one side of one is odd:
/// the copy reads from HBM, what is written stays in L2.
double padding_us(const Sizes& size, const Sizes& whole, const config::HardwareConfig& hardware) {
    if (size.m == whole.m && size.n == whole.n && size.k == whole.k) {
        return 0;
    }
    const double bytes = 2.0 * static_cast<double>(whole.m * whole.k + whole.n * whole.k);
    return bytes / hardware.gm.hbm_bytes_per_cycle / hardware.clock_mhz;
}

/// The benches of matmul_swizzle time a loop of calls on the same operands, which stay in L2 as far
/// as they fit with the result.
MeasuredCase in_a_loop(const config::HardwareConfig& hardware,
                       TiledGemmPlan plan,
                       const Sizes& size,
                       double host_us) {
    MeasuredCase measured;
    measured.kernel = std::make_unique<TiledGemm>(hardware, std::move(plan));
    measured.warm =
        2 * (size.m * size.k + size.k * size.n + size.m * size.n) <= hardware.gm.l2_size_bytes;
    measured.host_us = host_us;
    return measured;
}

/// huawei-csl/pto-kernels, matmul_custom_pto.cpp.
MeasuredCase
swizzled(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    const Sizes whole{padded(size.m, 128), padded(size.n, 256), padded(size.k, 512)};
    TiledGemmPlan plan = plan_of(whole);
    plan.x_slab = 512;
    plan.w_slab = 256;
    plan.w_transposed = true;
    deal(plan, cores_of(row, hardware), Walk::ColumnBlocks, kSwizzle);
    return in_a_loop(
        hardware, std::move(plan), size, kSynchronisedCallUs + padding_us(size, whole, hardware));
}

/// huawei-csl/pto-kernels, matmul_original_pto.cpp.
MeasuredCase
unswizzled(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    const Sizes whole{padded(size.m, 128), padded(size.n, 256), padded(size.k, 64)};
    TiledGemmPlan plan = plan_of(whole);
    plan.result = DType::Fp32;
    plan.x_slab = 64;
    plan.w_slab = 64;
    plan.w_transposed = true;
    plan.tiles =
        kernels::deal_rectangles(tile_rows(plan), tile_cols(plan), cores_of(row, hardware));
    return in_a_loop(
        hardware, std::move(plan), size, kQueuedCallUs + padding_us(size, whole, hardware));
}

/// torch matmul: the vendor's library. That its tile is 128x256 shows in the steps of its time,
/// which come where that of the swizzled kernel takes one round more; slabs of 256 and the walk in
/// blocks of columns are those of the open kernels.
MeasuredCase
vendor(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    TiledGemmPlan plan = plan_of(size);
    plan.w_transposed = true;
    deal(plan, cores_of(row, hardware), Walk::ColumnBlocks, kSwizzle);
    return in_a_loop(hardware, std::move(plan), size, kQueuedCallUs);
}

MeasuredCase with_plan(const config::HardwareConfig& hardware, TiledGemmPlan plan) {
    MeasuredCase measured;
    measured.kernel = std::make_unique<TiledGemm>(hardware, std::move(plan));
    measured.flops = measured.kernel->flops();
    return measured;
}

/// hw-native-sys/pto-isa, kernels/manual/a2a3/gemm_performance: a grid of 4 x 6 cores, or one that
/// divides the tiles.
MeasuredCase
pto_performance(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    TiledGemmPlan plan = plan_of({padded(size.m, 128), padded(size.n, 256), size.k});
    plan.result = DType::Fp32;
    plan.w_transposed = true;
    deal_to_grid(plan, cores_of(row, hardware), 4, 6);
    return with_plan(hardware, std::move(plan));
}

/// hw-native-sys/pto-isa, kernels/manual/*/gemm_ar: runs of tiles in a zigzag by rows, and after
/// each tile a barrier of all pipes before the neighbour is told.
MeasuredCase
with_all_reduce(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    TiledGemmPlan plan = plan_of({padded(size.m, 128), padded(size.n, 256), size.k});
    plan.w_transposed = true;
    plan.barrier_after_tile = true;
    plan.tiles = kernels::deal_runs(tile_rows(plan), tile_cols(plan), cores_of(row, hardware));
    return with_plan(hardware, std::move(plan));
}

/// PyPTO: tiles of 128x256 row by row, or in blocks for reuse in L2.
MeasuredCase
pypto(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    TiledGemmPlan plan = plan_of(size);
    deal(plan,
         cores_of(row, hardware),
         contains(row.algorithm, "L2 reuse") ? Walk::ColumnBlocks : Walk::Rows,
         kSwizzle);
    return with_plan(hardware, std::move(plan));
}

/// Sides of L1 and L0 tiles, as CATLASS names them.
struct CatlassTiles {
    std::int64_t m = 128;
    std::int64_t n = 256;
    std::int64_t l1_k = 256;
    std::int64_t l0_k = 64;
};

/// The sides AxBxC behind `key`, if they are there.
std::optional<std::array<std::int64_t, 3>> sides(const std::string& text, std::string_view key) {
    std::size_t at = text.find(key);
    if (at == std::string::npos) {
        return std::nullopt;
    }
    at += key.size();
    std::array<std::int64_t, 3> found{};
    for (std::int64_t& side : found) {
        const char* const end = text.data() + text.size();
        const auto [next, error] = std::from_chars(text.data() + at, end, side);
        if (error != std::errc{} || side <= 0) {
            return std::nullopt;
        }
        at = static_cast<std::size_t>(next - text.data()) + 1; // behind the x
        if (at > text.size()) {
            at = text.size();
        }
    }
    return found;
}

/// As the row says, or those of the guide's cases: wide and of few rows, or of one row in fp32.
CatlassTiles catlass_tiles(const Measurement& row, DType dtype) {
    const bool retuned = contains(row.algorithm, "retuned");
    CatlassTiles tiles;
    if (dtype == DType::Fp32) {
        tiles = retuned ? CatlassTiles{16, 32, 1024, 256} : CatlassTiles{128, 128, 256, 64};
    } else if (retuned) {
        constexpr std::int64_t kFewRows = 32;
        tiles = row.m.value_or(0) <= kFewRows ? CatlassTiles{32, 320, 128, 32}
                                              : CatlassTiles{256, 128, 256, 64};
    }
    if (const auto l1 = sides(row.algorithm, "L1 ")) {
        tiles.m = l1->at(0);
        tiles.n = l1->at(1);
        tiles.l1_k = l1->at(2);
    }
    if (const auto l0 = sides(row.algorithm, "L0 ")) {
        tiles.l0_k = l0->at(2);
    }
    return tiles;
}

/// Offset and direction of "swizzle <4,1>", or CATLASS's advice.
std::pair<std::int64_t, Walk> catlass_walk(const Measurement& row, const Sizes& size) {
    const std::size_t at = row.algorithm.find('<');
    if (at != std::string::npos && at + 3 < row.algorithm.size()) {
        return {row.algorithm[at + 1] - '0',
                row.algorithm[at + 3] == '0' ? Walk::RowBlocks : Walk::ColumnBlocks};
    }
    return {kSwizzle, size.m > size.n ? Walk::RowBlocks : Walk::ColumnBlocks};
}

/// hicann/catlass on A2: docs/zh/1_Practice/11_matmul_optimization.md gives tiles and layouts.
MeasuredCase
catlass_a2(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    const DType dtype = row.dtype == "fp32" ? DType::Fp32 : DType::Fp16;
    const CatlassTiles tiles = catlass_tiles(row, dtype);
    TiledGemmPlan plan = plan_of(size);
    plan.dtype = dtype;
    plan.result = dtype;
    plan.tile_m = tiles.m;
    plan.tile_n = tiles.n;
    plan.x_slab = tiles.l1_k;
    plan.w_slab = tiles.l1_k;
    plan.slice = tiles.l0_k;
    plan.w_blocked = contains(row.algorithm, "zN");
    plan.w_transposed = !plan.w_blocked && !contains(row.algorithm, "RowMajor");
    const auto [width, walk] = catlass_walk(row, size);
    deal(plan, cores_of(row, hardware), walk, width);
    return with_plan(hardware, std::move(plan));
}

/// hicann/catlass on the 950: docs/zh/2_Design/01_kernel_design/05_aswt.md, tiles of 256x256, fp32
/// result. Example 46, "FixPipe", differs in the way of the result: straight to GM, or through UB,
/// which keeps FixPipe from writing parts of blocks.
MeasuredCase
catlass_950(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    constexpr std::int64_t kBlockFloats = 8;
    if (contains(row.algorithm, "direct output") && size.n % kBlockFloats != 0) {
        throw NotModelled("results whose rows begin within a 32-byte block");
    }
    TiledGemmPlan plan = plan_of(size);
    plan.result = DType::Fp32;
    plan.tile_m = 256;
    plan.tile_n = 256;
    plan.x_slab = 128;
    plan.w_slab = 128;
    const std::int64_t cores = cores_of(row, hardware);
    if (contains(row.algorithm, "ASWT")) {
        kernels::SplitTiles split =
            kernels::deal_sliding_window(tile_rows(plan), tile_cols(plan), cores);
        plan.tiles = std::move(split.tiles);
        plan.tail_parts = split.parts;
    } else {
        deal(plan, cores, size.m > size.n ? Walk::RowBlocks : Walk::ColumnBlocks, kSwizzle);
    }
    return with_plan(hardware, std::move(plan));
}

/// Products of a few rows of tokens in the decode of a layer. Blocks of whole columns; those over
/// the number of cores wait for a free one. The matrix of a projection that is given by name alone
/// is that of the rows that give sizes, in a model of hidden size 5120.
struct Projection {
    std::string_view name;
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::int64_t blocks = 0;
};
constexpr std::array kProjections = {
    Projection{"q_proj", 5120, 5120, 20},
    Projection{"v_proj", 1024, 5120, 8},
    Projection{"k_proj", 1024, 5120, 8},
    Projection{"gate_proj", 17408, 5120, 34},
    Projection{"up_proj", 17408, 5120, 34},
    Projection{"down_proj", 5120, 17408, 40},
};

Projection projection_of(const Measurement& row) {
    for (const Projection& known : kProjections) {
        if (contains(row.algorithm, known.name)) {
            return {known.name,
                    row.n.value_or(known.n),
                    row.k.value_or(known.k),
                    row.cores.value_or(known.blocks)};
        }
    }
    throw NotModelled("a projection whose sizes and blocks are not given");
}

MeasuredCase skinny(const Measurement& row, const config::HardwareConfig& hardware) {
    const Projection of = projection_of(row);
    TiledGemmPlan plan = plan_of({row.m.value_or(0), of.n, of.k});
    if (plan.m <= 0) {
        throw NotModelled("no M");
    }
    constexpr std::int64_t kMostColumns = 256; // of a tile, by L0B and L0C
    plan.dtype = DType::Bf16;
    plan.result = DType::Bf16;
    plan.tile_m = padded(plan.m, 16);
    plan.tile_n = std::min(kMostColumns, of.n / of.blocks);
    const bool one_block = contains(row.algorithm, "one block");
    const std::int64_t per_block = of.n / of.blocks / plan.tile_n;
    const std::int64_t workers = std::min(of.blocks, hardware.ai_cores);
    plan.tiles.resize(static_cast<std::size_t>(workers));
    for (std::int64_t block = 0; block < (one_block ? workers : of.blocks); ++block) {
        for (std::int64_t i = 0; i < per_block; ++i) {
            plan.tiles[static_cast<std::size_t>(block % workers)].push_back(
                {.row = 0, .col = block * per_block + i});
        }
    }
    MeasuredCase measured = with_plan(hardware, std::move(plan));
    measured.launch = !one_block;
    measured.warm = true; // 52 MB of weights in 26 us are more than HBM gives: they are in L2
    return measured;
}

/// One product, or a batch of them, each a tile of its own.
MeasuredCase batch(const Measurement& row, const config::HardwareConfig& hardware) {
    const Sizes size = sizes_of(row);
    const std::int64_t count = row.batch.value_or(1);
    TiledGemmPlan plan = plan_of({count * size.m, size.n, size.k});
    plan.tile_m = size.m;
    plan.tile_n = size.n;
    plan.w_per_row = true;
    const std::int64_t cores = std::min(count, cores_of(row, hardware));
    plan.tiles = kernels::deal_walk(count, 1, cores, Walk::Rows, 1);
    MeasuredCase measured = with_plan(hardware, std::move(plan));
    measured.warm = true; // thousands of runs on the same few megabytes
    return measured;
}

/// hw-native-sys/pto-isa, kernels/manual/a5/matmul_mxfp8_performance and _mxfp4_performance: a grid
/// of 4 x 8 cores. Scales, a 32nd of the elements, are left out. Elements of mxfp4 are taken for
/// int4, of the same width. W of these lies as [k,n], since half bytes cannot be transposed.
MeasuredCase
microscaled(const Measurement& row, const Sizes& size, const config::HardwareConfig& hardware) {
    const bool narrow = row.kernel == "gemm_mxfp4";
    TiledGemmPlan plan = plan_of(size);
    plan.dtype = narrow ? DType::Int4 : DType::Fp8E5m2;
    plan.result = DType::Bf16;
    plan.w_transposed = !narrow;
    plan.tile_m = narrow ? 256 : 128;
    plan.tile_n = 256;
    plan.slice = narrow ? 256 : 128;
    plan.x_slab = 512;
    plan.w_slab = 512;
    deal_to_grid(plan, cores_of(row, hardware), 4, 8);
    if (hardware.cube.formats.find(plan.dtype) == hardware.cube.formats.end()) {
        throw NotModelled(fmt::format("the cube has no {}", to_string(plan.dtype)));
    }
    return with_plan(hardware, std::move(plan));
}

using Model = MeasuredCase (*)(const Measurement&, const Sizes&, const config::HardwareConfig&);

/// What is in the name of the algorithm, and its program.
struct Named {
    std::string_view part;
    Model model;
};
constexpr std::array kModels = {
    Named{"PTO with block swizzle", swizzled},
    Named{"PTO without swizzle", unswizzled},
    Named{"torch matmul", vendor},
    Named{"PTO tiles", pto_performance},
    Named{"GEMM+allreduce", with_all_reduce},
    Named{"PyPTO", pypto},
};

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    if (row.kernel == "gemm_skinny") {
        return skinny(row, hardware);
    }
    const Sizes size = sizes_of(row);
    if (row.kernel == "gemm_mxfp8" || row.kernel == "gemm_mxfp4") {
        return microscaled(row, size, hardware);
    }
    if (row.kernel != "gemm") {
        throw NotModelled("products whose results vector cores scale: no program");
    }
    for (const Named& named : kModels) {
        if (contains(row.algorithm, named.part)) {
            return named.model(row, size, hardware);
        }
    }
    if (contains(row.algorithm, "CATLASS")) {
        return contains(row.platform, "950") ? catlass_950(row, size, hardware)
                                             : catlass_a2(row, size, hardware);
    }
    throw NotModelled(fmt::format("no program for \"{}\"", row.algorithm));
}

bool matches(const Measurement& row) {
    return row.kernel == "gemm" || row.kernel.starts_with("gemm_");
}

bool is_batch(const Measurement& row) {
    return row.kernel == "batch_gemm_small";
}

} // namespace
} // namespace gemm_rows

const Family kGemmFamily = {"gemm", gemm_rows::matches, gemm_rows::model};
const Family kBatchGemmFamily = {"batch-gemm", gemm_rows::is_batch, gemm_rows::batch};

} // namespace npusim::app
