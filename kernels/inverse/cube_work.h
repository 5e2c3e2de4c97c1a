// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/cube_products.h"
#include "kernels/inverse/integer_work.h"
#include "kernels/inverse/vector_work.h"

namespace npusim::inverse {

/// The cube core's side of the matrices, and the vector unit's too where one stream drives both.
class CubeWork {
  public:
    CubeWork(const RecipePlan& plan, isa::CoreId core, kernels::Range matrices);

    void load_wave(std::int64_t wave);
    void run(const Stage& stage);

    kernels::Emitter emit;

  private:
    /// What is known of the matrix in a context.
    struct State {
        std::vector<kernels::Operand> operands; ///< by value of the recipe
        kernels::Ticket released; ///< MTE1 has read the context's tiles for the last time
    };

    void form(const Trip& step, State& state, const isa::Tile& to);
    std::vector<kernels::Term> terms(std::size_t value, const State& state, BlockSpan span) const;
    [[nodiscard]] kernels::Operand
    operand(const Matrix& matrix, const State& state, BlockSpan span) const;
    void trip_over_gm(const Trip& trip, const State& state, const isa::Tile& to);
    void wait_for_reads();
    void trip_in_core(const Trip& trip, const State& state, const isa::Tile& to);
    void integers_in_core(const Trip& trip, const State& state, const isa::Tile& to);
    [[nodiscard]] const isa::Tile&
    tile_of(std::size_t value, std::size_t wave, std::size_t matrix) const;

    const RecipePlan& plan_;
    isa::CoreId core_;
    kernels::Range matrices_;
    kernels::CubeProducts cube_;
    std::optional<VectorWork> vector_;        ///< where this core has the vector unit
    std::optional<IntegerWork> integers_;     ///< the same, for integer formats
    std::vector<kernels::Operand> constants_; ///< by value of the recipe
    std::vector<std::vector<State>> states_;
    std::int64_t trip_ = 0; ///< of this AI core, so far
};

} // namespace npusim::inverse
