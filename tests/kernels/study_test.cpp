// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/input.h"
#include "kernels/inverse/recipe_plan.h"
#include "sim/app/job.h"
#include "sim/app/study.h"
#include "sim/base/error.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"
#include "tests/support/scratch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

using namespace npusim;
using namespace npusim::app;
using Catch::Contains;

namespace {

Study run(const std::string& name, std::int64_t count) {
    std::vector<Study> studies{
        load_study(NPUSIM_SOURCE_DIR "/kernels/inverse/studies/" + name + ".yaml")};
    run_studies(studies, test::hardware("ascend-910b"), {.count = count});
    return studies.front();
}

/// Whether a worst error `ours` in `format` agrees with what was published.
bool agree(const std::string& format,
           double ours,
           Published::Kind kind,
           double published,
           std::optional<double> median = {}) {
    Block block;
    block.figures = {Figure::Worst};
    block.columns = {{"c", format, "", ""}};
    const Cell cell{{{kind, published, ""}},
                    inverse::Accuracy{.rel_frobenius_median = median.value_or(ours),
                                      .rel_frobenius_max = ours,
                                      .matrices = 1}};
    return agrees(block, 0, cell, 0).value();
}

} // namespace

TEST_CASE("the trained layer errs as its cross-check says: masked settings within 20 %") {
    int compared = 0;
    for (const Block& block : run("trained", 1).blocks) {
        for (const Row& row : block.rows) {
            for (const Finding& finding : findings(block, row)) {
                CAPTURE(block.title, row.setting, finding.column);
                CHECK(finding.agrees.value_or(true));
                const double published = finding.published->value;
                if (!row.setting.ends_with("no mask") && finding.figure == Figure::Worst &&
                    published > 0) {
                    CHECK(value_of(finding.figure, *finding.cell->ours) ==
                          Approx(published).epsilon(0.2));
                    ++compared;
                }
            }
        }
    }
    CHECK(compared == 8);
}

TEST_CASE("the ablation has the published shape on made-up and on trained input") {
    const Study study = run("ablation", 16);
    for (const Block& block : study.blocks) {
        CHECK(block.claims.size() == 3);
        for (const Claim& claim : block.claims) {
            CAPTURE(block.title, claim.text);
            CHECK(holds(block, claim));
        }
    }
}

TEST_CASE("every published cell of what truncation leaves out in double precision is met") {
    std::vector<Study> studies{
        load_study(NPUSIM_SOURCE_DIR "/kernels/inverse/studies/truncation.yaml")};
    std::erase_if(studies.front().blocks, [](const Block& block) {
        return !std::ranges::all_of(block.columns,
                                    [](const Column& column) { return column.format == "fp64"; });
    });
    run_studies(studies, test::hardware("ascend-910b"), {});
    int compared = 0;
    for (const Block& block : studies.front().blocks) {
        for (const Row& row : block.rows) {
            for (const Finding& finding : findings(block, row)) {
                CAPTURE(block.title, row.setting, finding.column, finding.published->text);
                CHECK(finding.agrees.value_or(false));
                ++compared;
            }
        }
    }
    CHECK(compared == 85);
}

TEST_CASE("agreement is a factor of ten, above the format's floor") {
    using Kind = Published::Kind;
    CHECK(agree("fp16", 9.9e-3, Kind::About, 1e-3));
    CHECK_FALSE(agree("fp16", 1.1e-2, Kind::About, 1e-3));
    CHECK_FALSE(agree("fp16", 0.9e-4, Kind::About, 1e-3));
    CHECK(agree("fp32", 9e-7, Kind::About, 2e-14));
    CHECK(agree("fp32", 0, Kind::About, 2e-7));
    CHECK_FALSE(agree("fp32", 2e-6, Kind::About, 0));
    CHECK_FALSE(agree("fp64", 2e-12, Kind::About, 0));
    CHECK(agree("fp16", 1e-9, Kind::AtMost, 1e-3));
    CHECK_FALSE(agree("fp16", 1.1e-2, Kind::AtMost, 1e-3));
    CHECK(agree("fp16", 1e9, Kind::AtLeast, 1));
    // The worst of a few draws lies between the median and the worst of ours.
    CHECK(agree("fp16", 1e-1, Kind::About, 1e-4, 1e-3));
    CHECK_FALSE(agree("fp16", 1e-1, Kind::About, 0.9e-4, 1e-3));
    CHECK_FALSE(agree("fp16", 1e-1, Kind::About, 1.1, 1e-3));
    CHECK_FALSE(agree("fp16", 1e-1, Kind::AtMost, 0.9e-2, 1e-3));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(agree("fp16", nan, Kind::NonFinite, nan));
    CHECK_FALSE(agree("fp16", 1, Kind::NonFinite, nan));
    CHECK_FALSE(agree("fp16", nan, Kind::About, 1));
}

TEST_CASE("MXR in bf16 on one key is published with X Y rounded before the sum") {
    const auto to_bf16 = [](std::span<double> values) {
        for (double& value : values) {
            const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
            const std::uint32_t nearest = bits + 0x7FFFU + (bits >> 16U & 1U);
            value = std::bit_cast<float>(nearest & 0xFFFF0000U);
        }
    };
    const inverse::Matrices input = inverse::load_input("repeated:0.9", 64, 1, 1);
    const auto error = [&](const std::string& kernel, double expected) {
        const KernelRequest request = parse_request(kernel, {});
        const auto& recipe_kernel = dynamic_cast<const inverse::RecipeKernel&>(*request.kernel);
        const inverse::Recipe recipe = recipe_kernel.recipe(64, DType::Bf16, request.values);
        CHECK(measure(input, inverse::evaluate(recipe, input.values, to_bf16)).rel_frobenius_max ==
              Approx(expected).epsilon(0.05));
        const kernels::Problem problem{1, 64, DType::Bf16};
        CHECK(
            measure(input,
                    run_in_program_order(test::hardware("ascend-910b"), request, {problem, &input}))
                .rel_frobenius_max == Approx(expected).epsilon(0.05));
    };
    error("inverse/mixed", 2.4e2);
    error("inverse/mixed:sum=stored", 3e3); // as published
}

TEST_CASE("a study file is refused with the place of what is wrong") {
    const test::Scratch scratch;
    const auto refusal = [&](const std::string& row) {
        const auto file = scratch.write("s.yaml",
                                        "source: s\n"
                                        "methods:\n"
                                        "  - {setting: MXR, kernel: inverse/mixed}\n"
                                        "blocks:\n"
                                        "  - title: t\n"
                                        "    chunk: 64\n"
                                        "    figures: worst\n"
                                        "    columns:\n"
                                        "      - {column: fp16, format: fp16}\n"
                                        "    rows:\n"
                                        "      - {" +
                                            row + "}\n");
        try {
            load_study(file);
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(refusal("input: random, setting: MXR, published: 1e-3").empty());
    CHECK_THAT(refusal("input: random, setting: MXE, published: 1e-3"),
               Contains("s.yaml:11:34: blocks.0.rows.0.setting: 'MXE' is none of the methods"));
    CHECK_THAT(refusal("input: random, setting: MXR, published: 1e-3 | 2"),
               Contains("s.yaml:11:50: blocks.0.rows.0.published: 2 cells (allowed: 1)"));
    CHECK_THAT(refusal("input: random, setting: MXR, published: much"), Contains("'much'"));
    CHECK_THAT(refusal("setting: MXR, published: 1e-3"), Contains("names the input"));
    CHECK_THAT(refusal("input: random, setting: MXR, published: 1, colour: red"),
               Contains("colour: unknown"));
}
