// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/batch_layout.h"
#include "kernels/common/workers.h"
#include "kernels/inverse/block_diagonal.h"
#include "kernels/inverse/recipe_layout.h"
#include "kernels/inverse/recipe_plan.h"
#include "kernels/inverse/scales.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace npusim::inverse {

/// Cross-core events. To a vector core: the cube core has put a product into GM; it has done with
/// the place where the next result for it goes. To the cube core: vector core v has put a result
/// into GM.
inline constexpr std::int32_t kProductInGm = 0;
inline constexpr std::int32_t kPlaceFree = 1;
inline constexpr std::int32_t kDone = 0;

/// Diagonal block `index` of a step's result: `size` wide, at (`start`, `start`).
struct BlockSpan {
    std::int64_t start = 0;
    std::int64_t size = 0;
};

/// L1 of the cube core.
struct CubeBuffers {
    std::vector<isa::Tile> constants;
    std::vector<std::vector<isa::Tile>> scratch;               ///< [matrix of a wave][slot]
    std::vector<std::vector<std::vector<isa::Tile>>> contexts; ///< [wave in flight][matrix][slot]
};

/// UB of the unit that serves trips.
struct VectorBuffers {
    std::vector<isa::Tile> slots; ///< a trip's data comes in and is worked on in place
    std::vector<isa::Tile> masks; ///< fewer than the recipe has if they do not all fit
};

/// Diagonal blocks that can have scales of their own, found on the way: a step over the whole takes
/// the even one or the odd one.
inline constexpr std::int64_t kScaledBlocks = 2;

/// UB of the unit that serves trips of integers. S is the side of the largest trip, R the rows of a
/// panel.
struct IntegerBuffers {
    struct Slot {
        isa::Tile product;              ///< [R,S] in the accumulator's dtype
        std::vector<isa::Tile> addends; ///< [R,S] each
        isa::Tile mask;                 ///< [R,S] fp32, if the recipe has masks
        isa::Tile result;               ///< [R,S]
    };
    std::int64_t panel_rows = 0;
    isa::Tile sum;      ///< [S,S] fp32
    isa::Tile addend;   ///< [R,S] fp32
    isa::Tile identity; ///< [S,S]
    std::vector<Slot> slots;
    // Only where scales are found on the way:
    isa::Tile peaks;         ///< a repeat of fp32
    isa::Tile peak;          ///< a block of fp32
    isa::Tile inverse_scale; ///< likewise
    isa::Tile scales;        ///< [values * contexts * kScaledBlocks, 8] fp32
};

/// A step of one matrix, or a diagonal block of it, on its way through the vector unit.
struct Trip {
    std::size_t value = 0;
    std::int64_t number = 0; ///< of the AI core
    std::int64_t index = 0;  ///< of the matrix, in the batch
    std::size_t context = 0; ///< of the matrix, among those in flight
    BlockSpan span;
};

/// A diagonal block of an addend: where it goes, and where it stands, [size,size].
struct Piece {
    std::int64_t start = 0;
    isa::Tile from;
};

/// A phase of a wave, as the cube core gets to it.
struct Stage {
    std::int64_t wave = 0;
    std::size_t phase = 0;
};

