// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/recipe_layout.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace npusim::inverse {

namespace {

using Value = Recipe::Value;
using Kind = Value::Kind;

bool is_step(const Value& value) {
    return value.kind != Kind::Constant && value.kind != Kind::Input;
}

/// Calls `visit` with every operand of `value`.
template <class F> void for_each_operand(const Value& value, F visit) {
    for (const Product& term : value.terms) {
        visit(term.left);
        visit(term.right);
    }
}

/// Tiles handed out in order and again once they are free.
class Slots {
  public:
    std::size_t take(std::size_t until) {
        for (std::size_t slot = 0; slot < until_.size(); ++slot) {
            if (until_[slot] == kFree) {
                until_[slot] = until;
                return slot;
            }
        }
        until_.push_back(until);
        return until_.size() - 1;
    }
    /// Frees what is used for the last time by step `value` or before: a step may write over its
    /// own operands, which are loaded before its result exists.
    void release(std::size_t value) {
        for (std::size_t& until : until_) {
            if (until != kFree && until <= value) {
                until = kFree;
            }
        }
    }
    [[nodiscard]] std::size_t count() const { return until_.size(); }

  private:
    static constexpr std::size_t kFree = SIZE_MAX;
    std::vector<std::size_t> until_;
};

} // namespace

RecipeLayout::RecipeLayout(const Recipe& recipe, Sums sums)
    : products(recipe.values().size()), addends(recipe.values().size()),
      multiplied(recipe.values().size()), homes(recipe.values().size()),
      mask_of(recipe.values().size()), sums_(sums), trip_(recipe.values().size()),
      phase_of_(recipe.values().size()) {
    if (sums != Sums::Cube) {
        split_sums(recipe);
    }
    find_trips(recipe);
    find_constants(recipe);
    cut_into_phases(recipe);
    find_homes(recipe);
}

/// A product with a constant is a matrix times a number: the vector unit adds it.
void RecipeLayout::split_sums(const Recipe& recipe) {
    const std::vector<Value>& values = recipe.values();
    const auto constant = [&](const Matrix& matrix) {
        return values[matrix.value].kind == Kind::Constant;
    };
    for (std::size_t v = 0; v < values.size(); ++v) {
        if (values[v].kind == Kind::MaskedInput) {
            addends[v].push_back({kInput, 1});
        }
        for (const Product& term : values[v].terms) {
            if (!constant(term.left) && !constant(term.right)) {
                assert(!products[v]); // scales differ from product to product
                products[v] = term;
                continue;
            }
            const bool both = constant(term.left) && constant(term.right);
            const Matrix& number = constant(term.left) ? term.left : term.right;
            const Matrix& matrix = constant(term.left) ? term.right : term.left;
            const double factor = values[number.value].scale;
            addends[v].push_back(both ? Addend{kIdentity, factor * values[matrix.value].scale}
                                      : Addend{matrix, factor});
        }
    }
}

/// Calls `visit` with every operand that the cube loads for step `value`.
template <class F>
void RecipeLayout::for_each_cube_operand(const Recipe& recipe, std::size_t value, F visit) {
    if (sums_ == Sums::Cube) {
        for_each_operand(recipe.values()[value], visit);
    } else if (products[value]) {
        visit(products[value]->left);
        visit(products[value]->right);
    }
}

void RecipeLayout::find_trips(const Recipe& recipe) {
    const std::vector<Value>& values = recipe.values();
    std::vector<bool> added(values.size()); // by the vector unit, which must have seen it
    for (const std::vector<Addend>& list : addends) {
        for (const Addend& addend : list) {
            added[addend.matrix.value] = true;
        }
    }
    for (std::size_t v = 0; v < values.size(); ++v) {
        const Value& value = values[v];
        const bool cut = value.kind != Kind::Sum || value.part.kind != Part::Kind::All;
        trip_[v] = is_step(value) &&
                   (cut || !addends[v].empty() || added[v] || sums_ == Sums::AlwaysVector);
        if (!trip_[v]) {
            continue;
        }
        const std::int64_t size = value.block == 0 ? recipe.size() : value.block;
        trips += recipe.size() / size;
        largest_trip = std::max(largest_trip, size);
        if (value.kind == Kind::BlockInverse) {
            inverts_blocks = true;
        } else if (cut) {
            const Mask mask{value.part, size};
            mask_of[v] = static_cast<std::size_t>(std::ranges::find(masks, mask) - masks.begin());
            if (mask_of[v] == masks.size()) {
                masks.push_back(mask);
            }
        }
    }
    assert(sums_ != Sums::Cube || !trip_.back()); // the last step goes straight to its place in GM
}

void RecipeLayout::find_constants(const Recipe& recipe) {
    const auto need = [&](std::size_t constant) {
        if (std::ranges::find(constants, constant) == constants.end()) {
            constants.push_back(constant);
        }
    };
    for (std::size_t v = 0; v < recipe.values().size(); ++v) {
        const std::int64_t block = recipe.values()[v].block;
        for_each_cube_operand(recipe, v, [&](const Matrix& matrix) {
            multiplied[matrix.value] = true;
            const Kind kind = recipe.values()[matrix.value].kind;
            if (kind == Kind::Constant) {
                need(matrix.value);
            }
            cube_reads_input = cube_reads_input || kind == Kind::Input;
            // In a step within blocks, a part that is such a block leaves nothing out.
            if (matrix.part.kind != Part::Kind::All && (block == 0 || matrix.part.size < block)) {
                need(kZero);
            }
        });
    }
}

/// A new phase begins where a step needs the result of a trip made in the current one.
void RecipeLayout::cut_into_phases(const Recipe& recipe) {
    phases.emplace_back();
    for (std::size_t v = 0; v < recipe.values().size(); ++v) {
        const Value& value = recipe.values()[v];
        if (!is_step(value)) {
            continue;
        }
        bool waits = false;
        for_each_cube_operand(recipe, v, [&](const Matrix& matrix) {
            waits = waits || (trip_[matrix.value] && phase_of_[matrix.value] + 1 == phases.size());
        });
        if (waits) {
            phases.emplace_back();
        }
        phase_of_[v] = phases.size() - 1;
        phases.back().push_back(v);
    }
}

void RecipeLayout::find_homes(const Recipe& recipe) {
    const std::vector<Value>& values = recipe.values();
    std::vector<std::size_t> last_use(values.size(), 0);
    for (std::size_t v = 0; v < values.size(); ++v) {
        for_each_operand(values[v], [&](const Matrix& matrix) { last_use[matrix.value] = v; });
    }
    Slots context;
    Slots scratch;
    for (std::size_t v = 0; v + 1 < values.size(); ++v) { // the last has its place in GM
        if (values[v].kind == Kind::Constant || last_use[v] == 0) {
            continue;
        }
        context.release(v);
        scratch.release(v);
        const bool stays =
            values[v].kind == Kind::Input || trip_[v] || phase_of_[last_use[v]] != phase_of_[v];
        homes[v] = {stays, (stays ? context : scratch).take(last_use[v])};
    }
    context_slots = context.count();
    scratch_slots = scratch.count();
}

} // namespace npusim::inverse
