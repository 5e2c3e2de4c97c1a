// SPDX-License-Identifier: Apache-2.0
#include "sim/app/shares.h"

#include "sim/app/report_parts.h"
#include "sim/app/table.h"

#include <array>
#include <fmt/format.h>

namespace npusim::app {

namespace {

/// arXiv 2606.06034: a phone's NPU; which model, how many tokens and heads is not published.
struct PublishedLayer {
    std::int64_t chunk;
    double speedup;
    double before;
    double after;
    double saved;
};
constexpr std::array kPublishedLayers{PublishedLayer{32, 5.2, 0.223, 0.052, 0.181},
                                      PublishedLayer{64, 4.2, 0.256, 0.076, 0.194},
                                      PublishedLayer{128, 4.6, 0.314, 0.09, 0.246}};

/// Measured on 910B-class devices, 16 key and value heads.
struct PublishedPipeline {
    const char* setting;
    const char* inverse;
    std::int64_t chunk;
    double share;
    const char* source;
};
constexpr std::array kPublishedPipelines{
    PublishedPipeline{"910B2, hand-written, MXR",
                      "inverse/mixed",
                      128,
                      0.32,
                      "huawei-csl/megagdn-pto: 15.89 of about 49 ms"},
    PublishedPipeline{"910B2, compiled (Triton), block forward substitution",
                      "inverse/block-forward-substitution",
                      64,
                      0.24,
                      "huawei-csl/megagdn-pto: 12.2 of about 51 ms"},
    PublishedPipeline{"910B, a served layer, compiled (Triton) inverse",
                      "inverse/block-forward-substitution",
                      64,
                      0.32,
                      "huawei-csl/gdn-tri-inverse: 570 of about 1765 us"},
    PublishedPipeline{"the same layer, MXR",
                      "inverse/mixed",
                      64,
                      0.12,
                      "huawei-csl/gdn-tri-inverse: 135 of about 1135 us"},
    PublishedPipeline{"910B, compiled (TileLang), row substitution on 32x32 blocks",
                      "inverse/block-forward-substitution",
                      128,
                      0.37,
                      "tile-ai/tilelang-ascend: 24.9 of 68.1 ms"}};

constexpr std::int64_t kShorter = 4; ///< the prompts of the second table, so that it takes seconds

PipelineShare pipeline_share(const config::HardwareConfig& hardware,
                             OperatorTimer& timer,
                             std::int64_t tokens,
                             const PublishedPipeline& published) {
    config::ModelConfig model; // the delta rule alone
    constexpr std::int64_t kHeads = 16;
    constexpr std::int64_t kSequences = 16; // as in most of these measurements
    constexpr std::int64_t kSize = 128;
    model.hidden = kHeads * kSize;
    model.linear = {kHeads, kHeads, kSize, kSize, 4};
    LayerJob job;
    job.batch = kSequences;
    job.tokens = tokens;
    job.chunk = published.chunk;
    std::vector<Step> steps =
        Decoder(hardware, model, job).linear_attention(parse_request(published.inverse, {}));
    std::erase_if(steps, [](const Step& step) {
        return step.part != Part::Chunk && step.part != Part::Inverse;
    });
    const LayerCost stages{"stages", 1, timer.time(steps)};
    return {published.setting,
            published.inverse,
            published.chunk,
            ratio(stages.cycles_of(Part::Inverse), stages.cycles()),
            published.share,
            published.source};
}

} // namespace

Shares measure_shares(const config::HardwareConfig& hardware,
                      const config::ModelConfig& model,
                      std::int64_t tokens,
                      DType weights,
                      const std::function<void(const std::string&)>& progress) {
    OperatorTimer timer(hardware, progress);
    Shares shares{hardware.name, model.name, tokens, {}, {}};
    for (const PublishedLayer& published : kPublishedLayers) {
        LayerJob job;
        job.tokens = tokens;
        job.chunk = published.chunk;
        job.weights = weights;
        const Decoder decoder(hardware, model, job);
        const bool dense = model.is_dense(model.layers);
        const auto with = [&](const char* inverse) {
            return LayerCost{
                inverse, 1, timer.time(decoder.layer(false, dense, parse_request(inverse, {})))};
        };
        const LayerCost slow = with(kBaseline);
        const LayerCost fast = with(kSeries);
        const std::int64_t slow_inverse = slow.cycles_of(Part::Inverse);
        const std::int64_t fast_inverse = fast.cycles_of(Part::Inverse);
        shares.layers.push_back({published.chunk,
                                 ratio(slow_inverse, fast_inverse),
                                 ratio(slow_inverse, slow.cycles()),
                                 ratio(fast_inverse, fast.cycles()),
                                 1 - ratio(fast.cycles(), slow.cycles()),
                                 published.speedup,
                                 published.before,
                                 published.after,
                                 published.saved});
    }
    for (const PublishedPipeline& published : kPublishedPipelines) {
        shares.pipelines.push_back(
            pipeline_share(hardware, timer, ceil_div(tokens, kShorter), published));
    }
    return shares;
}

std::string shares_text(const Shares& shares) {
    std::string text = fmt::format(
        "{}, a linear-attention layer of {} with its feed-forward, prefill of {} tokens; ours "
        "(arXiv 2606.06034, Snapdragon 8 Elite Gen 5)\n",
        shares.hardware,
        shares.model,
        shares.tokens);
    Table layers;
    layers.row("chunk", {"inverse speed-up", "share before", "share after", "layer cycles saved"});
    for (const LayerShare& row : shares.layers) {
        layers.row(fmt::format("{}", row.chunk),
                   {fmt::format("{:.2f}x ({:.1f}x)", row.speedup, row.published_speedup),
                    fmt::format("{} ({})", percent(row.before), percent(row.published_before)),
                    fmt::format("{} ({})", percent(row.after), percent(row.published_after)),
                    fmt::format("{} ({})", percent(row.saved), percent(row.published_saved))});
    }
    text += layers.text() +
            "before: forward substitution; after: neumann N=3 S=8. Nothing is fitted to the paper, "
            "whose model,\ntokens, tiling and cycles are not published.\n\n" +
            fmt::format("the inverse's share of the chunked delta rule alone, 16 sequences of {} "
                        "tokens, 16 heads; ours (published)\n",
                        ceil_div(shares.tokens, kShorter));
    Table pipelines(3);
    pipelines.row("measured on", {"our inverse", "source", "chunk", "share"});
    for (const PipelineShare& row : shares.pipelines) {
        pipelines.row(row.setting,
                      {row.inverse,
                       row.source,
                       fmt::format("{}", row.chunk),
                       fmt::format("{} ({})", percent(row.share), percent(row.published))});
    }
    return text + pipelines.text();
}

std::string shares_json(const Shares& shares) {
    json layers = json::array();
    for (const LayerShare& row : shares.layers) {
        layers.push_back({{"chunk", row.chunk},
                          {"speedup", row.speedup},
                          {"share_before", row.before},
                          {"share_after", row.after},
                          {"layer_cycles_saved", row.saved},
                          {"published",
                           {{"speedup", row.published_speedup},
                            {"share_before", row.published_before},
                            {"share_after", row.published_after},
                            {"layer_cycles_saved", row.published_saved}}}});
    }
    json pipelines = json::array();
    for (const PipelineShare& row : shares.pipelines) {
        pipelines.push_back({{"setting", row.setting},
                             {"inverse", row.inverse},
                             {"chunk", row.chunk},
                             {"share", row.share},
                             {"published", row.published},
                             {"source", row.source}});
    }
    return json{{"hardware", shares.hardware},
                {"model", shares.model},
                {"tokens", shares.tokens},
                {"layers", layers},
                {"pipelines", pipelines},
                {"version", NPUSIM_VERSION}}
               .dump(2) +
           "\n";
}

} // namespace npusim::app
