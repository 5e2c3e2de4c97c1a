// SPDX-License-Identifier: Apache-2.0
#include "sim/config/model.h"

#include "sim/config/yaml_reader.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace npusim::config {

namespace {

constexpr std::array<std::string_view, 2> kDecayNames{"head", "channel"}; // as Decay
constexpr std::array<std::string_view, 2> kKindNames{"gqa", "mla"};       // as AttentionKind
constexpr std::array<std::string_view, 2> kYesNo{"no", "yes"};

constexpr Range<std::int64_t> kWidth{16, 1 << 20};
constexpr Range<std::int64_t> kHeads{1, 1024};
constexpr Range<std::int64_t> kHeadSize{16, 1024};

void flag(YamlReader& io, std::string_view key, bool& out) {
    if (io.has(key)) {
        std::size_t chosen = 0;
        io.choice(key, chosen, kYesNo);
        out = chosen == 1;
    }
}

void optional_integer(YamlReader& io,
                      std::string_view key,
                      std::int64_t& out,
                      Range<std::int64_t> allowed) {
    if (io.has(key)) {
        io.integer(key, out, allowed);
    }
}

} // namespace

static void describe(YamlReader& io, LinearAttentionConfig& linear) {
    io.integer("key_heads", linear.key_heads, kHeads);
    io.integer("value_heads", linear.value_heads, kHeads);
    io.integer("key_size", linear.key_size, kHeadSize);
    io.integer("value_size", linear.value_size, kHeadSize);
    io.integer("convolution", linear.convolution, {2, 16});
    io.choice("decay", linear.decay, kDecayNames);
    optional_integer(io, "gate_rank", linear.gate_rank, kWidth);
}

static void describe(YamlReader& io, FullAttentionConfig& attention) {
    io.choice("kind", attention.kind, kKindNames);
    io.integer("heads", attention.heads, kHeads);
    io.integer("kv_heads", attention.kv_heads, kHeads);
    io.integer("key_size", attention.key_size, kHeadSize);
    io.integer("value_size", attention.value_size, kHeadSize);
    optional_integer(io, "rotary", attention.rotary, kHeadSize);
    flag(io, "output_gate", attention.output_gate);
    flag(io, "head_norm", attention.head_norm);
    if (attention.kind == AttentionKind::Mla) {
        io.integer("latent", attention.latent, kWidth);
        io.integer("shared", attention.shared, kHeadSize);
    }
}

static void describe(YamlReader& io, ExpertsConfig& experts) {
    io.integer("count", experts.count, {1, 4096});
    io.integer("top_k", experts.top_k, {1, 64});
    io.integer("intermediate", experts.intermediate, kWidth);
    optional_integer(io, "shared", experts.shared, kWidth);
}

/// One entry of the list of softmax attention layers: `{from: 4, every: 4}` or `{from: 27}`.
struct LayerRange {
    std::int64_t from = 0;
    std::int64_t every = 0;
};
static void describe(YamlReader& io, LayerRange& range) {
    io.integer("from", range.from, {1, 1024});
    optional_integer(io, "every", range.every, {1, 1024});
}

bool ModelConfig::is_full(std::int64_t layer) const {
    return std::ranges::find(full_layers, layer) != full_layers.end();
}

bool ModelConfig::is_dense(std::int64_t layer) const {
    return !experts || layer <= dense_layers;
}

ModelConfig load_model(const std::string& path) {
    const YamlNode root = parse_yaml_file(path);
    Faults faults(path);
    ModelConfig model;
    std::vector<LayerRange> full;
    YamlReader io(root, "", faults);
    io.text("name", model.name, 64);
    io.text("source", model.source, 4096);
    io.integer("hidden", model.hidden, kWidth);
    io.integer("layers", model.layers, {1, 1024});
    io.integer("vocabulary", model.vocabulary, kWidth);
    io.object("linear", model.linear);
    io.list("full_attention_layers", full);
    io.object("attention", model.attention);
    if (io.has("experts")) {
        io.object("experts", model.experts.emplace());
        optional_integer(io, "dense_layers", model.dense_layers, {1, 1024});
    }
    if (!model.experts || model.dense_layers > 0) {
        io.integer("dense", model.dense, kWidth);
    }
    io.finish();
    faults.throw_if_any();

    for (const LayerRange& range : full) {
        for (std::int64_t layer = range.from; layer <= model.layers; layer += range.every) {
            model.full_layers.push_back(layer);
            if (range.every == 0) {
                break;
            }
        }
    }
    const auto require = [&](bool holds, std::string_view key, std::string_view text) {
        if (!holds) {
            const YamlNode* node = root.find_path(key);
            faults.add(node == nullptr ? root.origin : node->origin, key, text);
        }
    };
    require(model.linear.value_heads % model.linear.key_heads == 0,
            "linear.value_heads",
            "not a multiple of key_heads");
    require(model.attention.heads % model.attention.kv_heads == 0,
            "attention.heads",
            "not a multiple of kv_heads");
    require(model.attention.rotary <= model.attention.key_size,
            "attention.rotary",
            "more than key_size");
    require(model.linear.decay == Decay::Head || model.linear.gate_rank > 0,
            "linear.decay",
            "channel needs gate_rank");
    const FullAttentionConfig& attention = model.attention;
    require(attention.kind == AttentionKind::Gqa ||
                (attention.rotary == 0 && !attention.output_gate && !attention.head_norm),
            "attention.kind",
            "mla takes no rotary, output_gate or head_norm");
    require(attention.kind == AttentionKind::Gqa || attention.shared < attention.key_size,
            "attention.shared",
            "not less than key_size");
    require(model.vocabulary % 16 == 0, "vocabulary", "not a multiple of 16");
    require(!model.experts || model.experts->top_k <= model.experts->count,
            "experts.top_k",
            "more than count");
    faults.throw_if_any();
    return model;
}

} // namespace npusim::config
