// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/chunk_outputs.h"
#include "kernels/delta_rule/chunk_states.h"
#include "kernels/delta_rule/cumulative_gate.h"
#include "kernels/delta_rule/key_products.h"
#include "kernels/delta_rule/recurrent_step.h"
#include "kernels/delta_rule/wy_products.h"
#include "kernels/inverse/npy.h"
#include "sim/base/error.h"
#include "tests/support/delta_rule.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <tuple>

using namespace npusim;
using kernels::Chunk;
using kernels::DeltaShape;
using test::Values;

namespace {

/// Part of a row-major matrix: element (i, j) is at `first + i * stride + j`.
struct View {
    const Values& values;
    std::int64_t first = 0;
    std::int64_t stride = 0;
    double operator()(std::int64_t i, std::int64_t j) const {
        return values[static_cast<std::size_t>(first + i * stride + j)];
    }
};

/// A value head of a chunk, in double precision from what the stages before have stored.
struct HeadOfChunk {
    const DeltaShape& shape;
    Chunk chunk;
    std::int64_t index = 0; ///< of the chunk
    std::int64_t head = 0;

    [[nodiscard]] View keys(const Values& k) const { // or queries
        const std::int64_t key_head = head * shape.key_heads / shape.value_heads;
        const std::int64_t stride = shape.key_heads * shape.key_size;
        return {k, chunk.first * stride + key_head * shape.key_size, stride};
    }
    [[nodiscard]] View by_head(const Values& v, std::int64_t size) const {
        const std::int64_t stride = shape.value_heads * size;
        return {v, chunk.first * stride + head * size, stride};
    }
    [[nodiscard]] View square(const Values& a) const {
        const std::int64_t n = shape.chunk;
        return {a, (index * shape.value_heads + head) * n * n, n};
    }
    [[nodiscard]] View state(const Values& states) const {
        return {states,
                (index * shape.value_heads + head) * shape.key_size * shape.value_size,
                shape.value_size};
    }
};

template <class F> void for_each_head(const DeltaShape& shape, F apply) {
    std::int64_t index = 0;
    for (const Chunk& chunk : kernels::chunks_of(shape)) {
        for (std::int64_t head = 0; head < shape.value_heads; ++head) {
            apply(HeadOfChunk{shape, chunk, index, head});
        }
        ++index;
    }
}

/// Places value (i, j) of a head by token.
void put(Values& to,
         const HeadOfChunk& at,
         std::int64_t size,
         std::int64_t i,
         std::int64_t j,
         double value) {
    to[static_cast<std::size_t>(((at.chunk.first + i) * at.shape.value_heads + at.head) * size +
                                j)] = value;
}

/// G of row i and key channel d of a head.
struct Gates {
    const HeadOfChunk& at;
    const Values& G;
    double operator()(std::int64_t i, std::int64_t d) const {
        return at.shape.per_channel ? at.by_head(G, at.shape.key_size)(i, d)
                                    : at.by_head(G, 1)(i, 0);
    }
};

/// sum_d a_id b_jd exp(G_id - G_jd)
double
decayed_dot(const View& a, std::int64_t i, const View& b, std::int64_t j, const Gates& gate) {
    double sum = 0;
    for (std::int64_t d = 0; d < gate.at.shape.key_size; ++d) {
        sum += a(i, d) * b(j, d) * std::exp(gate(i, d) - gate(j, d));
    }
    return sum;
}

Values key_products(const DeltaShape& shape, const Values& k, const Values& beta, const Values& G) {
    Values a;
    for_each_head(shape, [&](const HeadOfChunk& at) {
        const View key = at.keys(k);
        const View b = at.by_head(beta, 1);
        const Gates gate{at, G};
        for (std::int64_t i = 0; i < shape.chunk; ++i) {
            for (std::int64_t j = 0; j < shape.chunk; ++j) {
                a.push_back(i > j && i < at.chunk.tokens
                                ? -b(i, 0) * decayed_dot(key, i, key, j, gate)
                                : 0.0);
            }
        }
    });
    return a;
}

/// (I - A)^-1 by forward substitution.
Values inverses(const DeltaShape& shape, const Values& a) {
    const std::int64_t n = shape.chunk;
    Values t(a.size(), 0.0);
    for (std::size_t first = 0; first < a.size(); first += static_cast<std::size_t>(n * n)) {
        for (std::int64_t i = 0; i < n; ++i) {
            double* row = t.data() + first + i * n;
            row[i] = 1;
            for (std::int64_t p = 0; p < i; ++p) {
                const double factor = a[first + static_cast<std::size_t>(i * n + p)];
                for (std::int64_t j = 0; j <= p; ++j) {
                    row[j] += factor * t[first + static_cast<std::size_t>(p * n + j)];
                }
            }
        }
    }
    return t;
}

/// T (factor x), x by token: `decayed` with exp(G) in the factor, and `x` of key heads.
Values wy(const DeltaShape& shape,
          const Values& t,
          const Values& x,
          const Values& beta,
          const Values& G,
          bool decayed) {
    const std::int64_t size = decayed ? shape.key_size : shape.value_size;
    Values result(static_cast<std::size_t>(kernels::tokens_of(shape) * shape.value_heads * size));
    for_each_head(shape, [&](const HeadOfChunk& at) {
        const View inverse = at.square(t);
        const View rows = decayed ? at.keys(x) : at.by_head(x, size);
        for (std::int64_t i = 0; i < at.chunk.tokens; ++i) {
            for (std::int64_t j = 0; j < size; ++j) {
                double sum = 0;
                for (std::int64_t p = 0; p <= i; ++p) {
                    sum += inverse(i, p) * at.by_head(beta, 1)(p, 0) * rows(p, j) *
                           (decayed ? std::exp(Gates{at, G}(p, j)) : 1.0);
                }
                put(result, at, size, i, j, sum);
            }
        }
    });
    return result;
}

struct States {
    Values v_new;
    Values states;
    Values last;
};

States scan(const DeltaShape& shape,
            const Values& w,
            const Values& u,
            const Values& k,
            const Values& G,
            const Values& state) {
    const std::int64_t depth = shape.key_size;
    const std::int64_t width = shape.value_size;
    States result{Values(u.size()), {}, state};
    for_each_head(shape, [&](const HeadOfChunk& at) {
        double* s =
            result.last.data() + (at.chunk.sequence * shape.value_heads + at.head) * depth * width;
        result.states.insert(result.states.end(), s, s + depth * width);
        const Gates gate{at, G};
        const std::int64_t n = at.chunk.tokens;
        const Values old(s, s + depth * width);
        for (std::int64_t e = 0; e < depth * width; ++e) {
            s[e] *= std::exp(gate(n - 1, e / width));
        }
        for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = 0; j < width; ++j) {
                double value = at.by_head(u, width)(i, j);
                for (std::int64_t d = 0; d < depth; ++d) {
                    value -=
                        at.by_head(w, depth)(i, d) * old[static_cast<std::size_t>(d * width + j)];
                }
                put(result.v_new, at, width, i, j, value);
                for (std::int64_t d = 0; d < depth; ++d) {
                    s[d * width + j] +=
                        at.keys(k)(i, d) * std::exp(gate(n - 1, d) - gate(i, d)) * value;
                }
            }
        }
    });
    return result;
}

