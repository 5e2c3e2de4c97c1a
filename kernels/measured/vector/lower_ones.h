// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

namespace npusim::kernels {

/// Writes a lower triangle of ones: `gen_lower` of huawei-csl/pytorch-tcuscan
/// (src/kernels/kernel_gen_lower.h). Every vector core fills its rows in UB, one after the other,
/// and stores them at once, or as many of them as UB holds twice.
///
/// Tensor `y` [side, side] fp16. A round is a row.
class LowerOnes : public SteadyKernel {
  public:
    LowerOnes(const config::HardwareConfig& hardware, std::int64_t side, std::int64_t blocks);
    [[nodiscard]] std::string_view name() const override { return "lower-ones"; }
    [[nodiscard]] std::int64_t rounds() const override { return deal_.each; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    /// Rows of the triangle from `row` on.
    void fill(Script& s, const isa::Tile& ones, std::int64_t row) const;

    std::int64_t side_;
    Deal deal_; ///< of rows to vector cores
    isa::Tile y_;
};

} // namespace npusim::kernels
