// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <cmath>

using namespace npusim::test;

namespace {

const std::string kSmall = kAscend + "-m " + kSource + "/configs/models/qwen3.5-0.8b.yaml -q ";

std::int64_t sum_of_operators(const json& layer) {
    std::int64_t sum = layer["launch_cycles"];
    for (const json& op : layer["operators"]) {
        sum += op["cycles"].get<std::int64_t>();
    }
    return sum;
}

} // namespace

TEST_CASE("a prefill has every operator of its layers, and the parts add up") {
    const json run = json::parse(
        invoke("layer " + kSmall + "--tokens 300 --versus forward-substitution --format json").out);
    REQUIRE(run["layers"].size() == 2);
    std::int64_t total = run["head"]["cycles"];
    for (const json& layer : run["layers"]) {
        CHECK(sum_of_operators(layer) == layer["cycles"]);
        std::int64_t parts = layer["launch_cycles"];
        for (const auto& [part, cycles] : layer["parts"].items()) {
            parts += cycles.get<std::int64_t>();
        }
        CHECK(parts == layer["cycles"]);
        total += layer["count"].get<std::int64_t>() * layer["cycles"].get<std::int64_t>();
        for (const json& op : layer["operators"]) {
            CAPTURE(op["operator"]);
            CHECK(op["cycles"] > 0);
            CHECK(op["gm_bytes"].get<std::int64_t>() >= op["compulsory_bytes"].get<std::int64_t>());
            // The cube never does less than the formula says.
            CHECK((op["macs"] == 0 ||
                   2 * op["macs"].get<double>() >= 0.99 * op["flops"].get<double>()));
        }
    }
    CHECK(total == run["total_cycles"]);
    CHECK(run["layers"][0]["layer"] == "linear attention, dense");
    CHECK(run["layers"][0]["count"] == 18);
    CHECK(run["layers"][0]["inverse_share"] > 0);
    CHECK(run["layers"][1]["inverse_share"] == 0);
    CHECK(run["versus"]["total_cycles"] > run["total_cycles"]);
}

TEST_CASE("energy of a layer is that of its operators and of static power during launches") {
    const std::string job = "layer " + kSmall + "--tokens 300 --batch 2 ";
    const json run = json::parse(invoke(job + "--format json").out);
    const json chip = json::parse(
        invoke("run " + kAscend + "-k inverse/neumann --count 1 --timing-only --format json")
            .out)["results"][0];
    const double static_watts = 0.14 * chip["area"]["chip_mm2"].get<double>();
    const auto energy = [&](const json& layer) {
        double sum = static_watts * layer["launch_cycles"].get<double>() / 1850;
        for (const json& op : layer["operators"]) {
            CHECK(op["energy_uj"] > static_watts * op["cycles"].get<double>() / 1850);
            sum += op["energy_uj"].get<double>();
        }
        CHECK(layer["energy_uj"].get<double>() == Approx(sum));
        return sum;
    };
    double total = energy(run["head"]);
    for (const json& layer : run["layers"]) {
        total += layer["count"].get<double>() * energy(layer);
    }
    CHECK(run["total_energy_uj"].get<double>() == Approx(total));
    CHECK(run["energy_per_token_uj"].get<double>() == Approx(total / 600));
    CHECK_THAT(invoke(job).out,
               Contains("energy (estimate): ") && Contains(" a token, mean power "));
    CHECK_THAT(invoke(job + "--format csv").out,
               Contains(",energy_uj,energy_per_token_uj,share_worked_out,version\n"));
}

TEST_CASE("one launch for all saves the static power of the others, and decode counts its tokens") {
    const std::string decode =
        "layer " + kSmall + "--phase decode --tokens 500 --batch 2 --draft 3 --format json ";
    const json each = json::parse(invoke(decode).out);
    const json once = json::parse(invoke(decode + "--launch once").out);
    CHECK(once["total_energy_uj"] < each["total_energy_uj"]);
    CHECK(each["energy_per_token_uj"].get<double>() ==
          Approx(each["total_energy_uj"].get<double>() / 6));
}

TEST_CASE("dense products of a layer are 2 m k n operations each") {
    const json run =
        json::parse(invoke("layer " + kSmall + "--tokens 128 --format json").out)["layers"][0];
    double flops = 0;
    for (const json& op : run["operators"]) {
        if (op["kernel"] == "gemm") {
            flops += op["flops"].get<double>();
        }
    }
    const double hidden = 1024;
    const double projections = hidden * (2 * 2048 + 2 * 2048) + hidden * 32 + 2048 * hidden;
    CHECK(flops == 2 * 128 * (projections + 3 * hidden * 3584));
}

TEST_CASE("decode has no inversion and says so, and launches are paid once or by each") {
    const std::string decode = "layer " + kSmall + "--phase decode --tokens 500 --batch 2 ";
    CHECK_THAT(invoke(decode).out,
               Contains("no inversion here") && Contains("recurrent-step") &&
                   Contains("time per step"));
    const auto total = [&](const std::string& arguments) {
        return json::parse(invoke(decode + "--format json " + arguments).out)["total_cycles"]
            .get<std::int64_t>();
    };
    CHECK(total("--launch once") < total(""));
    CHECK(total("--draft 3") > total(""));
    CHECK(total("--weights int4") < total(""));
}

