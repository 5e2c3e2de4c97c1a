// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace npusim::test;

namespace {

/// The 910B, for a file away from the shipped technologies.
std::string ascend_text() {
    const std::string key = "technology: ";
    std::string text = content(kSource + "/configs/hardware/ascend-910b.yaml");
    return text.insert(text.find(key + "n7") + key.size(), kSource + "/configs/technology/");
}

/// The sum of an object's values.
double sum_of(const json& parts) {
    double sum = 0;
    for (const json& value : parts) {
        sum += value.get<double>();
    }
    return sum;
}

} // namespace

TEST_CASE("the main job prints one table, and -q keeps stderr empty") {
    const Outcome outcome = invoke("compare " + kAscend + kPair + "--chunk 64 --dtype fp16 -q");
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    for (const char* row : {"cycles",
                            "time, us",
                            "speed-up",
                            "overhead, cycles",
                            "vector busy",
                            "cube busy",
                            "mte1 busy",
                            "fixpipe busy",
                            "GM read",
                            "GM written",
                            "roofline",
                            "relative Frobenius error, worst",
                            "SNR mean",
                            "SNR worst",
                            "non-finite matrices",
                            "the core that finished last",
                            "cross_core"}) {
        CHECK_THAT(outcome.out, Contains(row));
    }
}

TEST_CASE("JSON holds every figure, and every pipe of every core adds up to the cycles") {
    const Outcome outcome = invoke("compare " + kAscend + kPair + "--count 20 --format json");
    REQUIRE(outcome.code == 0);
    const json results = json::parse(outcome.out).at("results");
    REQUIRE(results.size() == 2);
    for (const json& result : results) {
        for (const char* key : {"kernel",
                                "hardware",
                                "chunk",
                                "dtype",
                                "params",
                                "cycles",
                                "time_us",
                                "pipes",
                                "gm_bytes_read",
                                "gm_bytes_written",
                                "accuracy",
                                "cores",
                                "config_hash",
                                "version"}) {
            CAPTURE(key);
            CHECK(result.contains(key));
        }
        for (const char* key : {"matrices",
                                "rel_frobenius_median",
                                "rel_frobenius_max",
                                "snr_db_mean",
                                "snr_db_worst",
                                "non_finite"}) {
            CHECK(result["accuracy"].contains(key));
        }
        CHECK_FALSE(result["accuracy"].contains("cases"));
        const std::int64_t cycles = result["cycles"];
        CHECK(result["time_us"].get<double>() == Approx(static_cast<double>(cycles) / 1850));
        CHECK(result["cores"].size() == 24 * 3);
        CHECK(result["pipes"] == result["cores"][result["last_core"].get<std::string>()]["pipes"]);
        for (const auto& [name, core] : result["cores"].items()) {
            for (const auto& [pipe, figures] : core["pipes"].items()) {
                CAPTURE(name, pipe);
                std::int64_t sum =
                    figures["busy"].get<std::int64_t>() + figures["idle"].get<std::int64_t>();
                for (const auto& [reason, stalled] : figures["stall"].items()) {
                    sum += stalled.get<std::int64_t>();
                }
                CHECK(sum == cycles);
                CHECK(figures["idle"] >= 0);
                CHECK(figures["utilization"].get<double>() ==
                      Approx(figures["busy"].get<double>() / static_cast<double>(cycles)));
            }
        }
    }
    CHECK(results[1]["params"] == json({{"order", 3},
                                        {"steps", 8},
                                        {"mask", "order"},
                                        {"early", "no"},
                                        {"form", "product"},
                                        {"block", 64},
                                        {"sum", "accumulator"}}));
}

