// SPDX-License-Identifier: Apache-2.0
#include "sim/app/decoder.h"

#include "kernels/attention/decode_attention.h"
#include "kernels/attention/decode_combine.h"
#include "kernels/attention/flash_attention.h"
#include "kernels/delta_rule/chunk_outputs.h"
#include "kernels/delta_rule/chunk_states.h"
#include "kernels/delta_rule/cumulative_gate.h"
#include "kernels/delta_rule/key_products.h"
#include "kernels/delta_rule/recurrent_step.h"
#include "kernels/delta_rule/wy_products.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/quant_gemm.h"
#include "kernels/inverse/inverse_operator.h"
#include "kernels/moe/grouped_gemm.h"
#include "kernels/moe/moe_combine.h"
#include "kernels/moe/moe_gather.h"
#include "kernels/moe/router.h"
#include "kernels/moe/routing.h"
#include "kernels/rowwise/causal_conv.h"
#include "kernels/rowwise/gated.h"
#include "kernels/rowwise/gates.h"
#include "kernels/rowwise/norms.h"
#include "kernels/rowwise/rotary.h"
#include "sim/app/select_report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace npusim::app {

namespace {

using namespace npusim::kernels;

constexpr std::int64_t kColumns = 16; ///< what the columns of a product are filled up to

std::vector<std::int64_t> equal_lengths(std::int64_t count, std::int64_t length) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(count), length);
}

/// Appends steps; `dtype` and weights are the job's.
class Builder {
  public:
    Builder(const config::HardwareConfig& hardware, const LayerJob& job)
        : hardware_(hardware), job_(job) {}

    /// An operator `Op(hardware, shape)`; with its name, `text` must tell different shapes apart.
    template <class Op, class Shape>
    void add(std::string label, Part part, Shape shape, std::string text) {
        steps_.push_back({std::move(label),
                          part,
                          fmt::format("{} {}", text, to_string(job_.dtype)),
                          [&hardware = hardware_, shape = std::move(shape)] {
                              return std::make_unique<Op>(hardware, shape);
                          }});
    }
    void add(Step step) { steps_.push_back(std::move(step)); }

    /// x [m,k] times a weight [k,n].
    void projection(std::string label, Part part, std::int64_t m, std::int64_t k, std::int64_t n) {
        n = ceil_div(n, kColumns) * kColumns;
        const std::string text = fmt::format("{}x{}x{}", m, k, n);
        if (job_.weights == job_.dtype) {
            add<Gemm>(std::move(label), part, GemmShape{m, k, n, job_.dtype, job_.dtype}, text);
            return;
        }
        add<QuantGemm>(std::move(label),
                       part,
                       quantised(m, k, n),
                       fmt::format("{} weights {}", text, to_string(job_.weights)));
    }

    /// The rows of each expert times a weight [k,n] of its own.
    void experts(std::string label,
                 const std::vector<std::int64_t>& rows,
                 std::int64_t k,
                 std::int64_t n) {
        const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
        const std::string text = fmt::format("{} rows, {} of {}x{}", all, rows.size(), k, n);
        if (job_.weights == job_.dtype) {
            add<GroupedGemm>(std::move(label),
                             Part::FeedForward,
                             GroupedGemmShape{rows, k, n, job_.dtype, job_.dtype},
                             text);
            return;
        }
        QuantGemmShape shape = quantised(all, k, n);
        shape.rows = rows;
        add<QuantGemm>(std::move(label),
                       Part::FeedForward,
                       shape,
                       fmt::format("{} weights {}", text, to_string(job_.weights)));
    }

    /// The norm before a branch, which also adds what the branch before has made to the residual.
    void residual_norm(std::string label, std::int64_t rows, std::int64_t cols) {
        RmsNormShape shape{rows, cols, job_.dtype};
        shape.residual = true;
        add<RmsNorm>(
            std::move(label), Part::Norm, shape, fmt::format("{}x{}, residual", rows, cols));
    }
    void norm(std::string label, std::int64_t rows, std::int64_t cols, bool gated = false) {
        RmsNormShape shape{rows, cols, job_.dtype};
        shape.gated = gated;
        add<RmsNorm>(std::move(label),
                     Part::Norm,
                     shape,
                     fmt::format("{}x{}{}", rows, cols, gated ? ", gated" : ""));
    }
    void swiglu(std::string label, std::int64_t rows, std::int64_t cols) {
        add<SwiGlu>(std::move(label),
                    Part::FeedForward,
                    GatedShape{rows, cols, job_.dtype},
                    fmt::format("{}x{}", rows, cols));
    }

