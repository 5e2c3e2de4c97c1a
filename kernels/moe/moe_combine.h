// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"

#include <vector>

namespace npusim::kernels {

struct MoeCombineShape {
    std::int64_t tokens = 0;
    std::int64_t cols = 0; ///< a multiple of 16
    std::int64_t top_k = 0;
    std::vector<std::int64_t> source; ///< [tokens * top_k]: the token of each row of `rows`
    bool shared = false;              ///< adds the output of an expert that every token has
    DType dtype = DType::Fp16;
};

/// What the experts of a token have made of it, put together: `y` [tokens, cols] with
/// y[t] = sum over the rows r of t of weights[r] * rows[r] (+ shared[t]), summed in fp32.
/// Inputs: `rows` [tokens * top_k, cols] in the order of the experts, `weights` [tokens * top_k, 1]
/// in fp32 in the same order, `shared` [tokens, cols] if asked for. The permutation is part of the
/// plan: see balanced_source.
///
/// On the vector cores, token by token: rows are read one by one, each scaled by its weight and
/// added. A core keeps all weights in UB if half of it takes them, else reads each with its row.
class MoeCombine : public Operator {
  public:
    /// Throws ConfigError unless `source` names every token top_k times and cols is a multiple of
    /// 16.
    MoeCombine(const config::HardwareConfig& hardware, const MoeCombineShape& shape);
    [[nodiscard]] std::string_view name() const override { return "moe-combine"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override {
        return rounds_of(shape_.tokens, vector_workers(hardware()));
    }

  private:
    class Sum;

    MoeCombineShape shape_;
    isa::Tile rows_;
    isa::Tile weights_;
    isa::Tile shared_;
    isa::Tile y_;
    std::vector<std::int64_t> rows_of_; ///< [tokens * top_k]: the rows of each token
};

} // namespace npusim::kernels