TEST_CASE("energy and area are the sums of their parts, in JSON, in the table and in CSV") {
    const std::string job = "compare " + kAscend + kPair + "--count 20 --timing-only -q ";
    const json results = json::parse(invoke(job + "--format json").out)["results"];
    for (const json& result : results) {
        const json& energy = result["energy"];
        const double total = energy["total_uj"];
        CHECK(total == Approx(sum_of(energy["parts_uj"])));
        CHECK(sum_of(energy["pipes_uj"]) ==
              Approx(total - energy["parts_uj"]["static"].get<double>()));
        CHECK(energy["mean_w"].get<double>() == Approx(total / result["time_us"].get<double>()));
        const json& area = result["area"];
        CHECK(area["ai_core_mm2"].get<double>() == Approx(sum_of(area["ai_core_parts_mm2"])));
        CHECK(area["chip_mm2"].get<double>() ==
              Approx(area["ai_core_mm2"].get<double>() * 24 + area["l2_mm2"].get<double>()));
    }
    CHECK(results[0]["energy"]["parts_uj"]["cube"] == 0); // forward substitution has no products
    CHECK(results[1]["energy"]["parts_uj"]["cube"].get<double>() ==
          Approx(results[1]["macs"].get<double>() * 0.72e-6));
    CHECK_THAT(invoke(job).out,
               Contains("energy, uJ (estimate)") && Contains("mean power, W (estimate)") &&
                   Contains("area, mm2 (estimate)"));
    CHECK_THAT(invoke(job + "--format csv").out, Contains(",energy_uj,mean_power_w,area_mm2,"));
}

TEST_CASE("without a technology there is neither energy nor area") {
    const npusim::test::Scratch scratch;
    std::string text = ascend_text();
    const std::size_t at = text.find("technology: ");
    text.erase(at, text.find('\n', at) - at);
    const std::string job = "run -c " + scratch.write("hw.yaml", text).string() +
                            " -k inverse/neumann --count 4 --timing-only -q ";
    const json result = json::parse(invoke(job + "--format json").out)["results"][0];
    CHECK(result["energy"].is_null());
    CHECK(result["area"].is_null());
    CHECK_THAT(invoke(job).out, !Contains("energy"));
}

TEST_CASE("the same command prints the same bytes") {
    const std::string command =
        "compare " + kAscend + kPair + "--input random --count 10 --format json";
    CHECK(invoke(command).out == invoke(command).out);
}

TEST_CASE("timing only takes the same cycles and reports no accuracy") {
    const auto with =
        json::parse(invoke("run " + kAscend + "-k inverse/neumann --format json").out);
    const auto without = json::parse(
        invoke("run " + kAscend + "-k inverse/neumann --timing-only --format json").out);
    CHECK(with["results"][0]["cycles"] == without["results"][0]["cycles"]);
    CHECK(with["results"][0]["cores"] == without["results"][0]["cores"]);
    CHECK(without["results"][0]["accuracy"].is_null());
}

TEST_CASE("the suite is one job with the accuracy of each case, in JSON and as rows of the table") {
    const std::string job = "compare " + kAscend +
                            "-k inverse/forward-substitution -k inverse/neumann:mask=none "
                            "--chunk 64 --count 2 -q ";
    const json results = json::parse(invoke(job + "--input suite --format json").out).at("results");
    REQUIRE(results.size() == 2);
    for (const json& result : results) {
        const json& accuracy = result["accuracy"];
        REQUIRE(accuracy["cases"].size() == 23);
        CHECK(result["matrices"] == 46);
        std::int64_t matrices = 0;
        std::int64_t non_finite = 0;
        double worst = 0;
        for (const json& part : accuracy["cases"]) {
            matrices += part["matrices"].get<std::int64_t>();
            non_finite += part["non_finite"].get<std::int64_t>();
            if (part["rel_frobenius_max"].is_number()) {
                worst = std::max(worst, part["rel_frobenius_max"].get<double>());
                CHECK(part["rel_frobenius_median"] <= part["rel_frobenius_max"]);
                CHECK(part["snr_db_worst"] <= part["snr_db_mean"]);
            }
        }
        CHECK(matrices == 46);
        CHECK(accuracy["non_finite"] == non_finite);
        CHECK(accuracy["rel_frobenius_max"] == worst);
    }
    const json& hard = results[1]["accuracy"]["cases"][3];
    CHECK(hard["name"] == "correlated:0.9");
    CHECK(hard["non_finite"] == 2);
    CHECK(hard["rel_frobenius_median"].is_null());
    CHECK(results[0]["accuracy"]["cases"][4] ==
          json::parse(invoke(job + "--format json --input random,periodic:2")
                          .out)["results"][0]["accuracy"]["cases"][1]);

    const std::string table = invoke(job + "--input suite").out;
    CHECK_THAT(table, Contains("error, worst: trained ") && Contains("error, worst: periodic:16 "));
    const std::size_t row = table.find("error, worst: correlated:0.9 ");
    REQUIRE(row != std::string::npos);
    const std::string line = table.substr(row, table.find('\n', row) - row);
    CHECK_THAT(line, Contains(" 0.00") && Catch::EndsWith(" 2 of 2 non-finite"));
    CHECK_THAT(invoke(job + "--input random").out, !Contains("error, worst: "));
}

