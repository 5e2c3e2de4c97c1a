// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/chain.h"

#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <algorithm>

namespace npusim::kernels {

namespace {

/// Stages with less than this share of the rounds of the longest one do not set the rhythm.
constexpr std::int64_t kLeastShare = 8;

} // namespace

std::int64_t KernelChain::rounds() const {
    std::int64_t most = 0;
    for (const auto& stage : stages_) {
        most = std::max(most, stage->rounds());
    }
    std::int64_t least = most;
    for (const auto& stage : stages_) {
        if (stage->rounds() * kLeastShare >= most) {
            least = std::min(least, stage->rounds());
        }
    }
    return least;
}

double KernelChain::flops() const {
    double sum = 0;
    for (const auto& stage : stages_) {
        sum += stage->flops();
    }
    return sum;
}

isa::Program KernelChain::program(isa::CoreId core) const {
    const std::int64_t all = rounds();
    const std::int64_t run = limited(all);
    isa::Block between;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        const std::int64_t share = (stages_[i]->rounds() * run + all / 2) / all;
        stages_[i]->stop_after(std::max<std::int64_t>(1, share));
        isa::Program program = stages_[i]->program(core);
        while (isa::Block* block = program.next()) {
            co_yield *block;
        }
        if (i + 1 < stages_.size()) {
            between.emplace_back(isa::BarrierAll{});
            between.emplace_back(isa::SyncAll{});
            if (between_ == Between::Launch) {
                between.emplace_back(isa::ScalarWork{hardware().launch.count()});
            }
            co_yield between;
        }
    }
}

} // namespace npusim::kernels
