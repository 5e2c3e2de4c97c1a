// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_attention.h"
#include "kernels/attention/decode_combine.h"
#include "kernels/attention/flash_attention.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <numeric>

using namespace npusim;
using kernels::DecodeAttention;
using kernels::DecodeAttentionShape;
using kernels::DecodeCombine;
using kernels::FlashAttention;
using kernels::FlashAttentionShape;

namespace {

const std::vector<std::string> kMachines{"ascend-910b", "fused-local"};
const std::vector<DType> kFormats{DType::Fp32, DType::Fp16, DType::Bf16};

/// Relative Frobenius error that an operator may have: weights and outputs are rounded to the
/// format, fp32 sums and the exponential to its own.
double tolerance(DType dtype) {
    switch (dtype) {
    case DType::Fp16:
        return 2e-3;
    case DType::Bf16:
        return 1.5e-2;
    default:
        return 1e-5;
    }
}

/// A column block of a row-major matrix.
struct Matrix {
    const test::Values* values;
    std::int64_t cols;
    [[nodiscard]] double at(std::int64_t row, std::int64_t col) const {
        return (*values)[static_cast<std::size_t>(row * cols + col)];
    }
};

struct Sizes {
    std::int64_t heads;
    std::int64_t kv_heads;
    std::int64_t key_size;
    std::int64_t value_size;
    double scale;
};

/// Row `query` of `o`: softmax over `count` keys from `first` on, head by head.
void attend(const Sizes& n,
            const Matrix& q,
            const Matrix& k,
            const Matrix& v,
            std::int64_t query,
            std::int64_t first,
            std::int64_t count,
            test::Values& o) {
    for (std::int64_t head = 0; head < n.heads; ++head) {
        const std::int64_t kv = head * n.kv_heads / n.heads;
        test::Values scores(static_cast<std::size_t>(count), 0.0);
        for (std::int64_t key = 0; key < count; ++key) {
            double sum = 0;
            for (std::int64_t d = 0; d < n.key_size; ++d) {
                sum += q.at(query, head * n.key_size + d) * k.at(first + key, kv * n.key_size + d);
            }
            scores[static_cast<std::size_t>(key)] = n.scale * sum;
        }
        const double max = *std::ranges::max_element(scores);
        double total = 0;
        for (double& score : scores) {
            score = std::exp(score - max);
            total += score;
        }
        for (std::int64_t d = 0; d < n.value_size; ++d) {
            double sum = 0;
            for (std::int64_t key = 0; key < count; ++key) {
                sum += scores[static_cast<std::size_t>(key)] *
                       v.at(first + key, kv * n.value_size + d);
            }
            o[static_cast<std::size_t>((query * n.heads + head) * n.value_size + d)] = sum / total;
        }
    }
}

template <class Shape> Sizes sizes(const Shape& shape) {
    return {shape.heads, shape.kv_heads, shape.key_size, shape.value_size, shape.scale};
}

test::Values reference(const FlashAttentionShape& shape,
                       const test::Values& q,
                       const test::Values& k,
                       const test::Values& v) {
    const std::int64_t tokens = std::ssize(q) / (shape.heads * shape.key_size);
    test::Values o(static_cast<std::size_t>(tokens * shape.heads * shape.value_size));
    std::int64_t first = 0;
    for (const std::int64_t length : shape.lengths) {
        for (std::int64_t i = 0; i < length; ++i) {
            attend(sizes(shape),
                   {&q, shape.heads * shape.key_size},
                   {&k, shape.kv_heads * shape.key_size},
                   {&v, shape.kv_heads * shape.value_size},
                   first + i,
                   first,
                   i + 1,
                   o);
        }
        first += length;
    }
    return o;
}

test::Values reference(const DecodeAttentionShape& shape,
                       const test::Values& q,
                       const test::Values& k,
                       const test::Values& v) {
    test::Values o(static_cast<std::size_t>(std::ssize(q) / shape.key_size * shape.value_size));
    std::int64_t first = 0;
    for (std::int64_t s = 0; s < std::ssize(shape.cached); ++s) {
        const std::int64_t cached = shape.cached[static_cast<std::size_t>(s)];
        for (std::int64_t t = 0; t < shape.query_tokens; ++t) {
            const std::int64_t v_cols = shape.value_in_key ? shape.key_size : shape.value_size;
            attend(sizes(shape),
                   {&q, shape.heads * shape.key_size},
                   {&k, shape.kv_heads * shape.key_size},
                   {&v, shape.kv_heads * v_cols},
                   s * shape.query_tokens + t,
                   first,
                   cached - shape.query_tokens + t + 1,
                   o);
        }
        first += cached;
    }
    return o;
}

/// Values that an operator's tensor holds of uniform ones in [-size, size).
test::Values
drawn(const kernels::Operator& op, const std::string& tensor, double size, std::uint64_t seed) {
    const isa::Tile& tile = op.tensor(tensor);
    return test::stored(op, tensor, test::uniform(tile.rows * tile.cols, -size, size, seed));
}

void check_prefill(const config::HardwareConfig& hardware,
                   const FlashAttentionShape& shape,
                   double size = 1) {
    CAPTURE(hardware.name, to_string(shape.dtype), shape.heads, shape.key_size, shape.value_size);
    const FlashAttention op(hardware, shape);
    const auto& t = op.tiling();
    CAPTURE(t.queries, t.keys, t.chunks, t.values, t.slice, t.piece);
    const auto q = drawn(op, "q", size, 1);
    const auto k = drawn(op, "k", size, 2);
    const auto v = drawn(op, "v", 1, 3);
    const auto outcome = test::run(hardware, op, {{"q", q}, {"k", k}, {"v", v}});
    CHECK(test::distance(outcome.tensors.at("o"), reference(shape, q, k, v)) <
          tolerance(shape.dtype));
}

void check_decode(const config::HardwareConfig& hardware,
                  const DecodeAttentionShape& shape,
                  double size = 1) {
    CAPTURE(hardware.name, to_string(shape.dtype), shape.heads, shape.kv_heads);
    CAPTURE(shape.query_tokens, shape.key_size, shape.value_size, shape.parts);
    const DecodeAttention op(hardware, shape);
    const auto& t = op.tiling();
    CAPTURE(t.queries, t.keys, t.chunks, t.values, t.slice, t.piece);
    const auto q = drawn(op, "q", size, 1);
    const auto k = drawn(op, "k", size, 2);
    std::map<std::string, test::Values> inputs{{"q", q}, {"k", k}};
    if (!shape.value_in_key) {
        inputs["v"] = drawn(op, "v", 1, 3);
    }
    auto outcome = test::run(hardware, op, inputs);
    if (op.is_split()) {
        const DecodeCombine combine(hardware, shape);
        for (const char* name : {"partial_o", "partial_max", "partial_sum"}) {
            inputs[name] = outcome.tensors.at(name);
        }
        std::erase_if(inputs, [](const auto& input) { return input.first.size() == 1; });
        outcome = test::run(hardware, combine, inputs);
        inputs.clear();
    }
    const auto v = shape.value_in_key ? k : drawn(op, "v", 1, 3);
    CHECK(test::distance(outcome.tensors.at("o"), reference(shape, q, k, v)) <
          tolerance(shape.dtype));
}

} // namespace