TEST_CASE("a timing-only run of a list has the matrices of every case") {
    const std::string job = "run " + kAscend + "-k inverse/neumann --timing-only --format json ";
    const auto matrices = [&](const std::string& arguments) {
        return json::parse(invoke(job + arguments).out)["results"][0]["matrices"];
    };
    CHECK(matrices("--input suite --count 2") == 46);
    CHECK(matrices("--input random,ones") == 128);
}

TEST_CASE("CSV has one line per kernel under a header of as many fields") {
    const Outcome outcome = invoke("compare " + kAscend + kPair + "--count 4 --format csv");
    std::istringstream lines(outcome.out);
    std::vector<std::string> rows;
    for (std::string line; std::getline(lines, line);) {
        rows.push_back(line);
    }
    REQUIRE(rows.size() == 3);
    const auto fields = [](const std::string& row) {
        return std::count(row.begin(), row.end(), ',');
    };
    CHECK(fields(rows[1]) == fields(rows[0]));
    CHECK(fields(rows[2]) == fields(rows[0]));
    CHECK_THAT(rows[2], Catch::StartsWith("inverse/neumann,order=3 steps=8"));
}

TEST_CASE("option --set changes the machine, its name for the run and the hash") {
    const std::string command =
        "run " + kAscend + "-k inverse/neumann --count 24 --timing-only --format json ";
    const auto base = json::parse(invoke(command).out)["results"][0];
    const auto slow =
        json::parse(invoke(command + "--set 'links.l0c->l1.bytes_per_cycle=7'").out)["results"][0];
    CHECK(slow["cycles"] > base["cycles"]);
    CHECK(slow["config_hash"] != base["config_hash"]);
}

TEST_CASE("option -p reaches every kernel that has the parameter") {
    const auto results = json::parse(
        invoke("compare " + kAscend + kPair + "-p order=4 --count 4 --timing-only --format json")
            .out);
    CHECK(results["results"][1]["params"]["order"] == 4);
    CHECK(results["results"][0]["params"].empty());
}