    [[nodiscard]] std::vector<Step> take() { return std::move(steps_); }

  private:
    [[nodiscard]] QuantGemmShape quantised(std::int64_t m, std::int64_t k, std::int64_t n) const {
        QuantGemmShape shape{m, k, n};
        shape.dtype = job_.dtype;
        shape.weight = job_.weights;
        shape.result = job_.dtype;
        return shape;
    }

    const config::HardwareConfig& hardware_;
    const LayerJob& job_;
    std::vector<Step> steps_;
};

/// Tokens of each sequence that pass at once, and what stands behind their number in a shape.
struct Sequences {
    explicit Sequences(const LayerJob& job)
        : lengths(equal_lengths(job.batch, job.phase == Phase::Prefill ? job.tokens : job.draft)),
          text(fmt::format("{} x {} tokens", job.batch, lengths.front())) {}
    std::vector<std::int64_t> lengths;
    std::string text;
};

DeltaShape delta_shape(const LayerJob& job,
                       const config::LinearAttentionConfig& linear,
                       const Sequences& sequences) {
    DeltaShape shape;
    shape.lengths = sequences.lengths;
    shape.key_heads = linear.key_heads;
    shape.value_heads = linear.value_heads;
    shape.key_size = linear.key_size;
    shape.value_size = linear.value_size;
    shape.chunk = job.chunk;
    shape.dtype = job.dtype;
    shape.per_channel = linear.decay == config::Decay::Channel;
    return shape;
}

/// The delta rule over chunks, from normalised q and k, v and the gates to o.
void chunked(Builder& layer,
             const config::HardwareConfig& hardware,
             const LayerJob& job,
             const DeltaShape& shape,
             const KernelRequest& inverse,
             const Sequences& sequences) {
    const std::string text = fmt::format("{}, {}/{} heads, chunk {}{}",
                                         sequences.text,
                                         shape.key_heads,
                                         shape.value_heads,
                                         shape.chunk,
                                         shape.per_channel ? ", by channel" : "");
    layer.add<CumulativeGate>("cumulative gate", Part::Chunk, shape, text);
    layer.add<KeyProducts>("k k^T, decay", Part::Chunk, shape, text);
    const Problem problem{std::ssize(chunks_of(shape)) * shape.value_heads, shape.chunk, job.dtype};
    const std::string name = spec(inverse);
    const std::string parameters = name.substr(std::min(name.find(':'), name.size()));
    layer.add({"T = (I - A)^-1",
               Part::Inverse,
               fmt::format("{} of {}x{} {}{}",
                           problem.count,
                           problem.chunk,
                           problem.chunk,
                           to_string(job.dtype),
                           parameters),
               [&hardware, inverse, problem] {
                   return std::make_unique<inverse::InverseOperator>(
                       hardware, *inverse.kernel, inverse.values, problem);
               }});
    layer.add<WyProducts>("u = T (beta v), w = T (beta k)", Part::Chunk, shape, text);
    layer.add<ChunkStates>("states of the chunks", Part::Chunk, shape, text);
    layer.add<ChunkOutputs>("outputs of the chunks", Part::Chunk, shape, text);
}

/// The gates of Kimi delta attention: decay by channel and output gate through `gate_rank`.
void channel_gates(Builder& layer,
                   const LayerJob& job,
                   const config::ModelConfig& model,
                   std::int64_t rows) {
    const config::LinearAttentionConfig& linear = model.linear;
    const std::int64_t rank = linear.gate_rank;
    const std::int64_t keys = linear.value_heads * linear.key_size;
    layer.projection("decay, to its rank", Part::Projection, rows, model.hidden, rank);
    layer.projection("decay, by channel", Part::Projection, rows, rank, keys);
    layer.projection("output gate, to its rank", Part::Projection, rows, model.hidden, rank);
    layer.projection(
        "output gate", Part::Projection, rows, rank, linear.value_heads * linear.value_size);
    layer.projection("beta", Part::Projection, rows, model.hidden, linear.value_heads);
    layer.add<Gates>("gates by channel",
                     Part::Norm,
                     GatesShape{rows, keys, job.dtype},
                     fmt::format("{}x{}", rows, keys));
}