TEST_CASE("layer refuses what it cannot do with what is allowed") {
    CHECK_THAT(refusal("layer " + kSmall + "--dtype int8"), Contains("--weights takes int8"));
    CHECK_THAT(refusal("layer " + kSmall + "--weights int16"),
               Contains("(allowed: fp16, int8, int4)"));
    CHECK_THAT(refusal("layer " + kSmall + "--inverse neuman"), Contains("did you mean"));
    CHECK_THAT(refusal("layer " + kSmall + "--phase both"), Contains("prefill"));
    CHECK_THAT(refusal("layer " + kAscend + "-m nothing.yaml"), Contains("nothing.yaml"));
    CHECK_THAT(refusal("layer " + kAscend + "-m qwen3.5-9"),
               Contains("(did you mean 'qwen3.5-9b'?)") && Contains("kimi-linear-48b-a3b"));
    CHECK_THAT(refusal("layer " + kSmall + "--tokens 0"), Contains("--tokens"));
    CHECK_THAT(invoke("layer --help").out, Contains("Examples:"));
}

TEST_CASE("a sampled prefill is near the whole one, and says what of it was run") {
    const std::string prefill = kSmall + "--tokens 8192 ";
    const json whole = json::parse(invoke("layer " + prefill + "--format json").out);
    const json sampled = json::parse(invoke("layer " + prefill + "--sample --format json").out);
    CHECK(sampled["total_cycles"].get<double>() ==
          Approx(whole["total_cycles"].get<double>()).epsilon(0.05));
    int cut = 0;
    for (const json& layer : sampled["layers"]) {
        for (const json& op : layer["operators"]) {
            cut += op["share_worked_out"] < 1 ? 1 : 0;
        }
    }
    CHECK(cut > 0);
    CHECK(whole["layers"][0]["operators"][1]["share_worked_out"] == 1);
    CHECK_THAT(invoke("layer " + prefill + "--sample").out,
               Contains("~: of ") && Contains(" % of the rounds were run"));
    CHECK_THAT(refusal("layer " + prefill + "--sample --exact"), Contains("excludes"));
}

TEST_CASE("every shipped model has a prefill and a decode on the 910B") {
    for (const std::string model : {"qwen3.5-35b-a3b", "kimi-linear-48b-a3b"}) {
        const std::string job = "layer " + kAscend + "-m " + model + " -q --tokens 64 ";
        for (const std::string phase : {"prefill", "decode"}) {
            CAPTURE(model, phase);
            const Outcome outcome = invoke(job + "--phase " + phase);
            CHECK(outcome.code == 0);
            CHECK_THAT(outcome.out, Contains("experts") && Contains("tokens/s"));
        }
    }
}

TEST_CASE("shares stand beside what is published") {
    const json shares =
        json::parse(invoke("shares " + kAscend + "--tokens 256 -q --format json").out);
    REQUIRE(shares["layers"].size() == 3);
    for (const json& row : shares["layers"]) {
        const double speedup = row["speedup"];
        const double before = row["share_before"];
        CHECK(row["share_after"] < before);
        // saved = share (1 - 1 / speed-up)
        CHECK(row["layer_cycles_saved"].get<double>() ==
              Approx(before * (1 - 1 / speedup)).epsilon(0.02));
    }
    CHECK(shares["layers"][1]["published"]["speedup"] == 4.2);
    CHECK(shares["pipelines"].size() == 5);
}

TEST_CASE(
    "the trained layer comes out as the recurrence says, and truncation shows in the output") {
    const json run = json::parse(invoke("pipeline " + kAscend +
                                        "-k inverse/forward-substitution -k inverse/neumann "
                                        "-k inverse/newton-schulz --tokens 512 -q --format json")
                                     .out);
    REQUIRE(run["rows"].size() == 4);
    const auto error = [&](std::size_t row) { return run["rows"][row]["o_error"].get<double>(); };
    CHECK(run["rows"][0]["inverse"] == "exact");
    CHECK(error(0) < 1e-3); // fp16 stages
    const double rounding = run["rows"][0]["t_worst"];
    CHECK((rounding > 1e-5 && rounding < 3e-4));
    CHECK(run["rows"][1]["t_worst"].get<double>() >= 0.5 * rounding);
    CHECK(error(1) == Approx(error(0)).epsilon(0.05));
    CHECK(error(3) == Approx(error(0)).epsilon(0.05));
    CHECK(error(2) > 5 * error(0)); // N=3, S=8 is truncated at chunk 64
    CHECK(error(2) < 0.05);
    CHECK(run["rows"][1]["inverse_cycles"] > run["rows"][2]["inverse_cycles"]);
    std::int64_t stages = 0;
    for (const json& stage : run["stages"]) {
        stages += stage["cycles"].get<std::int64_t>();
    }
    CHECK(run["rows"][1]["cycles"] ==
          stages + run["rows"][1]["inverse_cycles"].get<std::int64_t>());
    CHECK_THAT(refusal("pipeline " + kAscend + "--dtype int8"), Contains("float format"));
    CHECK_THAT(refusal("pipeline " + kAscend + "-k inverse/mixed -k inverse/mixd"),
               Contains("did you mean 'inverse/mixed'?"));
    CHECK_THAT(refusal("pipeline " + kAscend + "--tokens 9999"), Contains("holds 1024"));
    CHECK_THAT(refusal("pipeline " + kAscend + "--input nothing"), Contains("k.npy"));
}