TEST_CASE("flash attention: odd lengths, every group size and format, on both kinds of chip") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFormats) {
            for (const std::int64_t group : {1, 2, 4, 8}) {
                const std::int64_t kv_heads = group < 4 ? 2 : 1;
                check_prefill(hardware,
                              {{1, 37, 150}, group * kv_heads, kv_heads, 128, 128, dtype, 0.088});
            }
        }
    }
}

TEST_CASE("flash attention: heads of 256, and keys of 192 with values of 128") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFormats) {
            check_prefill(hardware, {{70, 33}, 2, 1, 256, 256, dtype, 0.0625});
            check_prefill(hardware, {{70, 33}, 2, 2, 192, 128, dtype, 0.072});
        }
    }
}

TEST_CASE("attention: rows of several blocks, whatever the number of vector cores") {
    for (const auto& [machine, cores] : {std::pair("ascend-910b", "1"),
                                         std::pair("ascend-910b", "2"),
                                         std::pair("ascend-910b", "4"),
                                         std::pair("fused-local", "1")}) {
        const auto hardware =
            test::hardware(machine, {{"vector_cores", cores}, {"buffers.ub.size", "96KiB"}});
        const FlashAttentionShape shape{{397}, 2, 1, 64, 64, DType::Fp16, 0.125};
        CHECK(FlashAttention(hardware, shape).tiling().block() < shape.lengths.front());
        check_prefill(hardware, shape);
        const DecodeAttentionShape decode{{1100, 3}, 3, 2, 1, 64, 64, DType::Fp16, 0.125};
        CHECK(DecodeAttention(hardware, decode).tiling().block() < decode.cached.front());
        check_decode(hardware, decode);
    }
}

TEST_CASE("flash attention: outputs that L0C cannot hold are formed in pieces of their columns") {
    const auto hardware = test::hardware(
        "ascend-910b", {{"buffers.l0c.size", "80KiB"}, {"buffers.ub.size", "96KiB"}});
    for (const DType dtype : kFormats) {
        const FlashAttentionShape shape{{400, 20}, 1, 1, 64, 256, dtype, 0.125};
        CHECK(FlashAttention(hardware, shape).tiling().values < shape.value_size);
        CHECK(FlashAttention(hardware, shape).tiling().block() < shape.lengths.front());
        check_prefill(hardware, shape);
    }
}

TEST_CASE("attention: scores of 40 and more neither overflow nor drown the rest") {
    // Of +-40 and beyond, in rows with one key as in rows with many.
    constexpr double kScale = 1.5;
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFormats) {
            check_prefill(hardware, {{150}, 1, 1, 128, 128, dtype, kScale}, 2);
            check_decode(hardware, {{150}, 3, 2, 1, 128, 128, dtype, kScale}, 2);
        }
    }
}

