// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"

namespace npusim::kernels {

/// G = the running sum of the log decays g within each chunk. Tensors `g` and `G`
/// [tokens, value_heads], or
/// [tokens, value_heads * key_size] by channel, fp32.
///
/// On the vector unit, by log2(chunk) additions of the rows 1, 2, 4, .. tokens before
/// (Hillis-Steele): in front of the first row stand zeros.
class CumulativeGate : public DeltaOperator {
  public:
    CumulativeGate(const config::HardwareConfig& hardware, const DeltaShape& shape);
    [[nodiscard]] std::string_view name() const override { return "cumulative-gate"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override;

  private:
    /// Columns of an item: what UB holds four times.
    [[nodiscard]] std::int64_t choose_columns() const;
    [[nodiscard]] std::int64_t items() const {
        return std::ssize(chunks()) * ceil_div(g_.cols, choose_columns());
    }

    isa::Tile g_;
    isa::Tile sum_;
};

} // namespace npusim::kernels
