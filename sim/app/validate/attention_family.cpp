// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/attention_family.h"

#include "kernels/measured/attention/fused_attention.h"
#include "sim/app/validate/reading.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::app {

namespace attention_rows {
namespace {

using kernels::FusedAttention;
using kernels::FusedAttentionPlan;

constexpr std::int64_t kHeadSize = 128;
/// Keys of a step, and from where on the Python port takes the wide ones (README of
/// kernels/python/flash_atten).
constexpr std::int64_t kStep = 256;
constexpr std::int64_t kWideStep = 512;
constexpr std::int64_t kWideFrom = 16384;
/// Steps ahead: of the kernel, and of the port.
constexpr std::int64_t kAhead = 4;
constexpr std::int64_t kPortAhead = 3;
/// The vendor's operator needs that many microseconds more than the open kernel at 1024 and 2048
/// tokens on a 910B2 and at 2048 and 4096 on a 910C (34 to 38), whatever the shape: it prepares its
/// tiles first. Beyond that it is taken for the open kernel, since its own structure is unknown.
constexpr double kVendorStartUs = 36;
/// One block of queries per core: up to that many keys the published times are 10 to 30 us longer
/// than those of more keys.
constexpr std::int64_t kSteadyKeys = 4096;

FusedAttentionPlan plan_of(const Measurement& row, const config::HardwareConfig& hardware) {
    FusedAttentionPlan plan;
    plan.queries = row.m.value_or(row.t.value_or(0));
    plan.keys = row.n.value_or(row.t.value_or(0));
    plan.cores = std::min(row.cores.value_or(hardware.ai_cores), hardware.ai_cores);
    const bool port = contains(row.algorithm, "DSL");
    plan.ahead = port ? kPortAhead : kAhead;
    plan.tile = port && plan.keys >= kWideFrom ? kWideStep : kStep;
    return plan;
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    if (hardware.composition != config::Composition::Split) {
        throw NotModelled("no program for a fused chip");
    }
    if (row.d.value_or(kHeadSize) != kHeadSize) {
        throw NotModelled(fmt::format("head size {}", *row.d));
    }
    if (row.b.value_or(1) != 1 || row.h.value_or(1) != 1) {
        throw NotModelled("more than one head");
    }
    const FusedAttentionPlan plan = plan_of(row, hardware);
    if (plan.queries <= 0 || plan.keys <= 0) {
        throw NotModelled("no number of tokens");
    }
    if (contains(row.algorithm, "one S0 tile") && plan.keys < kSteadyKeys) {
        throw NotModelled("other tiles that are not given: more keys take less time");
    }
    MeasuredCase measured;
    measured.kernel = std::make_unique<FusedAttention>(hardware, plan);
    measured.flops = measured.kernel->flops();
    measured.warm = true; // Q, K and V are fetched into L2 before the launch
    measured.host_us = contains(row.algorithm, "torch_npu") ? kVendorStartUs : 0;
    return measured;
}

bool matches(const Measurement& row) {
    return row.kernel == "flash_attention";
}

} // namespace
} // namespace attention_rows

const Family kFlashAttentionFamily = {
    "flash-attention", attention_rows::matches, attention_rows::model};

} // namespace npusim::app
