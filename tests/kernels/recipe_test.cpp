// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/accuracy.h"
#include "kernels/inverse/input.h"
#include "kernels/inverse/recipe.h"
#include "kernels/inverse/recipe_layout.h"
#include "kernels/inverse/recipe_plan.h"
#include "kernels/inverse/reference.h"
#include "sim/app/job.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <cmath>
#include <span>

using namespace npusim;
using namespace npusim::inverse;

namespace {

/// Settings under which every kernel that is a recipe is exact in exact arithmetic.
const std::vector<std::string> kExact{"inverse/neumann:order=auto,steps=auto",
                                      "inverse/neumann:order=auto,steps=auto,early=yes",
                                      "inverse/neumann:order=3,steps=16,form=powers",
                                      "inverse/neumann:order=4,steps=13,block=whole,mask=none",
                                      "inverse/doubling",
                                      "inverse/bunch-hopcroft",
                                      "inverse/mixed",
                                      "inverse/radix4",
                                      "inverse/block-forward-substitution"};

Recipe recipe_of(const std::string& spec, std::int64_t size, DType dtype) {
    const app::KernelRequest request = app::parse_request(spec, {});
    const auto& kernel = dynamic_cast<const RecipeKernel&>(*request.kernel);
    return kernel.recipe(size, dtype, kernel.settle({1, size, dtype}, request.values));
}

/// |a - b|_F / |b|_F.
double distance(std::span<const double> a, std::span<const double> b) {
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(error / norm);
}

std::span<const double> matrix(const Matrices& matrices, std::int64_t index) {
    const auto elements = static_cast<std::size_t>(matrices.size * matrices.size);
    return std::span(matrices.values).subspan(static_cast<std::size_t>(index) * elements, elements);
}

} // namespace

TEST_CASE("every recipe is the inverse in double precision") {
    for (const std::string& spec : kExact) {
        for (const std::int64_t size : {16, 32, 64}) {
            const Recipe recipe = recipe_of(spec, size, DType::Fp16);
            const Matrices matrices = load_input("random", size, 3, 4);
            for (std::int64_t i = 0; i < matrices.count; ++i) {
                CAPTURE(spec, size);
                CHECK(distance(evaluate(recipe, matrix(matrices, i)),
                               forward_substitution(matrix(matrices, i), size)) < 1e-12);
            }
        }
    }
}

TEST_CASE("a recipe in double precision is the Neumann series written out by hand") {
    const Matrices matrices = load_input("correlated:0.5", 64, 3, 4);
    for (const bool early : {false, true}) {
        for (const std::string form : {"powers", "product"}) {
            const Recipe recipe = recipe_of("inverse/neumann:order=7,steps=4,form=" + form +
                                                (early ? ",early=yes" : ""),
                                            64,
                                            DType::Fp16);
            for (std::int64_t i = 0; i < matrices.count; ++i) {
                CAPTURE(early, form);
                CHECK(distance(evaluate(recipe, matrix(matrices, i)),
                               neumann(matrix(matrices, i), 64, 7, 4, 7, early)) < 1e-9);
            }
        }
    }
}

TEST_CASE("recipes ask for the products their papers count") {
    const auto products = [](const std::string& spec) {
        return recipe_of(spec, 64, DType::Fp16).products();
    };
    CHECK(products("inverse/neumann:form=powers") == 10); // N=3, S=8: 2 + 1 + 6 + 1
    CHECK(products("inverse/neumann") == 8);
    CHECK(products("inverse/neumann:order=7,early=yes") == 10);
    CHECK(products("inverse/doubling") == 10);
    CHECK(products("inverse/mixed") == 10);
    CHECK(products("inverse/newton-schulz") == 22); // 24 less two with a constant factor
}

TEST_CASE("every recipe on the core is itself in double precision, up to fp32 rounding") {
    std::vector<std::string> specs = kExact;
    specs.emplace_back("inverse/newton-schulz");
    specs.emplace_back("inverse/neumann:order=2,steps=3");
    specs.emplace_back("inverse/neumann:order=5,steps=6,form=powers");
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        for (const std::string& spec : specs) {
            for (const std::int64_t size : {16, 64, 128}) {
                if (size == 128 && machine == "ascend-910b") {
                    continue; // as slow as the other and the same data path as at 64
                }
                const Recipe recipe = recipe_of(spec, size, DType::Fp32);
                const Matrices matrices = load_input("random", size, 5, 4);
                CAPTURE(machine, spec, size);
                const auto result = app::run(test::hardware(machine, {{"buffers.l1.size", "4MiB"}}),
                                             app::parse_request(spec, {}),
                                             {{matrices.count, size, DType::Fp32}, &matrices});
                for (std::int64_t i = 0; i < matrices.count; ++i) {
                    const auto elements = static_cast<std::size_t>(size * size);
                    CHECK(distance(std::span(result.inverses)
                                       .subspan(static_cast<std::size_t>(i) * elements, elements),
                                   evaluate(recipe, matrix(matrices, i))) < 2e-6);
                }
            }
        }
    }
}

TEST_CASE("matrices that are never needed together share a place in L1") {
    // Of A, A^2, T0, E and its squares, A and T0 outlast a phase; two more are live at a time.
    const RecipeLayout layout(recipe_of("inverse/neumann", 64, DType::Fp16),
                              RecipeLayout::Sums::Cube);
    CHECK(layout.phases.size() == 2);
    CHECK(layout.trips == 1);
    CHECK(layout.context_slots == 2);
    CHECK(layout.scratch_slots == 2);
    const RecipeLayout early(recipe_of("inverse/neumann:order=7,early=yes", 64, DType::Fp16),
                             RecipeLayout::Sums::Cube);
    CHECK(early.trips == 5);
    CHECK(early.masks.size() == 1);
    CHECK(early.phases.size() == 5); // A^4 and the partial product travel together
    const RecipeLayout blocked(recipe_of("inverse/neumann", 128, DType::Fp16),
                               RecipeLayout::Sums::Cube);
    CHECK(blocked.trips == 2);
    CHECK(blocked.largest_trip == 64);
}

TEST_CASE("parts of a matrix keep what they say") {
    const auto kept = [](Part part) {
        std::string text;
        for (std::int64_t i = 0; i < 4; ++i) {
            for (std::int64_t j = 0; j < 4; ++j) {
                text += part.keeps(i, j) ? '#' : '.';
            }
            text += ' ';
        }
        return text;
    };
    CHECK(kept({}) == "#### #### #### #### ");
    CHECK(kept({Part::Kind::Band, 1}) == "#... ##.. .##. ..## ");
    CHECK(kept({Part::Kind::Diagonal, 2}) == "##.. ##.. ..## ..## ");
    CHECK(kept({Part::Kind::Even, 2}) == "##.. ##.. .... .... ");
    CHECK(kept({Part::Kind::Odd, 1}) == ".... .#.. .... ...# ");
    CHECK(kept({Part::Kind::Pairs, 1}) == ".... #... .... ..#. ");
}
