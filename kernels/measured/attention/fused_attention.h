// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"

#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// One head of attention without a mask, in four stages that run at once.
struct FusedAttentionPlan {
    std::int64_t queries = 0; ///< a multiple of 128
    std::int64_t keys = 0;    ///< a multiple of `tile`
    std::int64_t cores = 0;   ///< AI cores; blocks of 128 queries are dealt to them in turn
    std::int64_t tile = 256;  ///< keys of a step, a multiple of 128 (TILE_S1)
    std::int64_t ahead = 4;   ///< steps that scores and weights run ahead of outputs (QK_PRELOAD)
    std::int64_t slots = 8;   ///< of each queue between the cores (CV_FIFO_SIZE)
};

/// The flash attention of hw-native-sys/pto-isa, kernels/manual/common/flash_atten
/// (fa_performance_kernel.cpp), and its port kernels/python/flash_atten: head size 128, fp16, fp32
/// result. For each step of keys
///
///     scores Q K^T (cube) -> weights by online softmax (vector cores)
///            -> products with V (cube) -> running outputs (vector cores)
///
/// where each arrow is a queue in GM. Tensors `q`, `k`, `v`, `o`. A round is a step of a block.
///
/// The kernel lets FixPipe start on a product before it is whole (unit flag); here it waits for the
/// product, and a product waits for FixPipe.
class FusedAttention : public SteadyKernel {
  public:
    /// Throws ConfigError for shapes that do not divide.
    FusedAttention(const config::HardwareConfig& hardware, const FusedAttentionPlan& plan);
    [[nodiscard]] std::string_view name() const override { return "fused-attention"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override { return blocks_of(0) * steps(); }
    [[nodiscard]] double flops() const override;

  private:
    struct CubeCore;
    struct VectorCore;
    [[nodiscard]] isa::Program cube(isa::CoreId core) const;
    [[nodiscard]] isa::Program vectors(isa::CoreId core) const;
    [[nodiscard]] std::int64_t blocks() const;
    [[nodiscard]] std::int64_t blocks_of(std::int64_t core) const;
    [[nodiscard]] std::int64_t steps() const { return plan_.keys / plan_.tile; }
    /// Sub-tiles of 128 keys of a step, and as many slices of the rows of a vector core.
    [[nodiscard]] std::int64_t parts() const;
    /// Slot of a queue whose slots have `rows` rows.
    [[nodiscard]] isa::Tile
    slot(const isa::Tile& queue, isa::CoreId core, std::int64_t step, std::int64_t rows) const;

    FusedAttentionPlan plan_;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile o_;
    isa::Tile scores_;
    isa::Tile weights_;
    isa::Tile products_;
};

} // namespace npusim::kernels