Values outputs(const DeltaShape& shape,
               const Values& q,
               const Values& k,
               const Values& v_new,
               const Values& G,
               const Values& states) {
    Values o(v_new.size());
    for_each_head(shape, [&](const HeadOfChunk& at) {
        const Gates gate{at, G};
        for (std::int64_t i = 0; i < at.chunk.tokens; ++i) {
            Values scores;
            for (std::int64_t j = 0; j <= i; ++j) {
                scores.push_back(decayed_dot(at.keys(q), i, at.keys(k), j, gate));
            }
            for (std::int64_t c = 0; c < shape.value_size; ++c) {
                double sum = 0;
                for (std::int64_t d = 0; d < shape.key_size; ++d) {
                    sum += std::exp(gate(i, d)) * at.keys(q)(i, d) * at.state(states)(d, c);
                }
                for (std::int64_t j = 0; j <= i; ++j) {
                    sum += scores[static_cast<std::size_t>(j)] *
                           at.by_head(v_new, shape.value_size)(j, c);
                }
                put(o,
                    at,
                    shape.value_size,
                    i,
                    c,
                    sum / std::sqrt(static_cast<double>(shape.key_size)));
            }
        }
    });
    return o;
}

/// Runs the five stages, each on what those before have stored, and compares each with double
/// precision, then the whole with the rule token by token. `rounding`: of a stored number.
void check_chain(const config::HardwareConfig& hardware,
                 const DeltaShape& shape,
                 test::DeltaInput input,
                 double rounding) {
    const auto initial = test::uniform(std::ssize(shape.lengths) * shape.value_heads *
                                           shape.key_size * shape.value_size,
                                       -0.3,
                                       0.3,
                                       6);
    const kernels::CumulativeGate gate(hardware, shape);
    const kernels::KeyProducts products(hardware, shape);
    const kernels::WyProducts wy_products(hardware, shape);
    const kernels::ChunkStates states(hardware, shape);
    const kernels::ChunkOutputs chunk_outputs(hardware, shape);
    input.g = test::stored(gate, "g", input.g);
    input.beta = test::stored(products, "beta", input.beta);
    input.k = test::stored(products, "k", input.k);
    input.q = test::stored(chunk_outputs, "q", input.q);
    input.v = test::stored(wy_products, "v", input.v);
    const auto state = test::stored(states, "state", initial);

    const auto G = test::run(hardware, gate, {{"g", input.g}}).tensors.at("G");
    const std::int64_t of_head = shape.per_channel ? shape.key_size : 1;
    Values sums(G.size());
    for_each_head(shape, [&](const HeadOfChunk& at) {
        for (std::int64_t d = 0; d < of_head; ++d) {
            double sum = 0;
            for (std::int64_t i = 0; i < at.chunk.tokens; ++i) {
                sum += at.by_head(input.g, of_head)(i, d);
                put(sums, at, of_head, i, d, sum);
            }
        }
    });
    CHECK(test::distance(G, sums) < 1e-6);

    const auto a = test::run(hardware, products, {{"k", input.k}, {"beta", input.beta}, {"G", G}})
                       .tensors.at("A");
    CHECK(test::distance(a, key_products(shape, input.k, input.beta, G)) < rounding);

    const auto t = test::stored(wy_products, "T", inverses(shape, a));
    const auto uw =
        test::run(hardware,
                  wy_products,
                  {{"T", t}, {"k", input.k}, {"v", input.v}, {"beta", input.beta}, {"G", G}});
    const auto& u = uw.tensors.at("u");
    const auto& w = uw.tensors.at("w");
    CHECK(test::distance(u, wy(shape, t, input.v, input.beta, G, false)) < 2 * rounding);
    CHECK(test::distance(w, wy(shape, t, input.k, input.beta, G, true)) < 2 * rounding);

    const auto scanned = test::run(
        hardware, states, {{"w", w}, {"u", u}, {"k", input.k}, {"G", G}, {"state", state}});
    const auto expected = scan(shape, w, u, input.k, G, state);
    CHECK(test::distance(scanned.tensors.at("v_new"), expected.v_new) < 2 * rounding);
    CHECK(test::distance(scanned.tensors.at("states"), expected.states) < 2 * rounding);
    CHECK(test::distance(scanned.tensors.at("state"), expected.last) < 2 * rounding);

    const auto o = test::run(hardware,
                             chunk_outputs,
                             {{"q", input.q},
                              {"k", input.k},
                              {"v_new", scanned.tensors.at("v_new")},
                              {"G", G},
                              {"states", scanned.tensors.at("states")}})
                       .tensors.at("o");
    CHECK(test::distance(o,
                         outputs(shape,
                                 input.q,
                                 input.k,
                                 scanned.tensors.at("v_new"),
                                 G,
                                 scanned.tensors.at("states"))) < 2 * rounding);

    const auto exact = test::recurrent(shape, input, state);
    CHECK(test::distance(o, exact.o) < 6 * rounding);
    CHECK(test::distance(scanned.tensors.at("state"), exact.state) < 6 * rounding);
}

