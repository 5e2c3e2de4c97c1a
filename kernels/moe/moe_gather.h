// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

#include <vector>

namespace npusim::kernels {

struct MoeGatherShape {
    std::int64_t tokens = 0;
    std::int64_t cols = 0; ///< a multiple of 16
    std::int64_t top_k = 0;
    std::vector<std::int64_t> source; ///< [tokens * top_k]: the token of each row of `rows`
    DType dtype = DType::Fp16;
};

/// Tokens in the order of their experts: `rows` [tokens * top_k, cols], row r of which is row
/// source[r] of `x` [tokens, cols]. The permutation is part of the plan: see balanced_source.
///
/// Copies GM -> UB -> GM on the vector cores, ordered by token: a block of tokens is read at once,
/// its rows are written one by one. Copies, not tokens, are dealt evenly.
class MoeGather : public Operator {
  public:
    /// Throws ConfigError unless `source` names every token top_k times and cols is a multiple of
    /// 16.
    MoeGather(const config::HardwareConfig& hardware, const MoeGatherShape& shape);
    [[nodiscard]] std::string_view name() const override { return "moe-gather"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    std::int64_t top_k_;
    isa::Tile x_;
    isa::Tile rows_;
    std::vector<std::int64_t> rows_of_; ///< [tokens * top_k]: the rows of each token
};

} // namespace npusim::kernels