/// A recipe laid out for a chip: where everything stands, and in which order the cores get to it.
/// The programs themselves are CubeWork's and, on a split chip, TripServer's.
class RecipePlan : public kernels::Plan {
  public:
    RecipePlan(const config::HardwareConfig& hardware,
               const kernels::Problem& problem,
               Recipe recipe);

    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        const kernels::Range matrices =
            limited(kernels::share(problem_.count, hardware_.ai_cores, core.ai_core), wave_);
        if (matrices.size() == 0) {
            return {};
        }
        return split_ && core.unit > 0 ? vector_program(core, matrices)
                                       : cube_program(core, matrices);
    }
    [[nodiscard]] std::int64_t rounds() const override {
        return kernels::rounds_of(problem_.count, hardware_.ai_cores, wave_);
    }
    [[nodiscard]] std::int64_t gm_bytes() const override { return layout_.gm.used(); }
    [[nodiscard]] isa::Tile input(std::int64_t index) const override {
        return layout_.input(index);
    }
    [[nodiscard]] isa::Tile output(std::int64_t index) const override {
        return layout_.output(index);
    }
    [[nodiscard]] double input_scale(std::int64_t index) const override {
        return integer() ? scale(kInput.value, index) : 1;
    }
    [[nodiscard]] double output_scale(std::int64_t index,
                                      const functional::GlobalMemory& gm) const override;
    [[nodiscard]] std::vector<std::string> steps() const override;
    void write_constants(functional::GlobalMemory& gm) const override;

  private:
    friend class VectorWork;
    friend class CubeWork;
    friend class IntegerWork;
    friend class TripServer;

    void size_waves();
    [[nodiscard]] std::optional<CubeBuffers> cube_buffers(std::int64_t waves,
                                                          std::int64_t wave) const;
    void lay_out_ub();
    void lay_out_ring();
    void lay_out_integers();
    void set_scales();

    [[nodiscard]] const Recipe::Value& value(std::size_t index) const {
        return recipe_.values()[index];
    }
    [[nodiscard]] std::int64_t blocks_of(std::size_t index) const {
        return value(index).block == 0 ? 1 : problem_.chunk / value(index).block;
    }
    [[nodiscard]] BlockSpan span(std::size_t index, std::int64_t block) const {
        const std::int64_t size = value(index).block == 0 ? problem_.chunk : value(index).block;
        return {block * size, size};
    }
    /// Matrices of `wave` out of those of a core.
    [[nodiscard]] kernels::Range wave_range(kernels::Range matrices, std::int64_t wave) const {
        const std::int64_t begin = matrices.begin + wave * wave_;
        return {begin, std::min(begin + wave_, matrices.end)};
    }
    [[nodiscard]] std::int64_t count_waves(kernels::Range matrices) const {
        return ceil_div(matrices.size(), wave_);
    }
    /// Step s of a core runs phase p of wave s - p, so that a wave is on its trip while others use
    /// the cube; one wave at a time, it runs all phases of wave s.
    [[nodiscard]] std::int64_t count_steps(std::int64_t waves) const {
        return skewed() ? waves + std::ssize(use_.phases) - 1 : waves;
    }
    [[nodiscard]] std::vector<Stage> stages(std::int64_t step, std::int64_t waves) const;
    [[nodiscard]] bool skewed() const { return in_flight_ > 1; }
    [[nodiscard]] bool integer() const { return is_integer(problem_.dtype); }
    /// Matrices in flight.
    [[nodiscard]] std::int64_t contexts() const { return in_flight_ * wave_; }
    /// The context of matrix `m` of `wave`.
    [[nodiscard]] std::size_t context(std::int64_t wave, std::int64_t m) const {
        return static_cast<std::size_t>(wave % in_flight_ * wave_ + m);
    }
    /// The vector core that serves a trip. The scales of a matrix stay in the UB of one.
    [[nodiscard]] std::int64_t server(const Trip& trip, kernels::Range matrices) const {
        return (integer() ? trip.index - matrices.begin : trip.number) % hardware_.vector_cores;
    }
    /// What a sum of products is multiplied by to become the result of `step`.
    [[nodiscard]] float rescaling(const Product& product, const Trip& step) const {
        const double scale = static_cast<double>(this->scale(product.left.value, step.index)) *
                             this->scale(product.right.value, step.index) /
                             this->scale(step.value, step.index);
        constexpr double kLargest = std::numeric_limits<float>::max();
        return static_cast<float>(std::min(scale, kLargest)); // powers of A may go beyond fp32
    }
    /// Real value of 1 in `value` of matrix `index`, as set beforehand.
    [[nodiscard]] float scale(std::size_t value, std::int64_t index) const;
    [[nodiscard]] bool is_last(std::size_t value) const {
        return value + 1 == recipe_.values().size();
    }
    /// Where the result of a trip stands in GM, and where the sums it needs do.
    [[nodiscard]] isa::Tile place(std::int64_t ai_core, const Trip& trip) const {
        return place_in(ring_, ai_core, trip);
    }
    [[nodiscard]] isa::Tile product_place(std::int64_t ai_core, const Trip& trip) const {
        return place_in(products_, ai_core, trip);
    }
    [[nodiscard]] isa::Tile
    place_in(const std::vector<isa::Tile>& ring, std::int64_t ai_core, const Trip& trip) const {
        const isa::Tile& room =
            ring[static_cast<std::size_t>(ai_core * ring_slots_ + trip.number % ring_slots_)];
        return kernels::shaped(room, trip.span.size, trip.span.size);
    }
    /// What of `matrix` counts in a step: diagonal blocks, from `source`.
    [[nodiscard]] std::vector<Piece>
    pieces(const Trip& trip,
           const Matrix& matrix,
           const std::function<isa::Tile(BlockSpan)>& source) const;

    isa::Program cube_program(isa::CoreId core, kernels::Range matrices) const;
    isa::Program vector_program(isa::CoreId core, kernels::Range matrices) const;

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    Recipe recipe_;
    bool split_;
    RecipeLayout use_;
    kernels::BatchLayout layout_;
    std::vector<isa::Tile> constants_; ///< in GM, as use_.constants
    std::vector<isa::Tile> masks_;     ///< in GM, as use_.masks
    std::int64_t wave_ = 1;            ///< matrices per wave
    std::int64_t in_flight_ = 1;       ///< waves in L1 at a time
    CubeBuffers l1_;
    VectorBuffers ub_;
    std::optional<BlockDiagonalInverse> diagonal_; ///< if the recipe has a use for it
    std::int64_t ring_slots_ = 0;                  ///< places in GM per AI core
    std::vector<isa::Tile> ring_;
    // Integer formats:
    std::vector<isa::Tile> products_; ///< places for sums as they leave the cube, beside `ring_`
    isa::Tile identity_;              ///< in GM
    isa::Tile input_scales_;          ///< in GM, [count, 8] fp32; if found on the way
    isa::Tile output_scales_;
    IntegerBuffers integers_;
    std::vector<ScaleTable> scales_; ///< by value, as set beforehand
    bool spills_ = false;            ///< the ring is larger than L2
};

} // namespace npusim::inverse
