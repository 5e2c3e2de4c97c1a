// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe_program.h"

#include <array>
#include <functional>

namespace npusim::inverse {

/// Where a trip's parts come from: each function emits the transfers of rows [row, row + to.rows)
/// into a tile in UB.
struct IntegerSources {
    Pipe product_loader = Pipe::Mte2;
    /// The product's sums, in the accumulator's dtype; empty if the step has no product.
    std::function<void(const isa::Tile& to, std::int64_t row)> product;
    /// Addend `which` of the step, in the problem's dtype; returns the pipe that brings it.
    std::function<Pipe(std::size_t which, const isa::Tile& to, std::int64_t row)> addend;
};

/// The vector unit's part in a recipe whose format is an integer: a step's value in fp32,
///
///     cut(s_l s_r product + sum of factor s_x addend)
///
/// then divided by the scale of the result, rounded and clamped. Scales set beforehand are
/// immediate operands. A scale of the matrix's own costs a search for its largest entry, and lives
/// in UB from then on; so all trips of a matrix go through the same vector unit.
///
/// Works in panels of rows, so that the transfers of one hide behind the arithmetic of another.
class IntegerWork {
  public:
    IntegerWork(const RecipePlan& plan, kernels::Emitter& emit);

    /// Carries out `trip`; the result goes to `to` [size,size].
    void run(const Trip& trip, const IntegerSources& sources, const isa::Tile& to, bool cold);
    /// Emits the transfers by `pipe` of rows [row, row + to.rows) of a matrix of diagonal `pieces`,
    /// zeros elsewhere.
    void bring(Pipe pipe, const isa::Tile& to, std::int64_t row, const std::vector<Piece>& pieces);

  private:
    struct Slot {
        IntegerBuffers::Slot room;
        std::array<kernels::Ticket, kPipeCount> read; ///< by loader: its data has been used
        kernels::Ticket sent;                         ///< the result has left by MTE3
    };

    void add_up(const Trip& trip,
                const IntegerSources& sources,
                Slot& slot,
                const isa::Tile& sum,
                std::int64_t row);
    void store(const Trip& trip, const isa::Tile& sum, const isa::Tile& to, bool cold);
    void find_scale(const Trip& trip);
    void load_input_scale(const Trip& trip);
    void scale_by(const isa::Tile& tile, const isa::Tile& factor);
    void scale_by(const isa::Tile& tile, const Trip& trip, const Matrix& matrix);
    [[nodiscard]] isa::Tile
    scale_tile(std::size_t value, const Trip& trip, std::int64_t block) const;

    const RecipePlan& plan_;
    kernels::Emitter& emit_;
    const IntegerBuffers& ub_;
    bool dynamic_;
    std::vector<Pipe> loaders_; ///< that can bring data here
    std::vector<Slot> slots_;
    std::size_t turn_ = 0;
    std::vector<std::int64_t> scale_of_; ///< by context: the matrix whose input scale is loaded
    kernels::Ticket scales_read_;
};

} // namespace npusim::inverse
