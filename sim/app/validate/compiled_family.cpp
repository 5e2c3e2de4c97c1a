// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/compiled_family.h"

#include "kernels/measured/compiled/chunk_stages.h"
#include "sim/app/validate/reading.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

namespace compiled_rows {
namespace {

using kernels::CompiledChunkShape;
using kernels::CompiledStage;
using kernels::CompiledStages;

/// What the host adds between the two events round a stage of huawei-csl/megagdn-pto's
/// bench_gdn_kernels.py (_bench_triton): the device is idle before, so the launcher of Triton and
/// the transposition of the gates in front of the kernel are in the time. From the intercepts over
/// tokens of key products (350 to 375 us), WY products (350 to 410) and states (350 to 430).
constexpr double kLaunchUs = 350;
/// A table of chunks that a stage makes itself from cu_seqlens (prepare_chunk_indices: on the host,
/// with the device waiting). From the cumulative gates, whose 930 us are nearly all host; the
/// inverse makes two (its intercept is 1200 to 1600 us), the outputs one (800 us).
constexpr double kTableUs = 580;

/// BK of chunk_o_vllm_adapted.py.
constexpr std::int64_t kVllmKeyBlock = 64;

struct Stage {
    std::string_view kernel;
    CompiledStage stage;
    int tables;
};
constexpr std::array kStages{
    Stage{"cumsum", CompiledStage::CumulativeGate, 1},
    Stage{"chunk_scaled_dot_kkt", CompiledStage::KeyProducts, 0},
    Stage{"solve_tril", CompiledStage::Inverse, 2},
    Stage{"wy_fast", CompiledStage::WyProducts, 0},
    Stage{"chunk_h", CompiledStage::States, 0},
    Stage{"chunk_o", CompiledStage::Outputs, 1},
    Stage{"linear_attention", CompiledStage::LinearOutputs, 0},
};

const Stage* stage_of(const Measurement& row) {
    for (const Stage& stage : kStages) {
        if (row.kernel == stage.kernel) {
            return &stage;
        }
    }
    return nullptr;
}

bool compiled(const Measurement& row) {
    return contains(row.algorithm, "Triton") || contains(row.algorithm, "triton");
}

CompiledChunkShape shape_of(const Measurement& row) {
    CompiledChunkShape shape;
    shape.sequences = required(row.b, "number of sequences");
    shape.tokens = required(row.t, "number of tokens");
    shape.heads = required(row.h, "number of heads");
    shape.key_heads = row.hg.value_or(shape.heads);
    shape.chunk = required(row.chunk, "chunk");
    shape.head_size = row.d.value_or(shape.head_size);
    return shape;
}

/// Where the two events of a bench are what was read.
bool has_host(const Measurement& row) {
    return row.timing != "profiler";
}

void refuse_figures(const Measurement& row) {
    if (contains(row.note, "shape not printed")) {
        throw NotModelled("the shape is not printed");
    }
    if (contains(row.algorithm, "FlagGems") || contains(row.timing, "end to end")) {
        throw NotModelled("host time: launches, not the device");
    }
}

MeasuredCase model_chain(const Measurement& row, const config::HardwareConfig& hardware) {
    // "staged_ms" of the bench is the chain of the PTO kernels behind a loop of torch.cumsum over
    // every chunk of 128 tokens: 95 us of Python each, whatever the heads.
    if (row.timing == "device event") {
        throw NotModelled("a Python loop over the chunks sums the gates: host time");
    }
    const CompiledChunkShape shape = shape_of(row);
    const std::vector<CompiledStage> stages{CompiledStage::CumulativeGate,
                                            CompiledStage::KeyProducts,
                                            CompiledStage::Inverse,
                                            CompiledStage::WyProducts,
                                            CompiledStage::States,
                                            CompiledStage::Outputs};
    MeasuredCase result;
    result.kernel = std::make_unique<CompiledStages>(hardware, shape, stages);
    for (const Stage& stage : kStages) {
        if (stage.stage != CompiledStage::LinearOutputs) {
            result.host_us += kLaunchUs + stage.tables * kTableUs;
        }
    }
    return result;
}

bool matches_stages(const Measurement& row) {
    static constexpr std::array kLayer{
        "recompute_wu", "gated_delta_rule_h", "chunk_fwd_o", "gdn_layer_eager"};
    for (const char* kernel : kLayer) {
        if (row.kernel == kernel) {
            return true;
        }
    }
    if (row.kernel == "linear_attention" && contains(row.algorithm, "vllm")) {
        return true;
    }
    return compiled(row) && row.kernel != "solve_tril" && row.kernel != "prefill_ttft" &&
           (stage_of(row) != nullptr || row.kernel == "gdn_chunk_pipeline");
}

MeasuredCase model_stages(const Measurement& row, const config::HardwareConfig& hardware) {
    refuse_figures(row);
    if (row.kernel == "gdn_chunk_pipeline") {
        return model_chain(row, hardware);
    }
    const Stage* stage = stage_of(row);
    if (stage == nullptr) {
        throw NotModelled("no program for this stage");
    }
    if (row.kernel == "wy_fast" && row.chunk == 64 && row.timing == "device") {
        throw NotModelled("an older build, whose source is not known");
    }
    CompiledChunkShape shape = shape_of(row);
    int tables = stage->tables;
    if (contains(row.algorithm, "vllm")) {
        shape.key_block = kVllmKeyBlock;
        tables += contains(row.algorithm, "varlen") ? 1 : 0;
    }
    MeasuredCase result;
    result.kernel = std::make_unique<CompiledStages>(hardware, shape, std::vector{stage->stage});
    result.host_us = has_host(row) ? kLaunchUs + tables * kTableUs : 0;
    return result;
}

bool matches_inverse(const Measurement& row) {
    return (row.kernel == "solve_tril" && (compiled(row) || contains(row.algorithm, "torch"))) ||
           row.kernel == "solve_tril_16" || row.kernel == "merge_16_to_64";
}

MeasuredCase model_inverse(const Measurement& row, const config::HardwareConfig& hardware) {
    refuse_figures(row);
    if (contains(row.algorithm, "torch")) {
        throw NotModelled("thousands of launches of small operators: host time");
    }
    if (!row.h) {
        throw NotModelled("the number of heads is not stated");
    }
    if (required(row.chunk, "chunk") != 64) {
        throw NotModelled("an older build for 16 rows, whose source is not known");
    }
    MeasuredCase result;
    result.kernel = std::make_unique<CompiledStages>(
        hardware, shape_of(row), std::vector{CompiledStage::Inverse});
    result.host_us = has_host(row) ? kLaunchUs + 2 * kTableUs : 0;
    return result;
}

} // namespace
} // namespace compiled_rows

const Family kCompiledStagesFamily{
    "gated-delta-net", compiled_rows::matches_stages, compiled_rows::model_stages};
const Family kCompiledInverseFamily{
    "triangular-inverse", compiled_rows::matches_inverse, compiled_rows::model_inverse};

} // namespace npusim::app