TEST_CASE("decode attention: odd caches, one or three tokens, every group size and format") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFormats) {
            for (const std::int64_t group : {1, 2, 4, 8}) {
                check_decode(hardware, {{1, 300, 77}, 1, 2 * group, 2, 128, 128, dtype, 0.088});
                check_decode(hardware, {{3, 300, 77}, 3, group, 1, 128, 128, dtype, 0.088});
            }
            check_decode(hardware, {{40, 3}, 3, 8, 1, 256, 256, dtype, 0.0625});
        }
    }
}

TEST_CASE("decode attention: parts of a cache are combined to the whole, new tokens included") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : kFormats) {
            // The last part of 65 keys holds one: all of it is masked for two tokens of three.
            DecodeAttentionShape shape{{3, 65, 47}, 3, 7, 1, 128, 128, dtype, 0.088};
            shape.parts = 4;
            CHECK(DecodeAttention(hardware, shape).is_split());
            check_decode(hardware, shape);
        }
    }
}

TEST_CASE("decode attention: multi-head latent attention, absorbed: one key of 576 for all heads") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const std::int64_t tokens : {1, 3}) {
            DecodeAttentionShape shape{{3, 150}, tokens, 32, 1, 576, 512, DType::Fp16, 0.072};
            shape.value_in_key = true;
            check_decode(hardware, shape);
            shape.parts = 2;
            check_decode(hardware, shape);
        }
    }
}

namespace {

struct Shares {
    double cube;    ///< of its peak
    double hbm;     ///< of its rate, by what must be moved
    double balance; ///< first core to finish by last
};

Shares shares(const config::HardwareConfig& hardware, const kernels::Operator& op) {
    const auto statistics = app::time_operator(hardware, op);
    const auto cycles = static_cast<double>(statistics.total.count());
    const config::CubeFormat& format = hardware.cube_format(DType::Fp16);
    const double peak = 2.0 * static_cast<double>(format.m * format.k * format.n) /
                        static_cast<double>(format.cycles_per_block) *
                        static_cast<double>(hardware.ai_cores);
    double first = cycles;
    for (const auto& core : statistics.cores) {
        first = std::min(first, static_cast<double>(core.finish.count()));
    }
    return {op.flops() / cycles / peak,
            static_cast<double>(op.compulsory_bytes()) / hardware.gm.hbm_fill_bytes_per_cycle /
                cycles,
            first / cycles};
}

} // namespace

TEST_CASE("flash attention: results on their way bound it on a split chip, the vector unit on a "
          "fused one; cores end together") {
    for (const auto& [machine, tokens, heads, least] :
         {std::tuple("ascend-910b", 2048, 24, 0.25), std::tuple("fused-local", 1024, 2, 0.28)}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const FlashAttention op(hardware, {{tokens}, heads, 2, 128, 128, DType::Fp16, 0.088});
        const Shares share = shares(hardware, op);
        CAPTURE(machine);
        CHECK(share.cube < 1);
        CHECK(share.cube > least);
        CHECK(share.balance > 0.9);
    }
}

TEST_CASE("decode attention: a large batch reads its caches at nearly the rate of HBM") {
    for (const auto& [machine, sequences, least] :
         {std::tuple("ascend-910b", 48, 0.9), std::tuple("fused-local", 2, 0.7)}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const std::vector<std::int64_t> cached(static_cast<std::size_t>(sequences), 1024);
        const DecodeAttention op(hardware, {cached, 1, 16, 2, 256, 256, DType::Fp16, 0.0625});
        const Shares share = shares(hardware, op);
        CAPTURE(machine);
        CHECK(share.hbm < 1);
        CHECK(share.hbm > least);
    }
}

TEST_CASE("decode attention: few long caches are split, and that is faster") {
    const auto hardware = test::hardware("ascend-910b", {{"launch_cycles", "0"}});
    DecodeAttentionShape shape{{4096}, 1, 16, 2, 256, 256, DType::Fp16, 0.0625};
    const auto cycles = [&](const kernels::Operator& op) {
        return app::time_operator(hardware, op).total.count();
    };
    CHECK(DecodeAttention(hardware, shape).is_split());
    const auto split = cycles(DecodeAttention(hardware, shape));
    const auto combine = cycles(DecodeCombine(hardware, shape));
    shape.parts = 1;
    CHECK(2 * (split + combine) < cycles(DecodeAttention(hardware, shape)));
}

TEST_CASE("attention: shapes that make no sense are refused") {
    const auto hardware = test::hardware("fused-local");
    CHECK_THROWS_AS(FlashAttention(hardware, {{}, 1, 1}), ConfigError);
    CHECK_THROWS_AS(FlashAttention(hardware, {{4, 0}, 1, 1}), ConfigError);
    CHECK_THROWS_AS(FlashAttention(hardware, {{4}, 3, 2}), ConfigError);
    CHECK_THROWS_AS(DecodeAttention(hardware, {{2}, 3, 1, 1}), ConfigError);
    CHECK_THROWS_AS(DecodeAttention(hardware, {{2}, 1, 3, 2}), ConfigError);
    CHECK_THROWS_AS(FlashAttention(hardware, {{4}, 1, 1, 65536, 128}), ConfigError);
}