/// Grouped queries: projections, norms and rotation, up to q, k and v.
void gqa_inputs(Builder& layer,
                const LayerJob& job,
                const config::ModelConfig& model,
                std::int64_t rows) {
    const config::FullAttentionConfig& attention = model.attention;
    const std::int64_t queries = attention.heads * attention.key_size;
    const std::int64_t gate = attention.output_gate ? attention.heads * attention.value_size : 0;
    layer.projection(attention.output_gate ? "q, gate, k, v" : "q, k, v",
                     Part::Projection,
                     rows,
                     model.hidden,
                     queries + gate +
                         attention.kv_heads * (attention.key_size + attention.value_size));
    const std::int64_t heads = attention.heads + attention.kv_heads;
    if (attention.head_norm) {
        layer.norm("norm of q and k heads", rows * heads, attention.key_size);
    }
    if (attention.rotary > 0) {
        layer.add<Rotary>("rotation of q and k",
                          Part::Norm,
                          RotaryShape{rows, heads, attention.key_size, attention.rotary, job.dtype},
                          fmt::format("{} x {} heads of {}, {} rotated",
                                      rows,
                                      heads,
                                      attention.key_size,
                                      attention.rotary));
    }
}

/// What softmax attention is over: heads and sizes as its kernels see them.
struct AttentionSizes {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t key_size = 0;
    std::int64_t value_size = 0;
    bool value_in_key = false;
};

void softmax(Builder& layer,
             const config::HardwareConfig& hardware,
             const LayerJob& job,
             const AttentionSizes& sizes,
             double scale) {
    const std::string heads = fmt::format(
        "{}/{} heads of {}/{}", sizes.heads, sizes.kv_heads, sizes.key_size, sizes.value_size);
    if (job.phase == Phase::Prefill) {
        FlashAttentionShape shape;
        shape.lengths = equal_lengths(job.batch, job.tokens);
        shape.heads = sizes.heads;
        shape.kv_heads = sizes.kv_heads;
        shape.key_size = sizes.key_size;
        shape.value_size = sizes.value_size;
        shape.dtype = job.dtype;
        shape.scale = scale;
        layer.add<FlashAttention>("softmax attention",
                                  Part::Attention,
                                  shape,
                                  fmt::format("{} x {} tokens, {}", job.batch, job.tokens, heads));
        return;
    }
    DecodeAttentionShape shape;
    shape.cached = equal_lengths(job.batch, job.tokens + job.draft);
    shape.query_tokens = job.draft;
    shape.heads = sizes.heads;
    shape.kv_heads = sizes.kv_heads;
    shape.key_size = sizes.key_size;
    shape.value_size = sizes.value_size;
    shape.dtype = job.dtype;
    shape.scale = scale;
    shape.value_in_key = sizes.value_in_key;
    const std::string text =
        fmt::format("{} x {} of {} tokens, {}", job.batch, job.draft, shape.cached.front(), heads);
    layer.add<DecodeAttention>("softmax attention", Part::Attention, shape, text);
    if (choose_split(hardware, shape).parts > 1) {
        layer.add<DecodeCombine>("sum over parts of the cache", Part::Attention, shape, text);
    }
}

/// A product for each head of its own matrix: the heads are the groups.
void by_head(Builder& layer,
             const LayerJob& job,
             std::string label,
             std::int64_t heads,
             std::int64_t k,
             std::int64_t n) {
    layer.add<GroupedGemm>(
        std::move(label),
        Part::Projection,
        GroupedGemmShape{equal_lengths(heads, job.rows()), k, n, job.dtype, job.dtype},
        fmt::format("{} heads of {}x{}x{}", heads, job.rows(), k, n));
}

