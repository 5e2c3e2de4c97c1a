// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/config/model.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace npusim;
using Catch::Contains;

namespace {

const std::string kModels = NPUSIM_SOURCE_DIR "/configs/models/";

/// The text of a shipped model with one stretch replaced.
std::string edited(const std::string& from, const std::string& to) {
    std::ifstream file(kModels + "qwen3.5-9b.yaml");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
    const test::Scratch scratch;
    try {
        config::load_model(scratch.write("m.yaml", text));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

} // namespace

TEST_CASE("every shipped model loads under the name of its file") {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kModels)) {
        CHECK(config::load_model(entry.path()).name == entry.path().stem());
        ++count;
    }
    CHECK(count == 7);
}

TEST_CASE("layers of a model are softmax or linear, dense or experts, as published") {
    const auto counts = [](const std::string& name) {
        const config::ModelConfig model = config::load_model(kModels + name + ".yaml");
        int full = 0;
        int dense = 0;
        for (std::int64_t layer = 1; layer <= model.layers; ++layer) {
            full += model.is_full(layer) ? 1 : 0;
            dense += model.is_dense(layer) ? 1 : 0;
        }
        return std::array{full, dense};
    };
    CHECK(counts("qwen3.5-0.8b") == std::array{6, 24});
    CHECK(counts("qwen3.5-27b") == std::array{16, 64});
    CHECK(counts("qwen3.5-35b-a3b") == std::array{10, 0});
    CHECK(counts("qwen3-next-80b-a3b") == std::array{12, 0});
    CHECK(counts("kimi-linear-48b-a3b") == std::array{7, 1});
}

TEST_CASE("a bad model file is refused with file, line, column, key and what is allowed") {
    CHECK(refusal(edited("hidden: 4096", "hidden: 4096")).empty());
    CHECK_THAT(refusal(edited("hidden: 4096", "hidden: 4")),
               Contains("m.yaml:6:9:") && Contains("hidden"));
    CHECK_THAT(refusal(edited("hidden:", "hiden:")), Contains("hidden") && Contains("hiden"));
    CHECK_THAT(refusal(edited("decay: head", "decay: token")), Contains("head, channel"));
    CHECK_THAT(refusal(edited("value_heads: 32", "value_heads: 24")),
               Contains("linear.value_heads: not a multiple of key_heads"));
    CHECK_THAT(refusal(edited("decay: head", "decay: channel")),
               Contains("channel needs gate_rank"));
    CHECK_THAT(refusal(edited("vocabulary: 248320", "vocabulary: 248321")),
               Contains("vocabulary: not a multiple of 16"));
    CHECK_THAT(refusal(edited("kind: gqa", "kind: mla\n  latent: 512\n  shared: 64")),
               Contains("mla takes no rotary"));
    CHECK_THAT(refusal(edited("rotary: 64", "rotary: 512")),
               Contains("attention.rotary: more than key_size"));
    CHECK_THAT(refusal(edited("dense: 12288", "")), Contains("dense"));
}