TEST_CASE("options --order and --steps are short for -p") {
    const std::string job = "compare " + kAscend + kPair + "--count 2 --timing-only --format json ";
    CHECK(invoke(job + "--order auto --steps auto").out ==
          invoke(job + "-p order=auto -p steps=auto").out);
    const json params =
        json::parse(invoke(job + "--steps 4 -p early=yes --order 7").out)["results"][1]["params"];
    CHECK(params["order"] == 7);
    CHECK(params["steps"] == 4);
    CHECK(params["early"] == "yes");
    CHECK_THAT(refusal(job + "--order many"), Contains("(allowed: auto, 1..16)"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/mixed --order 3"),
               Contains("no kernel here has this parameter"));
}

TEST_CASE("select lists every candidate in order and chooses the fastest within the limit") {
    const Outcome outcome =
        invoke("select " + kAscend + "--count 1 --max-error 1e-2 -q --format json");
    REQUIRE(outcome.code == 0);
    CHECK(outcome.err.empty());
    const json selection = json::parse(outcome.out);
    CHECK(selection["hardware"] == "ascend-910b");
    CHECK(selection["chunk"] == 64);
    CHECK(selection["dtype"] == "fp16");
    CHECK(selection["max_error"] == 1e-2);
    CHECK(selection["input"] == "suite");
    CHECK(selection["version"] == NPUSIM_VERSION);
    const json& candidates = selection["candidates"];
    REQUIRE(candidates.size() > 30);
    const json& chosen = candidates[selection["choice"].get<std::size_t>()];
    CHECK(chosen["within_limit"] == true);
    CHECK(chosen["error"] <= 1e-2);
    CHECK(chosen["pareto"] == true);
    std::size_t on_front = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const json& candidate = candidates[i];
        CAPTURE(candidate);
        const bool within = candidate["within_limit"];
        CHECK(within == (candidate["error"].is_number() && candidate["error"] <= 1e-2));
        CHECK(within == candidate["breaks"].empty());
        CHECK((candidate["non_finite"] > 0) == candidate["error"].is_null());
        CHECK(candidate["cycles"] > candidate["cycles_after_launch"]);
        CHECK(candidate["time_us"].get<double>() ==
              Approx(candidate["cycles"].get<double>() / 1850));
        CHECK(candidate["worst_case"].is_string());
        CHECK(candidate["refused"].is_null());
        for (const json& part : candidate["breaks"]) {
            CHECK((part["non_finite"] > 0 || part["rel_frobenius_max"] > 1e-2));
            CHECK(part["matrices"] == 1);
        }
        if (!within) {
            CHECK(candidate["breaks"][0]["case"] == candidate["worst_case"]);
        } else {
            CHECK(chosen["cycles"] <= candidate["cycles"]);
        }
        on_front += candidate["pareto"] == true ? 1U : 0U;
        if (i > 0) {
            const json& before = candidates[i - 1];
            CHECK((before["within_limit"] == true || !within));
            CHECK((!within || before["cycles"] <= candidate["cycles"]));
        }
    }
    CHECK(selection["pareto"].size() == on_front);
    for (std::size_t i = 1; i < on_front; ++i) {
        const json& left = candidates[selection["pareto"][i - 1].get<std::size_t>()];
        const json& right = candidates[selection["pareto"][i].get<std::size_t>()];
        CHECK(left["cycles"] < right["cycles"]);
        CHECK(left["error"] > right["error"]);
    }
}

TEST_CASE("select measures what compare does") {
    const std::string job = kAscend + "-k inverse/neumann:order=7,steps=8,early=yes --input suite "
                                      "--count 2 --chunk 64 -q --format json ";
    const json candidate =
        json::parse(invoke("select " + job + "--max-error 1e-2").out)["candidates"][0];
    const json result = json::parse(invoke("run " + job).out)["results"][0];
    for (const char* key : {"kernel", "params", "cycles", "time_us"}) {
        CHECK(candidate[key] == result[key]);
    }
    CHECK(candidate["error"] == result["accuracy"]["rel_frobenius_max"]);
}

TEST_CASE("select says in text what is chosen and what breaks what, and writes it with -o") {
    const npusim::test::Scratch scratch;
    const std::string job = "select " + kAscend +
                            "-k inverse/forward-substitution -k inverse/neumann:early=no "
                            "-k inverse/doubling --count 2 -q --max-error ";
    const Outcome outcome = invoke(job + "1e-2 -o " + scratch.path().string());
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out, Contains("speed-up after launch, over inverse/forward-substitution"));
    CHECK_THAT(outcome.out, Contains("1  inverse/neumann ") && Contains("order=7 steps=8"));
    CHECK_THAT(outcome.out, !Contains("early=") && Contains("\nPareto front "));
    CHECK_THAT(outcome.out, Contains("what breaks what, by more than 0.01:"));
    CHECK_THAT(outcome.out, Contains("2 of 2 non-finite; ") && Contains(" more\n"));
    CHECK_THAT(outcome.out, Contains("\nchoose: inverse/neumann:order=7: "));
    CHECK(content(scratch.path() / "results.txt") == outcome.out);
    CHECK(json::parse(content(scratch.path() / "results.json"))["choice"] == 0);
    CHECK_THAT(content(scratch.path() / "results.csv"),
               Catch::StartsWith("kernel,params,hardware,"));

    const Outcome strict = invoke(job + "1e-9");
    CHECK(strict.code == 1);
    CHECK_THAT(strict.out,
               Contains("choose: nothing is within 1e-09; the most accurate is inverse/"));
    CHECK(json::parse(invoke(job + "1e-9 --format json").out)["choice"].is_null());
}