/// Latent attention. In prefill keys and values are made from the latent vectors; in decode the
/// cache holds the latent vectors alone, and the products of their making move to q and o
/// ("absorbed", as in DeepSeek-V2).
void latent_attention(Builder& layer,
                      const config::HardwareConfig& hardware,
                      const LayerJob& job,
                      const config::ModelConfig& model) {
    const config::FullAttentionConfig& a = model.attention;
    const std::int64_t rows = job.rows();
    const std::int64_t own = a.key_size - a.shared; // key dimensions of a head itself
    const double scale = 1 / std::sqrt(static_cast<double>(a.key_size));
    layer.projection("q", Part::Projection, rows, model.hidden, a.heads * a.key_size);
    layer.projection(
        "latent vector and shared keys", Part::Projection, rows, model.hidden, a.latent + a.shared);
    layer.norm("norm of the latent vector", rows, a.latent);
    if (job.phase == Phase::Prefill) {
        layer.projection("k and v of the heads",
                         Part::Projection,
                         rows,
                         a.latent,
                         a.heads * (own + a.value_size));
        softmax(layer, hardware, job, {a.heads, a.kv_heads, a.key_size, a.value_size}, scale);
    } else {
        by_head(layer, job, "q to latent", a.heads, own, a.latent);
        softmax(layer, hardware, job, {a.heads, 1, a.latent + a.shared, a.latent, true}, scale);
        by_head(layer, job, "latent to o", a.heads, a.latent, a.value_size);
    }
    layer.projection("output", Part::Projection, rows, a.heads * a.value_size, model.hidden);
}

} // namespace

std::vector<Step> Decoder::linear_attention(const KernelRequest& inverse) const {
    const config::LinearAttentionConfig& linear = model_.linear;
    const std::int64_t rows = job_.rows();
    const std::int64_t keys = linear.key_heads * linear.key_size;
    const std::int64_t values = linear.value_heads * linear.value_size;
    const bool by_channel = linear.decay == config::Decay::Channel;
    const Sequences sequences(job_);
    const DeltaShape shape = delta_shape(job_, linear, sequences);
    Builder layer(hardware_, job_);
    layer.residual_norm("norm", rows, model_.hidden);
    layer.projection(by_channel ? "q, k, v" : "q, k, v, gate",
                     Part::Projection,
                     rows,
                     model_.hidden,
                     2 * keys + (by_channel ? 1 : 2) * values);
    if (by_channel) {
        channel_gates(layer, job_, model_, rows);
    } else {
        layer.projection(
            "beta, decay", Part::Projection, rows, model_.hidden, 2 * linear.value_heads);
        layer.add<Gates>("gates",
                         Part::Norm,
                         GatesShape{rows, linear.value_heads, job_.dtype},
                         fmt::format("{}x{}", rows, linear.value_heads));
    }
    layer.add<CausalConv>(
        "convolution of q, k, v",
        Part::Norm,
        CausalConvShape{sequences.lengths, 2 * keys + values, linear.convolution, job_.dtype},
        fmt::format(
            "{}, {} channels, {} taps", sequences.text, 2 * keys + values, linear.convolution));
    layer.add<L2Norm>("norm of q and k heads",
                      Part::Norm,
                      L2NormShape{2 * rows * linear.key_heads, linear.key_size, job_.dtype},
                      fmt::format("{}x{}", 2 * rows * linear.key_heads, linear.key_size));
    if (job_.phase == Phase::Prefill) {
        chunked(layer, hardware_, job_, shape, inverse, sequences);
    } else {
        layer.add<RecurrentStep>("delta rule, token by token",
                                 Part::Recurrence,
                                 RecurrentShape{job_.batch,
                                                job_.draft,
                                                linear.key_heads,
                                                linear.value_heads,
                                                linear.key_size,
                                                linear.value_size,
                                                job_.dtype,
                                                by_channel},
                                 fmt::format("{}, {}/{} heads{}",
                                             sequences.text,
                                             linear.key_heads,
                                             linear.value_heads,
                                             by_channel ? ", by channel" : ""));
    }
    layer.norm("gated norm of o heads", rows * linear.value_heads, linear.value_size, true);
    layer.projection("output", Part::Projection, rows, values, model_.hidden);
    return layer.take();
}

