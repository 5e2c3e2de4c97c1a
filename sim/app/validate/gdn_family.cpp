// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/gdn_family.h"

#include "kernels/measured/chain.h"
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/tile_lang.h"
#include "kernels/measured/inverse/mxr.h"
#include "kernels/measured/linear_attention/linear_attention.h"
#include "sim/app/validate/reading.h"
#include "sim/base/error.h"

#include <algorithm>
#include <array>

namespace npusim::app {

namespace gdn_rows {
namespace {

using config::HardwareConfig;
using kernels::gdn::GdnShape;
using Kernel = std::unique_ptr<kernels::SteadyKernel>;

/// Blocks of the first A5 port: what its launcher (megagdn_pto/compile.py) takes where the runtime
/// does not tell the number of cube cores. An assumption: large shapes took twice the time of the
/// later build in every stage, single chunks did not.
constexpr std::int64_t kUntunedA5Blocks = 20;

/// What a single call from Python adds to the time between two events around it (910B2,
/// npu-skillyard platform_model.md): the linear attention benches time such calls, and their small
/// shapes show it.
constexpr double kPythonCallUs = 50;

template <class Stage> Kernel make(const HardwareConfig& hardware, const GdnShape& shape) {
    return std::make_unique<Stage>(hardware, shape);
}

/// A stage by its name in the table.
struct Stage {
    std::string_view kernel;
    Kernel (*persistent)(const HardwareConfig&, const GdnShape&);
    Kernel (*per_chunk)(const HardwareConfig&, const GdnShape&); ///< a block for every chunk
};
constexpr std::array kStages{
    Stage{"cumsum", make<kernels::gdn::GdnCumsum>, make<kernels::gdn::TileLangCumsum>},
    Stage{"chunk_scaled_dot_kkt", make<kernels::gdn::GdnKkt>, make<kernels::gdn::TileLangKkt>},
    Stage{"wy_fast", make<kernels::gdn::GdnWy>, make<kernels::gdn::TileLangWy>},
    Stage{"chunk_h", make<kernels::gdn::GdnStates>, make<kernels::gdn::TileLangStates>},
    Stage{"chunk_o", make<kernels::gdn::GdnOutputs>, make<kernels::gdn::TileLangOutputs>},
};

const Stage* stage_of(const Measurement& row) {
    const auto* stage = std::ranges::find(kStages, row.kernel, &Stage::kernel);
    return stage == kStages.end() ? nullptr : stage;
}

bool is_tile_lang(const Measurement& row) {
    return row.algorithm.starts_with("TileLang");
}

bool is_linear_attention(const Measurement& row) {
    return row.kernel == "linear_attention" &&
           (contains(row.algorithm, "PTO") || contains(row.algorithm, "optimisation step") ||
            contains(row.algorithm, "pto_cpp"));
}

bool matches(const Measurement& row) {
    const bool stage =
        stage_of(row) != nullptr && (row.algorithm.starts_with("PTO") || is_tile_lang(row));
    const bool chain = row.kernel == "gdn_chunk_pipeline" && row.algorithm.starts_with("PTO");
    return stage || chain || is_linear_attention(row);
}

/// Refuses what says nothing on the kernels.
void require_device_time(const Measurement& row) {
    if (contains(row.timing, "host")) {
        throw NotModelled("host time, launches included");
    }
    if (contains(row.timing, "uncertain") || contains(row.kind, "uncertain")) {
        throw NotModelled("the shape is a guess");
    }
}

GdnShape shape_of(const Measurement& row) {
    constexpr std::int64_t kDefaultSize = 128;
    if (!row.b || !row.h || !row.t || !row.chunk) {
        throw NotModelled("the shape is not stated");
    }
    GdnShape shape;
    shape.batch = *row.b;
    shape.heads = *row.h;
    shape.key_heads = row.hg.value_or(*row.h);
    shape.tokens = *row.t;
    shape.size = row.d.value_or(kDefaultSize);
    shape.chunk = *row.chunk;
    if (row.platform.starts_with("950")) {
        using kernels::gdn::Build;
        const bool untuned = contains(row.note, "untuned");
        shape.build = untuned ? Build::A5Untuned : Build::A5;
        shape.cores = untuned ? kUntunedA5Blocks : 0;
    }
    return shape;
}

/// mega_kernel.h: all stages in one launch; or their launches one after the other.
Kernel chain(const Measurement& row, const HardwareConfig& hardware) {
    using kernels::KernelChain;
    const GdnShape shape = shape_of(row);
    kernels::InverseBatch matrices;
    matrices.count = shape.batch * shape.chunks() * shape.heads;
    matrices.side = shape.chunk;
    matrices.heads = shape.heads;
    matrices.out = DType::Fp16;
    KernelChain::Stages stages;
    stages.push_back(std::make_unique<kernels::gdn::GdnCumsum>(hardware, shape));
    stages.push_back(std::make_unique<kernels::gdn::GdnTranspose>(hardware, shape, DType::Fp32));
    stages.push_back(std::make_unique<kernels::gdn::GdnTranspose>(hardware, shape, DType::Fp16));
    stages.push_back(std::make_unique<kernels::gdn::GdnKkt>(hardware, shape));
    stages.push_back(std::make_unique<kernels::Mxr>(hardware, matrices, kernels::MxrBuild{}));
    stages.push_back(std::make_unique<kernels::gdn::GdnWy>(hardware, shape));
    stages.push_back(std::make_unique<kernels::gdn::GdnStates>(hardware, shape));
    stages.push_back(std::make_unique<kernels::gdn::GdnOutputs>(hardware, shape));
    const bool staged = contains(row.algorithm, "staged");
    return std::make_unique<KernelChain>(hardware,
                                         "gdn-chain",
                                         std::move(stages),
                                         staged ? KernelChain::Between::Launch
                                                : KernelChain::Between::Barrier);
}

Kernel kernel_of(const Measurement& row, const HardwareConfig& hardware) {
    const Stage* stage = stage_of(row);
    if (stage == nullptr) {
        return chain(row, hardware);
    }
    if (contains(row.algorithm, "PR state") && row.kernel == "chunk_scaled_dot_kkt") {
        throw NotModelled("an unpublished state of the kernel");
    }
    const bool per_chunk = is_tile_lang(row) || contains(row.algorithm, "static");
    return (per_chunk ? stage->per_chunk : stage->persistent)(hardware, shape_of(row));
}

/// Versions of the linear attention kernel, by a part of their name in the table.
using kernels::LinearAttentionVersion;
struct Version {
    std::string_view name;
    LinearAttentionVersion version;
};
constexpr std::array kVersions{
    Version{"step 03", {LinearAttentionVersion::States::OneSlot, false}},
    Version{"step 04", {LinearAttentionVersion::States::OneSlot, false}},
    Version{"step 05", {LinearAttentionVersion::States::OneSlot, true}},
    Version{"step 06", {LinearAttentionVersion::States::TwoSlots, true}},
    Version{"step 07", {LinearAttentionVersion::States::TwoSlots, true}},
    Version{"seq_first", {LinearAttentionVersion::States::Given, true}},
    Version{"PTO chunk linear attention", {LinearAttentionVersion::States::TwoSlots, true}},
    Version{"pto_cpp", {LinearAttentionVersion::States::TwoSlots, true}},
};

Kernel linear_attention(const Measurement& row, const HardwareConfig& hardware) {
    const auto* version = std::ranges::find_if(
        kVersions, [&](const Version& known) { return contains(row.algorithm, known.name); });
    if (version == kVersions.end()) {
        throw NotModelled("a mask applied element by element, not described well enough");
    }
    const GdnShape shape = shape_of(row);
    LinearAttentionVersion chosen = version->version;
    // The source keeps one slot where a chunk is shorter than a key.
    if (chosen.states == LinearAttentionVersion::States::TwoSlots && shape.chunk < shape.size) {
        chosen.states = LinearAttentionVersion::States::OneSlot;
    }
    return std::make_unique<kernels::LinearAttention>(
        hardware,
        kernels::LinearAttentionShape{
            shape.batch, shape.heads, shape.tokens, shape.size, shape.chunk},
        chosen);
}

MeasuredCase model(const Measurement& row, const HardwareConfig& hardware) {
    require_device_time(row);
    MeasuredCase result;
    try {
        result.kernel =
            is_linear_attention(row) ? linear_attention(row, hardware) : kernel_of(row, hardware);
        result.flops = result.kernel->flops();
        result.host_us = is_linear_attention(row) ? kPythonCallUs : 0;
    } catch (const ConfigError& error) {
        throw NotModelled(error.what());
    }
    return result;
}

} // namespace
} // namespace gdn_rows

const Family kGatedDeltaNetFamily{"gated-delta-net", gdn_rows::matches, gdn_rows::model};

} // namespace npusim::app