TEST_CASE("select lists what the chip refuses with the reason and goes on") {
    const std::string job =
        "select " + kAscend + "--count 1 --input random --max-error 1e-2 -q " + kPair;
    const std::string small = "--set buffers.l1.size=16KiB ";
    const Outcome outcome = invoke(job + small + "--format json");
    CHECK(outcome.code == 0);
    const json candidates = json::parse(outcome.out)["candidates"];
    CHECK(candidates[0]["kernel"] == "inverse/forward-substitution");
    CHECK(candidates[1]["cycles"].is_null());
    CHECK(candidates[1]["error"].is_null());
    CHECK_THAT(candidates[1]["refused"].get<std::string>(), Contains("buffers.l1.size: 16384"));
    CHECK_THAT(invoke(job + small).out, Contains("not on this chip:\n  inverse/neumann"));
    const std::string table = invoke(job + small + "--format csv").out;
    std::istringstream rows(table);
    for (std::string row; std::getline(rows, row);) {
        const std::string bare = row.substr(0, row.find('"'));
        CHECK(std::count(bare.begin(), bare.end(), ',') >= 10);
    }

    // A program that turns out not to fit while it runs is refused as well.
    CHECK_THAT(invoke(job + "--set sync.cross_flag_ids=1").out,
               Contains("sync.cross_flag_ids: flag id 1"));
    const Outcome none = invoke(job + small + "--set buffers.ub.size=1KiB");
    CHECK(none.code == 1);
    CHECK_THAT(none.out, Contains("choose: nothing, the chip can run none of them"));
}

TEST_CASE("select refuses a limit that is no number above zero") {
    for (const char* limit : {"-1", "0", "nan", "inf", "some", "1e-2x", "''"}) {
        CHECK_THAT(refusal("select " + kAscend + "--max-error " + limit), Contains("--max-error"));
    }
    CHECK_THAT(refusal("select " + kAscend), Contains("--max-error is required"));
    CHECK_THAT(refusal("select " + kAscend + "--max-error 1 -k inverse/neumann:ordr=3"),
               Contains("did you mean 'order'?"));
    CHECK_THAT(invoke("select --help").out, Contains("Example:") && Contains("=suite"));
}

TEST_CASE("option -o writes whole results and inverses, and --trace a file per kernel") {
    const npusim::test::Scratch scratch;
    const fs::path folder = scratch.path() / "deep" / "er";
    const Outcome outcome =
        invoke("compare " + kAscend + kPair + "--count 4 -o " + folder.string() + " --trace " +
               (scratch.path() / "t.json").string() + " --format json");
    REQUIRE(outcome.code == 0);
    CHECK(content(folder / "results.json") == outcome.out);
    CHECK_FALSE(content(folder / "results.csv").empty());
    CHECK_FALSE(content(folder / "results.txt").empty());
    CHECK(fs::file_size(folder / "1-inverse-neumann.npy") == 128 + 4 * 64 * 64 * 4);
    CHECK(fs::exists(scratch.path() / "t.0-inverse-forward-substitution.json"));
    CHECK(fs::exists(scratch.path() / "t.1-inverse-neumann.json"));
    for (const auto& entry : fs::recursive_directory_iterator(scratch.path())) {
        CHECK(entry.path().extension() != ".partial");
    }
}