std::vector<Step> Decoder::full_attention() const {
    const config::FullAttentionConfig& attention = model_.attention;
    const std::int64_t rows = job_.rows();
    Builder layer(hardware_, job_);
    layer.residual_norm("norm", rows, model_.hidden);
    if (attention.kind == config::AttentionKind::Mla) {
        latent_attention(layer, hardware_, job_, model_);
        return layer.take();
    }
    const std::int64_t outputs = attention.heads * attention.value_size;
    gqa_inputs(layer, job_, model_, rows);
    softmax(layer,
            hardware_,
            job_,
            {attention.heads, attention.kv_heads, attention.key_size, attention.value_size},
            1 / std::sqrt(static_cast<double>(attention.key_size)));
    if (attention.output_gate) {
        layer.add<SigmoidGate>("output gate",
                               Part::Norm,
                               GatedShape{rows, outputs, job_.dtype},
                               fmt::format("{}x{}", rows, outputs));
    }
    layer.projection("output", Part::Projection, rows, outputs, model_.hidden);
    return layer.take();
}

std::vector<Step> Decoder::dense_feed_forward() const {
    const std::int64_t rows = job_.rows();
    Builder layer(hardware_, job_);
    layer.residual_norm("norm before feed-forward", rows, model_.hidden);
    layer.projection("gate, up", Part::FeedForward, rows, model_.hidden, 2 * model_.dense);
    layer.swiglu("SwiGLU", rows, model_.dense);
    layer.projection("down", Part::FeedForward, rows, model_.dense, model_.hidden);
    return layer.take();
}

std::vector<Step> Decoder::expert_feed_forward() const {
    const config::ExpertsConfig& experts = *model_.experts;
    const std::int64_t rows = job_.rows();
    const std::int64_t sorted = rows * experts.top_k;
    const auto source = balanced_source(rows, experts.count, experts.top_k);
    const std::string moved =
        fmt::format("{} of {}, {} rows, {} experts", rows, model_.hidden, sorted, experts.count);
    Builder layer(hardware_, job_);
    layer.residual_norm("norm before feed-forward", rows, model_.hidden);
    layer.projection("router", Part::FeedForward, rows, model_.hidden, experts.count);
    layer.add<Router>("top experts",
                      Part::FeedForward,
                      RouterShape{rows, experts.count, experts.top_k, job_.dtype},
                      fmt::format("{}x{}, top {}", rows, experts.count, experts.top_k));
    layer.add<MoeGather>("tokens to experts",
                         Part::FeedForward,
                         MoeGatherShape{rows, model_.hidden, experts.top_k, source, job_.dtype},
                         moved);
    const auto per_expert = balanced_routing(rows, experts.count, experts.top_k);
    layer.experts("gate, up of experts", per_expert, model_.hidden, 2 * experts.intermediate);
    layer.swiglu("SwiGLU of experts", sorted, experts.intermediate);
    layer.experts("down of experts", per_expert, experts.intermediate, model_.hidden);
    if (experts.shared > 0) {
        const std::int64_t shared = experts.shared;
        layer.projection(
            "gate, up of the shared expert", Part::FeedForward, rows, model_.hidden, 2 * shared);
        layer.swiglu("SwiGLU of the shared expert", rows, shared);
        layer.projection(
            "down of the shared expert", Part::FeedForward, rows, shared, model_.hidden);
    }
    layer.add<MoeCombine>(
        "experts to tokens",
        Part::FeedForward,
        MoeCombineShape{rows, model_.hidden, experts.top_k, source, experts.shared > 0, job_.dtype},
        moved);
    return layer.take();
}

std::vector<Step> Decoder::layer(bool full, bool dense, const KernelRequest& inverse) const {
    std::vector<Step> steps = full ? full_attention() : linear_attention(inverse);
    const std::vector<Step> rest = dense ? dense_feed_forward() : expert_feed_forward();
    steps.insert(steps.end(), rest.begin(), rest.end());
    return steps;
}

std::vector<Step> Decoder::head() const {
    // In prefill only the last token of a prompt is asked for.
    const std::int64_t rows = job_.phase == Phase::Prefill ? job_.batch : job_.rows();
    Builder layer(hardware_, job_);
    layer.residual_norm("norm", rows, model_.hidden);
    layer.add<Gemm>("logits",
                    Part::Head,
                    GemmShape{rows, model_.hidden, model_.vocabulary, job_.dtype, job_.dtype},
                    fmt::format("{}x{}x{}", rows, model_.hidden, model_.vocabulary));
    return layer.take();
}

} // namespace npusim::app