/// Bounds of a relative error: a few units in the last place.
double rounding_of(DType dtype) {
    switch (dtype) {
    case DType::Fp32:
        return 1e-6;
    case DType::Fp16:
        return 0x1p-11;
    default:
        return 0x1p-8;
    }
}

} // namespace

TEST_CASE("delta rule: every stage and the chain are the recurrence, whatever the format") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
            const DeltaShape shape{{1, 70, 130}, 1, 3, 32, 48, 64, dtype};
            CAPTURE(machine, to_string(dtype));
            check_chain(hardware, shape, test::made_up(shape), rounding_of(dtype));
        }
    }
}

TEST_CASE("delta rule: heads of 128 and chunks from 32 to 128") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const auto& [chunk, dtype] : {std::pair<std::int64_t, DType>{32, DType::Bf16},
                                           {64, DType::Fp16},
                                           {128, DType::Fp16},
                                           {128, DType::Fp32}}) {
            const DeltaShape shape{{1, 140}, 1, 2, 128, 128, chunk, dtype};
            CAPTURE(machine, chunk, to_string(dtype));
            if (machine == "fused-local" && chunk == 128 && dtype == DType::Fp32) {
                // 64 KiB of state and its working tiles are more than UB has.
                CHECK_THROWS_AS(kernels::ChunkStates(hardware, shape), ConfigError);
                continue;
            }
            check_chain(hardware, shape, test::made_up(shape), rounding_of(dtype));
        }
    }
}