TEST_CASE("a study has every cell beside what was published, and says whether all agree") {
    const npusim::test::Scratch scratch;
    const Outcome outcome =
        invoke("study ablation --count 4 --format json -o " + scratch.path().string());
    const json study = json::parse(outcome.out);
    CHECK(study["study"] == "ablation");
    CHECK(study["hardware"] == "fused-local");
    CHECK(study["version"] == NPUSIM_VERSION);
    REQUIRE(study["blocks"].size() == 2);
    std::int64_t compared = 0;
    std::int64_t agree = 0;
    for (const json& block : study["blocks"]) {
        CHECK(block["rows"].size() == 8);
        for (const json& row : block["rows"]) {
            CHECK_FALSE(row["case"].get<std::string>().empty());
            CHECK_FALSE(row["setting"].get<std::string>().empty());
            for (const json& cell : row["cells"]) {
                CAPTURE(cell.dump());
                CHECK(cell["agrees"].is_boolean() ==
                      (!cell["ours"].is_null() && !cell["published"].is_null()));
                compared += cell["agrees"].is_boolean() ? 1 : 0;
                agree += cell["agrees"] == true ? 1 : 0;
            }
        }
    }
    CHECK(study["summary"]["cells"] == compared);
    CHECK(study["summary"]["agree"] == agree);
    CHECK(compared == 24); // three figures of eight settings on the mixture
    bool all = agree == compared;
    REQUIRE(study["claims"].size() == 6);
    for (const json& claim : study["claims"]) {
        CHECK(claim["claim"].is_string());
        all = all && claim["holds"].get<bool>();
    }
    CHECK(outcome.code == (all ? 0 : 1));
    CHECK(outcome.err.empty() == all);
    CHECK(content(scratch.path() / "study-ablation.json") == outcome.out);
    CHECK_FALSE(content(scratch.path() / "study-ablation.csv").empty());
    CHECK_THAT(content(scratch.path() / "study-ablation.txt"),
               Contains("cells within an order of magnitude, 6 of 6 claims hold"));
}

TEST_CASE("a study as text and as CSV: ours beside the published, formats not built told") {
    const std::string table = invoke("study early --count 1 " + kAscend).out;
    CHECK_THAT(table, Contains("(1.4e-2)") && Contains("not built (1.4e-2)"));
    std::istringstream lines(invoke("study trained --count 1 --format csv").out);
    std::string line;
    std::getline(lines, line);
    CHECK(line == "study,block,case,setting,column,ours,published,agrees,version");
    std::getline(lines, line);
    CHECK_THAT(line,
               Contains("\"trained\",\"N=3 S=8 no mask\",fp64,2.19") && Contains(",2.2e-8,yes,"));
    CHECK_THAT(invoke("study --help").out, Contains("npusim study ablation --format json"));
    CHECK_THAT(refusal("study everything"),
               Contains("truncation,formats,ablation,early,trained,all"));
    CHECK_THAT(refusal("study all --count 0"), Contains("--count"));
}

TEST_CASE("list shows what there is") {
    CHECK_THAT(invoke("list kernels").out,
               Contains("inverse/forward-substitution") && Contains("steps"));
    CHECK_THAT(invoke("list hardware").out, Contains("ascend-910b") && Contains("fused-local"));
    CHECK_THAT(invoke("list models").out, Contains("qwen3.5-9b") && Contains("256 experts"));
    CHECK_THAT(invoke("list ops").out,
               Contains("mmad") && Contains("fixpipe") && Contains("wait_flag"));
    CHECK(invoke("--version").out == "npusim " NPUSIM_VERSION "\n");
    CHECK_THAT(invoke("run --help").out, Contains("Examples:"));
}

TEST_CASE("option --check compares with program order") {
    CHECK(invoke("run " + kAscend + "-k inverse/neumann --count 6 --check").code == 0);
    CHECK(invoke("run " + kAscend + "-k inverse/neumann --check --timing-only").code == 2);
}

