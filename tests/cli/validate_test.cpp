// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/invoke.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;
using npusim::test::invoke;
using npusim::test::Outcome;

namespace {

const std::string kHead =
    "id,platform,kernel,algorithm,dtype,B,n_elems,cores,shape_note,measured_us,timing,note,group\n";

std::string
file(const npusim::test::Scratch& scratch, const std::string& name, const std::string& text) {
    const auto path = scratch.path() / name;
    std::ofstream(path) << text;
    return path.string();
}

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream text(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Two real rows, a repeat of the first and one nobody has a model of.
std::string small_table(const npusim::test::Scratch& scratch) {
    const std::string relu = "\"910B4 (20 AIC/40 AIV, 1650 MHz)\",vec_relu,\"AscendC, 20 blocks, "
                             "8192-element tiles, double buffer state unknown\",fp16,";
    return file(scratch,
                "t.csv",
                kHead + "a," + relu +
                    "1,98304,12,\"[1,12,256,32]\",1.94,msprof task duration,,g1\n" + "b," + relu +
                    "64,6291456,20,\"[64,12,256,32]\",9.48,msprof task duration,,g2\n" + "c," +
                    relu + "1,98304,12,\"[1,12,256,32]\",2.0,msprof task duration,,g1\n" +
                    "d,910B2,knitting,by hand,fp16,,,,,5,host wall clock,,\n");
}

} // namespace

TEST_CASE("validate compares rows with the model, and counts those it has no model of") {
    const npusim::test::Scratch scratch;
    const Outcome outcome = invoke("validate " + small_table(scratch) + " --format json -j 2");
    REQUIRE(outcome.code == 0);
    const json report = json::parse(outcome.out);
    CHECK(report["summary"]["rows"] == 4);
    CHECK(report["summary"]["modelled"] == 3);
    CHECK(report["summary"]["coverage"] == 0.75);
    CHECK(report["device"]["rows"] == 3);
    CHECK(report["families"]["vector"]["rows"] == 3);
    REQUIRE(report["rows"].size() == 4);
    const json& a = report["rows"][0];
    CHECK(a["predicted"] == report["rows"][2]["predicted"]);
    CHECK(a["predicted"] < report["rows"][1]["predicted"]);
    CHECK(a["error"].get<double>() ==
          Approx(a["predicted"].get<double>() / a["measured"].get<double>() - 1));
    CHECK(report["rows"][3]["reason"] == "no model of this kernel");
    CHECK(report["summary"]["rank_tau"] == 1);
    CHECK(invoke("validate " + small_table(scratch) + " --format json -j 1").out == outcome.out);
}

TEST_CASE("validate: rows may be chosen, numbers of all hardware files changed, reports written") {
    const npusim::test::Scratch scratch;
    const std::string table = small_table(scratch);
    const auto predicted = [&](const std::string& options) {
        return json::parse(invoke("validate " + table + " --format json " + options).out);
    };
    CHECK(predicted("--platform 910B2")["rows"].size() == 1);
    CHECK(predicted("--family vector")["rows"].size() == 3);
    CHECK(predicted("--set 'links.ub->gm.bytes_per_cycle=20'")["rows"][1]["predicted"] >
          predicted("")["rows"][1]["predicted"]);
    const std::string folder = (scratch.path() / "out").string();
    const Outcome text = invoke("validate " + table + " --rows -o " + folder);
    CHECK_THAT(text.out, Catch::Contains("vec_relu") && Catch::Contains("no model of this kernel"));
    for (const std::string name : {"txt", "json", "csv", "svg"}) {
        CHECK(std::filesystem::exists(folder + "/validation." + name));
    }
}

TEST_CASE("a run that ended before is taken from the folder, not made again") {
    const npusim::test::Scratch scratch;
    const std::string table = small_table(scratch);
    const std::string folder = (scratch.path() / "out").string();
    const std::string runs = folder + "/runs.jsonl";
    const auto rows = [&](const std::string& options = "") {
        const Outcome outcome =
            invoke("validate " + table + " -j 1 --format json -o " + folder + " " + options);
        REQUIRE(outcome.code == 0);
        return json::parse(outcome.out)["rows"];
    };
    const json whole = rows();
    std::vector<std::string> lines = lines_of(runs);
    REQUIRE(lines.size() == 2); // equal rows are one run

    // A first line that says something else shows what is read; a second that was cut off is not.
    json first = json::parse(lines[0]);
    first["result"] = "12345.5";
    std::ofstream(runs) << first.dump() << '\n' << lines[1].substr(0, lines[1].size() / 2);
    const json resumed = rows();
    CHECK(resumed[0]["predicted"] == 12345.5);
    CHECK(resumed[1]["predicted"] == whole[1]["predicted"]);
    lines = lines_of(runs);
    REQUIRE(lines.size() == 3);
    CHECK(json::parse(lines[2])["result"] != "12345.5");

    // Another machine is another run.
    CHECK(rows("--set 'links.ub->gm.bytes_per_cycle=20'")[0]["predicted"] != 12345.5);
    CHECK(lines_of(runs).size() == 5);
}

TEST_CASE("validate refuses what it cannot read with the place and what is allowed") {
    const npusim::test::Scratch scratch;
    const Outcome family = invoke("validate " + small_table(scratch) + " --family knitting");
    CHECK(family.code == 2);
    CHECK_THAT(family.err, Catch::Contains("--family knitting") && Catch::Contains("gemm"));
    const Outcome table = invoke("validate " + file(scratch, "x.csv", "id,kernel\n"));
    CHECK(table.code == 2);
    CHECK_THAT(table.err, Catch::Contains("x.csv:1: no column 'platform'"));
}

TEST_CASE(
    "calibrate finds a number that brings rows to their time, and checks on what it left out") {
    const npusim::test::Scratch scratch;
    small_table(scratch);
    const std::string path = file(scratch,
                                  "c.yaml",
                                  "table: t.csv\nfolds: 2\nbudget: 12\nparameters:\n"
                                  "  - {key: links.ub->gm.startup_cycles, min: 10, max: 1000}\n"
                                  "rows:\n  - {family: vector}\n");
    const Outcome outcome = invoke("calibrate " + path + " --format json");
    REQUIRE(outcome.code == 0);
    const json report = json::parse(outcome.out);
    CHECK(report["rows"] == 3);
    CHECK(report["groups"] == 2);
    CHECK(report["held_out"]["rows"] == 3);
    CHECK(report["fitted"]["median_abs_error"] <= report["before"]["median_abs_error"]);
    CHECK(report["parameters"][0]["without_a_part"].size() == 2);
    const double fitted = report["parameters"][0]["fitted"];
    CHECK(fitted >= 10);
    CHECK(fitted <= 1000);
    CHECK(invoke("calibrate " + file(scratch, "d.yaml", "table: t.csv\n")).code == 2);
}