TEST_CASE("delta rule: decay by channel") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const auto& [chunk, size, dtype] :
             {std::tuple<std::int64_t, std::int64_t, DType>{32, 48, DType::Bf16},
              {64, 128, DType::Fp16},
              {64, 64, DType::Fp32}}) {
            const DeltaShape shape{{1, 70, 17}, 1, 2, size, 128, chunk, dtype, true};
            CAPTURE(machine, chunk, to_string(dtype));
            auto input = test::made_up(shape);
            // A channel that forgets at once, beside some that do not: 15 tokens of it are e^-75.
            for (std::size_t i = 0; i < input.g.size(); i += 16) {
                input.g[i] = i % 32 == 0 ? -5 : 0;
            }
            check_chain(hardware, shape, input, rounding_of(dtype));
        }
    }
}

TEST_CASE("delta rule: a step of one or more tokens is the recurrence") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const auto& [shape, dtype] :
             {std::pair<kernels::RecurrentShape, DType>{{3, 1, 1, 3}, DType::Fp16},
              {{2, 4, 2, 4}, DType::Bf16},
              {{2, 3, 1, 2, 128, 128, DType::Fp16, true}, DType::Fp16},
              {{1, 1, 1, 2, 32, 80, DType::Fp16, true}, DType::Bf16},
              {{1, 17, 1, 18, 32, 48}, DType::Fp32},
              {{70, 2, 2, 2, 48, 16}, DType::Fp16}}) {
            CAPTURE(machine, shape.sequences, shape.tokens, to_string(dtype));
            kernels::RecurrentShape typed = shape;
            typed.dtype = dtype;
            const kernels::RecurrentStep step(hardware, typed);
            auto input = test::made_up(step.shape());
            input.g = test::stored(step, "g", input.g);
            input.beta = test::stored(step, "beta", input.beta);
            input.k = test::stored(step, "k", input.k);
            input.q = test::stored(step, "q", input.q);
            input.v = test::stored(step, "v", input.v);
            const isa::Tile& tile = step.tensor("state");
            const auto state =
                test::stored(step, "state", test::uniform(tile.rows * tile.cols, -0.3, 0.3, 6));
            const auto outcome = test::run(hardware,
                                           step,
                                           {{"q", input.q},
                                            {"k", input.k},
                                            {"v", input.v},
                                            {"beta", input.beta},
                                            {"g", input.g},
                                            {"state", state}});
            const auto exact = test::recurrent(step.shape(), input, state);
            CHECK(test::distance(outcome.tensors.at("o"), exact.o) < rounding_of(dtype));
            CHECK(test::distance(outcome.tensors.at("state"), exact.state) < 1e-6);
        }
    }
}

