// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/recipe.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace npusim::inverse {

/// A pattern of entries to keep, of a [size,size] matrix.
struct Mask {
    Part part;
    std::int64_t size = 0;
    bool operator==(const Mask&) const = default;
};

/// What follows from a recipe alone, whatever the chip: which steps pass the vector unit, the
/// phases between such trips, and a place for each stored matrix, shared by matrices that are never
/// needed at the same time.
struct RecipeLayout {
    /// How sums are formed, by number format.
    enum class Sums : std::uint8_t {
        Cube,   ///< floats: in the cube's accumulator
        Vector, ///< integers: a product leaves the cube alone; the vector unit adds and rescales
        AlwaysVector, ///< integers whose scale is found on the way: single products pass it too
    };
    RecipeLayout(const Recipe& recipe, Sums sums);

    /// Stands in `constants` for a matrix of zeros.
    static constexpr std::size_t kZero = SIZE_MAX;

    /// A matrix of the recipe in L1: one of the tiles kept for a matrix in flight (its context), or
    /// one of those that serve within a phase.
    struct Home {
        bool context = false;
        std::size_t slot = 0;
    };

    /// A matrix added to a product by the vector unit.
    struct Addend {
        Matrix matrix; ///< the identity, A or a step
        double factor = 1;
    };

    std::vector<std::optional<Product>> products; ///< by value: what the cube is asked for
    std::vector<std::vector<Addend>> addends;     ///< by value; empty if sums are the cube's
    std::vector<bool> multiplied;                 ///< by value: is an operand of the cube
    std::vector<std::size_t> constants;           ///< values to be loaded before anything else
    std::vector<std::vector<std::size_t>> phases;
    std::vector<Home> homes; ///< by value
    std::size_t context_slots = 0;
    std::size_t scratch_slots = 0;
    std::vector<Mask> masks;          ///< different ones
    std::vector<std::size_t> mask_of; ///< by value: index in `masks`
    std::int64_t trips = 0;           ///< through the vector unit, of one matrix
    std::int64_t largest_trip = 0;    ///< side of the largest block that makes one
    bool cube_reads_input = false;
    bool inverts_blocks = false;

    [[nodiscard]] bool takes_trip(std::size_t value) const { return trip_[value]; }

  private:
    void split_sums(const Recipe& recipe);
    void find_trips(const Recipe& recipe);
    template <class F> void for_each_cube_operand(const Recipe& recipe, std::size_t value, F visit);
    void find_constants(const Recipe& recipe);
    void cut_into_phases(const Recipe& recipe);
    void find_homes(const Recipe& recipe);

    Sums sums_;
    std::vector<bool> trip_;
    std::vector<std::size_t> phase_of_;
};

} // namespace npusim::inverse
