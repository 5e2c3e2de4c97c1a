// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/wait.h>

namespace npusim::test {

using Catch::Contains;
using nlohmann::json;

namespace fs = std::filesystem;

inline const std::string kSource = NPUSIM_SOURCE_DIR;
inline const std::string kAscend = "-c " + kSource + "/configs/hardware/ascend-910b.yaml ";
inline const std::string kPair = "-k inverse/forward-substitution -k inverse/neumann ";

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

inline std::string content(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs the program as a shell would.
inline Outcome invoke(const std::string& arguments) {
    const Scratch scratch;
    const fs::path out = scratch.path() / "out";
    const fs::path err = scratch.path() / "err";
    const std::string command = std::string(NPUSIM_BINARY) + " " + arguments + " >" + out.string() +
                                " 2>" + err.string() + " </dev/null";
    const int status = std::system(command.c_str()); // NOLINT(concurrency-mt-unsafe)
    return {WEXITSTATUS(status), content(out), content(err)};
}

/// The one line of a refused command: exit code 2, nothing on stdout.
inline std::string refusal(const std::string& arguments) {
    const Outcome outcome = invoke(arguments);
    CAPTURE(arguments, outcome.out);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    return outcome.err;
}

/// The data in a report page.
inline json page_data(const fs::path& page) {
    const std::string html = content(page);
    const std::string open = R"(id="npusim-data">)";
    const std::size_t begin = html.find(open) + open.size();
    const fs::path packed = page.string() + ".base64";
    std::ofstream(packed) << html.substr(begin, html.find("</script>", begin) - begin);
    const std::string command =
        "base64 -d " + packed.string() + " | gunzip >" + packed.string() + ".json";
    REQUIRE(std::system(command.c_str()) == 0); // NOLINT(concurrency-mt-unsafe)
    return json::parse(content(packed.string() + ".json"));
}

} // namespace npusim::test