namespace {

/// The first `heads` rows [T, size] of an array [all heads, T, size], as [tokens, heads * size].
Values by_token(const std::string& name, std::int64_t heads, std::int64_t tokens) {
    const auto array =
        inverse::read_npy(NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4/" + name + ".npy");
    const std::int64_t all = array.shape.at(1);
    const std::int64_t size = array.shape.size() > 2 ? array.shape.at(2) : 1;
    Values values;
    for (std::int64_t token = 0; token < tokens; ++token) {
        for (std::int64_t head = 0; head < heads; ++head) {
            const auto row = array.values.begin() + (head * all + token) * size;
            values.insert(values.end(), row, row + size);
        }
    }
    return values;
}

/// Share of the cube's peak.
template <class Op> double share(const config::HardwareConfig& hardware, const DeltaShape& shape) {
    const Op op(hardware, shape);
    const auto cycles = static_cast<double>(app::time_operator(hardware, op).total.count());
    const config::CubeFormat& format = hardware.cube_format(shape.dtype);
    const double peak = 2.0 * static_cast<double>(format.m * format.k * format.n) /
                        static_cast<double>(format.cycles_per_block) *
                        static_cast<double>(hardware.ai_cores);
    CHECK(static_cast<double>(op.compulsory_bytes()) / cycles <
          hardware.gm.l2_read_bytes_per_cycle + hardware.gm.l2_write_bytes_per_cycle);
    return op.flops() / cycles / peak;
}

} // namespace

TEST_CASE("delta rule: the trained layer, with queries and values made up") {
    const std::int64_t tokens = 200;
    const DeltaShape shape{{tokens}, 2, 4};
    auto input = test::made_up(shape);
    input.k = by_token("k", shape.key_heads, tokens);
    input.beta = by_token("beta", shape.value_heads, tokens);
    input.g = by_token("g", shape.value_heads, tokens);
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        CAPTURE(machine);
        check_chain(test::hardware(machine), shape, input, rounding_of(shape.dtype));
    }
}

TEST_CASE("delta rule: no stage is faster than its products, or slower than seen") {
    struct Floors {
        std::string machine;
        std::int64_t tokens;
        double products, wy, states, outputs;
    };
    // Results leave the 910B's cube at 41 bytes a cycle, which is what holds the second; the third
    // is a chain.
    for (const auto& [machine, tokens, products, wy, states, outputs] :
         {Floors{"ascend-910b", 768, 0.15, 0.1, 0.06, 0.13},
          Floors{"fused-local", 128, 0.15, 0.2, 0.14, 0.2}}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const DeltaShape shape{{tokens}, 16, 48};
        CAPTURE(machine);
        const auto check = [](double value, double floor) {
            CHECK(value < 1);
            CHECK(value > floor);
        };
        check(share<kernels::KeyProducts>(hardware, shape), products);
        check(share<kernels::WyProducts>(hardware, shape), wy);
        check(share<kernels::ChunkStates>(hardware, shape), states);
        check(share<kernels::ChunkOutputs>(hardware, shape), outputs);
    }
}

TEST_CASE("delta rule: decoding a large batch goes at the rate of memory") {
    const auto hardware = test::hardware("ascend-910b", {{"launch_cycles", "0"}});
    const kernels::RecurrentStep step(hardware, {48, 1, 16, 32});
    const auto cycles = static_cast<double>(app::time_operator(hardware, step).total.count());
    const auto& state = step.tensor("state");
    // What is written stays in L2.
    const double rate = static_cast<double>(state.bytes()) / cycles;
    CHECK(rate < hardware.gm.hbm_fill_bytes_per_cycle);
    CHECK(rate > 0.85 * hardware.gm.hbm_fill_bytes_per_cycle);
}

TEST_CASE("delta rule: shapes that cannot be worked on are refused") {
    const auto hardware = test::hardware("fused-local");
    CHECK_THROWS_AS(kernels::CumulativeGate(hardware, {{5}, 2, 3}), ConfigError);
    CHECK_THROWS_AS(kernels::KeyProducts(hardware, {{5}, 1, 1, 120}), ConfigError);
    CHECK_THROWS_AS(kernels::KeyProducts(hardware, {{5}, 1, 1, 128, 128, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::ChunkStates(hardware, {{5, 0}, 1, 1}), ConfigError);
}