TEST_CASE("a bad command line is one error with what is allowed, exit code 2") {
    const std::string run = "run " + kAscend;
    CHECK_THAT(refusal(""), Contains("subcommand") && Contains("see: npusim --help"));
    CHECK_THAT(refusal("comapre"), Contains("unknown command 'comapre' (did you mean 'compare'?)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --fromat json"),
               Contains("unknown option '--fromat' (did you mean '--format'?)") &&
                   Contains("see: npusim run --help"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --chunk some"),
               Contains("--chunk = some: not a whole number"));
    CHECK_THAT(refusal("list things"), Contains("kernels,hardware,models,ops"));
    CHECK_THAT(refusal(run + "-k neumann"),
               Contains("unknown kernel 'neumann' (did you mean 'inverse/neumann'?)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann:ordr=3"), Contains("did you mean 'order'?"));
    CHECK_THAT(refusal(run + "-k inverse/neumann:order=99"), Contains("(allowed: auto, 1..16)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann:mask=wide"),
               Contains("(allowed: order, none, 0..127)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann:order"), Contains("NAME:key=value"));
    CHECK_THAT(refusal(run + "-k inverse/neumann:block=48 --chunk 128"),
               Contains("block=48: blocks are joined in pairs (allowed: 16, 32, 64, 128)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann -p nothing=1"),
               Contains("no kernel here has this parameter"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --chunk 48"), Contains("16, 32, 64, 128"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --dtype fp8"),
               Contains("fp32, tf32, fp16, bf16, fp8e4m3"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --dtype tf32"),
               Contains("cube.formats: no format tf32 (allowed: fp32, fp16, bf16, int8, int4)"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --format xml"), Contains("text,json,csv"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --seed -1"), Contains("--seed"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --count -1"), Contains("--count"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --input nowhere"),
               Contains("no such folder, file or kind"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --input random,nowhere.npy"),
               Contains("nowhere.npy: no such file"));
    CHECK_THAT(refusal(run + "-k inverse/neumann --trace /no/such/folder/t.json"),
               Contains("cannot write"));
    CHECK_THAT(refusal(run + "-k inverse/neumann -o /proc/x"), Contains("-o /proc/x"));
    CHECK_THAT(refusal(run + kPair), Contains("run takes one -k"));
}

TEST_CASE(
    "a bad hardware file is refused with file, line, column, key, value and what is allowed") {
    const npusim::test::Scratch scratch;
    std::string text = ascend_text();
    const std::size_t at = text.find("ai_cores: 24");
    text.replace(at, 12, "ai_cores: -3");
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const fs::path file = scratch.write("hw.yaml", text);
    CHECK(refusal("run -k inverse/neumann -c " + file.string()) ==
          "npusim: error: " + file.string() + ":" + std::to_string(line) +
              ":11: ai_cores: got -3, out of range (allowed: 1..1024)\n");
    CHECK_THAT(refusal("run -k inverse/neumann -c " + scratch.path().string() + "/none.yaml"),
               Contains("none.yaml: cannot read the file"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --set buffers.l1.siz=1"),
               Contains("unknown key (did you mean 'size'?)"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --set clock_mhz=nan"),
               Contains("clock_mhz: got nan"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --set cube.startup_cycles=1e3"),
               Contains("needs a decimal integer"));
}

TEST_CASE("tiles over a buffer's capacity are refused with the buffer's key, before anything is "
          "written") {
    const npusim::test::Scratch scratch;
    const std::string folder = (scratch.path() / "results").string();
    CHECK_THAT(
        refusal("run " + kAscend + "-k inverse/neumann --set buffers.l1.size=16KiB"),
        Contains(
            "buffers.l1.size: 16384 bytes do not hold what the kernel keeps of one chunk of 64"));
    CHECK_THAT(refusal("run " + kAscend +
                       "-k inverse/forward-substitution --chunk 128 --set buffers.ub.size=32KiB"),
               Contains("--set buffers.ub.size=32KiB: buffers.ub.size: 32768 bytes"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --set buffers.l0a.size=1KiB"),
               Contains("buffers.l0a.size: 1024 bytes"));
    CHECK_THAT(
        refusal("run " + kAscend + "-k inverse/neumann --set buffers.l0c.size=8KiB -o " + folder),
        Contains("buffers.l0c.size: 8192 bytes"));
    CHECK_FALSE(fs::exists(folder + "/results.json"));
}

TEST_CASE(
    "a kernel that needs what the hardware file lacks is refused with the place in the file") {
    const npusim::test::Scratch scratch;
    const std::string text = ascend_text();
    const std::size_t begin = text.find("  - from: l0c\n    to: l1");
    const std::size_t end = text.find("gm: # rates");
    const fs::path file = scratch.write("hw.yaml", text.substr(0, begin) + "\n" + text.substr(end));
    const auto line =
        1 + std::count(text.begin(),
                       text.begin() + static_cast<std::ptrdiff_t>(text.find("links:")),
                       '\n');
    CHECK_THAT(refusal("run -k inverse/neumann -c " + file.string()),
               Contains(file.string() + ":" + std::to_string(line) +
                        ":1: links: no path l0c->l1 (allowed: gm->ub, "));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --set sync.cross_flag_ids=1"),
               Contains("sync.cross_flag_ids: flag id 1 (allowed: 0..0), in `cross_wait mte2 #1`"));
}

TEST_CASE("a damaged array is refused by its path and leaves no output behind") {
    const npusim::test::Scratch scratch;
    const fs::path data = kSource + "/kernels/data/gdn_trained_layer4";
    for (const char* name : {"beta.npy", "g.npy"}) {
        scratch.write(name, content(data / name));
    }
    scratch.write("k.npy", content(data / "k.npy").substr(0, 5000));
    const std::string trace = (scratch.path() / "t.json").string();
    CHECK_THAT(
        refusal("run " + kAscend + "-k inverse/neumann --input " + scratch.path().string() +
                " --trace " + trace + " -o " + (scratch.path() / "out").string()),
        Contains("k.npy: has 4872 bytes of data, which is not 4 x 1024 x 128 elements of 2 bytes"));
    CHECK_FALSE(fs::exists(trace));
    CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

TEST_CASE("speed has every kernel at every chunk size, and what is published beside it") {
    const json speed =
        json::parse(invoke("speed " + kAscend + "--tokens 8192 --format json -q").out);
    CHECK(speed["hardware"] == "ascend-910b");
    REQUIRE(speed["kernels"].size() >= 10);
    for (const json& kernel : speed["kernels"]) {
        REQUIRE(kernel["chunks"].size() == 3);
        for (const json& cell : kernel["chunks"]) {
            CHECK(cell["cycles_after_launch"] > 0);
        }
    }
    CHECK(speed["kernels"][0]["chunks"][1]["speedup"] == 1.0);
    REQUIRE(speed["published"].size() == 4);
    CHECK(speed["published"][1]["published"] == 4.2);
    CHECK(speed["published"][1]["ours"] == speed["kernels"][3]["chunks"][1]["speedup"]);
    CHECK_THAT(invoke("speed " + kAscend + "--tokens 8192").out,
               Contains("5.2x published") && Contains("chunk 128"));
    CHECK_THAT(refusal("speed " + kAscend + "--tokens 1"), Contains("--tokens"));
}

TEST_CASE("integer formats: scales as asked for, and what each step loses") {
    const std::string job = "run " + kAscend + "-k inverse/neumann --dtype int8 --count 4 -q ";
    const auto result = [&](const std::string& arguments) {
        return json::parse(invoke(job + "--format json " + arguments).out)["results"][0];
    };
    CHECK(result("")["scale"] == "head");
    CHECK(result("--calibrate random")["scale"] == "tensor");
    CHECK(result("--scale matrix")["cycles"] > result("--scale tensor")["cycles"]);
    const json steps = result("--input correlated:0.5 --calibrate random")["numerics"]["steps"];
    REQUIRE(steps.size() > 3);
    CHECK(steps[0]["step"] == "A^2");
    CHECK(steps[0]["peak_code"] == 127);
    // A^2 of one's own scale: real values up to the largest, none lost beyond the end.
    const json own = result("--input correlated:0.5 --scale matrix")["numerics"]["steps"];
    CHECK(own[0]["peak_code"] == 127);
    CHECK(own[0]["peak"] > steps[0]["peak"]);
    CHECK(own[0]["saturated_share"] == 0);
    CHECK(steps[0]["saturated_share"] > 0.01);
    CHECK_THAT(invoke(job).out, Contains("saturated") && Contains(" as 127 "));
    CHECK_THAT(refusal(job + "--scale row"), Contains("(allowed: tensor, head, matrix)"));
    CHECK_THAT(refusal(job + "--scale head --calibrate random"),
               Contains("--calibrate random: scales of a head come from the input itself"));
    CHECK_THAT(refusal("run " + kAscend + "-k inverse/neumann --dtype int16"),
               Contains("cube.formats"));
}
