// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"
#include "kernels/measured/gdn/tile_lang.h"
#include "kernels/measured/linear_attention/linear_attention.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

using namespace npusim;
using namespace npusim::kernels::gdn;
using test::Values;

namespace {

/// Inputs and intermediates are rounded to fp16.
constexpr double kTolerance = 4e-3;

/// More heads than key heads, a core with two sequences and one with a second chunk.
GdnShape tiny() {
    GdnShape shape;
    shape.batch = 2;
    shape.heads = 2;
    shape.key_heads = 1;
    shape.tokens = 96;
    shape.size = 32;
    shape.chunk = 32;
    return shape;
}

config::HardwareConfig three_cores() {
    return test::hardware("ascend-910b", {{"ai_cores", "3"}});
}

/// The places of a shape, one after the other.
template <class F> void every_chunk(const GdnShape& n, F visit) {
    for (std::int64_t sequence = 0; sequence < n.batch; ++sequence) {
        for (std::int64_t head = 0; head < n.heads; ++head) {
            for (std::int64_t chunk = 0; chunk < n.chunks(); ++chunk) {
                visit(sequence * n.tokens + chunk * n.chunk, head, chunk, sequence);
            }
        }
    }
}

/// A matrix of a tensor.
struct View {
    const Values* values;
    std::int64_t cols;
    std::int64_t row0 = 0;
    std::int64_t col0 = 0;
    [[nodiscard]] double operator()(std::int64_t row, std::int64_t col) const {
        return (*values)[static_cast<std::size_t>((row0 + row) * cols + col0 + col)];
    }
};

void put(Values& values, std::int64_t at, double value) {
    values[static_cast<std::size_t>(at)] = value;
}

std::size_t count(std::int64_t rows, std::int64_t cols) {
    return static_cast<std::size_t>(rows * cols);
}

Values causal_mask(std::int64_t chunk, bool diagonal) {
    Values mask(count(chunk, chunk), 0.0);
    for (std::int64_t i = 0; i < chunk; ++i) {
        for (std::int64_t j = 0; j < i + (diagonal ? 1 : 0); ++j) {
            put(mask, i * chunk + j, 1);
        }
    }
    return mask;
}

/// Gates that fall within a chunk, [heads, tokens].
Values falling_gates(const GdnShape& n) {
    Values g(count(n.heads, n.total()));
    for (std::int64_t i = 0; i < std::ssize(g); ++i) {
        put(g, i, -0.05 * static_cast<double>(i % n.chunk) - 0.01 * static_cast<double>(i % 7));
    }
    return g;
}

double dot(const View& a, std::int64_t i, const View& b, std::int64_t j, std::int64_t n) {
    double sum = 0;
    for (std::int64_t c = 0; c < n; ++c) {
        sum += a(i, c) * b(j, c);
    }
    return sum;
}

} // namespace

TEST_CASE("cumsum sums the gates of each chunk") {
    const GdnShape n = tiny();
    const config::HardwareConfig hardware = three_cores();
    const GdnCumsum op(hardware, n);
    const Values g = test::uniform(n.total() * n.heads, -1, 0);
    Values expected(g.size());
    for (std::int64_t token = 0; token < n.total(); ++token) {
        for (std::int64_t head = 0; head < n.heads; ++head) {
            const double before =
                token % n.chunk == 0
                    ? 0
                    : expected[static_cast<std::size_t>((token - 1) * n.heads + head)];
            put(expected,
                token * n.heads + head,
                before + g[static_cast<std::size_t>(token * n.heads + head)]);
        }
    }
    const test::Outcome outcome = test::run(hardware, op, {{"g", g}});
    CHECK(test::distance(outcome.tensors.at("g_sum"), expected) < 1e-6);
}

TEST_CASE("kkt gates and masks the products of keys") {
    const GdnShape n = tiny();
    const config::HardwareConfig hardware = three_cores();
    const GdnKkt op(hardware, n);
    const Values k = test::stored(op, "k", test::uniform(n.total() * n.size, -0.3, 0.3));
    const Values beta = test::stored(op, "beta", test::uniform(n.heads * n.total(), 0.3, 0.9, 2));
    const Values g = falling_gates(n);
    const Values mask = causal_mask(n.chunk, false);
    Values expected(count(n.total(), n.heads * n.chunk), 0.0);
    every_chunk(n, [&](std::int64_t token, std::int64_t head, std::int64_t, std::int64_t) {
        const View keys{&k, n.size, token};
        const auto gate = [&](const Values& of, std::int64_t i) {
            return of[static_cast<std::size_t>(head * n.total() + token + i)];
        };
        for (std::int64_t i = 0; i < n.chunk; ++i) {
            for (std::int64_t j = 0; j < i; ++j) {
                const double exponent = gate(g, i) + std::log(gate(beta, i)) - gate(g, j);
                put(expected,
                    (token + i) * n.heads * n.chunk + head * n.chunk + j,
                    dot(keys, i, keys, j, n.size) * std::exp(std::min(exponent, 0.0)));
            }
        }
    });
    const test::Outcome outcome =
        test::run(hardware, op, {{"k", k}, {"beta", beta}, {"g", g}, {"mask", mask}});
    CHECK(test::distance(outcome.tensors.at("a"), expected) < kTolerance);
}

TEST_CASE("wy multiplies the scaled inverse with values and keys") {
    const GdnShape n = tiny();
    const config::HardwareConfig hardware = three_cores();
    const GdnWy op(hardware, n);
    const Values k = test::stored(op, "k", test::uniform(n.total() * n.size, -0.3, 0.3));
    const Values v = test::stored(op, "v", test::uniform(n.total() * n.heads * n.size, -1, 1, 2));
    const Values a = test::stored(op, "a", test::uniform(n.total() * n.heads * n.chunk, -1, 1, 3));
    const Values beta = test::stored(op, "beta", test::uniform(n.heads * n.total(), 0.3, 0.9, 4));
    const Values g = falling_gates(n);
    Values u(v.size(), 0.0);
    Values w(v.size(), 0.0);
    every_chunk(n, [&](std::int64_t token, std::int64_t head, std::int64_t, std::int64_t) {
        const View left{&a, n.heads * n.chunk, token, head * n.chunk};
        const View keys{&k, n.size, token};
        const View values{&v, n.heads * n.size, token, head * n.size};
        for (std::int64_t i = 0; i < n.chunk; ++i) {
            for (std::int64_t c = 0; c < n.size; ++c) {
                double of_u = 0;
                double of_w = 0;
                for (std::int64_t j = 0; j < n.chunk; ++j) {
                    const auto at = static_cast<std::size_t>(head * n.total() + token + j);
                    const double scaled = left(i, j) * beta[at];
                    of_u += scaled * values(j, c);
                    of_w += scaled * std::exp(g[at]) * keys(j, c);
                }
                const std::int64_t at = (token + i) * n.heads * n.size + head * n.size + c;
                put(u, at, of_u);
                put(w, at, of_w);
            }
        }
    });
    const test::Outcome outcome =
        test::run(hardware, op, {{"k", k}, {"v", v}, {"a", a}, {"beta", beta}, {"g", g}});
    CHECK(test::distance(outcome.tensors.at("u"), u) < kTolerance);
    CHECK(test::distance(outcome.tensors.at("w"), w) < kTolerance);
}

TEST_CASE("states carry the recurrence from chunk to chunk") {
    const GdnShape n = tiny();
    const config::HardwareConfig hardware = three_cores();
    const GdnStates op(hardware, n);
    const std::int64_t row = n.heads * n.size;
    const Values k = test::stored(op, "k", test::uniform(n.total() * n.size, -0.3, 0.3));
    const Values w = test::stored(op, "w", test::uniform(n.total() * row, -0.3, 0.3, 2));
    const Values u = test::stored(op, "u", test::uniform(n.total() * row, -1, 1, 3));
    const Values g = falling_gates(n);
    Values v(u.size(), 0.0);
    Values states(count(n.batch * n.chunks() * n.heads * n.size, n.size), 0.0);
    Values state;
    every_chunk(n, [&](std::int64_t token, std::int64_t head, std::int64_t chunk, std::int64_t s) {
        if (chunk == 0) {
            state.assign(count(n.size, n.size), 0.0);
        }
        std::copy(state.begin(),
                  state.end(),
                  states.begin() + ((s * n.chunks() + chunk) * n.heads + head) * n.size * n.size);
        const View keys{&k, n.size, token};
        const View left{&w, row, token, head * n.size};
        const auto gate = [&](std::int64_t i) {
            return g[static_cast<std::size_t>(head * n.total() + token + i)];
        };
        Values next(state.size());
        for (std::size_t i = 0; i < next.size(); ++i) {
            next[i] = state[i] * std::exp(gate(n.chunk - 1));
        }
        for (std::int64_t i = 0; i < n.chunk; ++i) {
            for (std::int64_t c = 0; c < n.size; ++c) {
                double residual = View{&u, row, token, head * n.size}(i, c);
                for (std::int64_t d = 0; d < n.size; ++d) {
                    residual -= left(i, d) * View{&state, n.size}(d, c);
                }
                put(v, (token + i) * row + head * n.size + c, residual);
                for (std::int64_t d = 0; d < n.size; ++d) {
                    next[static_cast<std::size_t>(d * n.size + c)] +=
                        keys(i, d) * std::exp(gate(n.chunk - 1) - gate(i)) * residual;
                }
            }
        }
        state = next;
    });
    const test::Outcome outcome = test::run(hardware, op, {{"k", k}, {"w", w}, {"u", u}, {"g", g}});
    CHECK(test::distance(outcome.tensors.at("v"), v) < kTolerance);
    CHECK(test::distance(outcome.tensors.at("states"), states) < kTolerance);
}

TEST_CASE("outputs add the chunk's own attention to the state's part") {
    const GdnShape n = tiny();
    const config::HardwareConfig hardware = three_cores();
    const GdnOutputs op(hardware, n);
    const std::int64_t row = n.heads * n.size;
    const Values q = test::stored(op, "q", test::uniform(n.total() * n.size, -0.3, 0.3));
    const Values k = test::stored(op, "k", test::uniform(n.total() * n.size, -0.3, 0.3, 2));
    const Values v = test::stored(op, "v", test::uniform(n.total() * row, -1, 1, 3));
    const Values states = test::stored(
        op, "states", test::uniform(n.batch * n.chunks() * n.heads * n.size * n.size, -1, 1, 4));
    const Values g = falling_gates(n);
    Values expected(v.size(), 0.0);
    every_chunk(n, [&](std::int64_t token, std::int64_t head, std::int64_t chunk, std::int64_t s) {
        const View queries{&q, n.size, token};
        const View keys{&k, n.size, token};
        const View values{&v, row, token, head * n.size};
        const View state{&states, n.size, ((s * n.chunks() + chunk) * n.heads + head) * n.size};
        const auto gate = [&](std::int64_t i) {
            return g[static_cast<std::size_t>(head * n.total() + token + i)];
        };
        for (std::int64_t i = 0; i < n.chunk; ++i) {
            for (std::int64_t c = 0; c < n.size; ++c) {
                double sum = 0;
                for (std::int64_t d = 0; d < n.size; ++d) {
                    sum += std::exp(gate(i)) * queries(i, d) * state(d, c);
                }
                for (std::int64_t j = 0; j <= i; ++j) {
                    sum += dot(queries, i, keys, j, n.size) *
                           std::exp(std::min(gate(i) - gate(j), 0.0)) * values(j, c);
                }
                put(expected, (token + i) * row + head * n.size + c, sum);
            }
        }
    });
    const test::Outcome outcome = test::run(hardware,
                                            op,
                                            {{"q", q},
                                             {"k", k},
                                             {"v", v},
                                             {"states", states},
                                             {"g", g},
                                             {"mask", causal_mask(n.chunk, true)}});
    CHECK(test::distance(outcome.tensors.at("o"), expected) < kTolerance);
}

namespace {

/// A small call in which a core has two heads.
kernels::LinearAttentionShape tiny_attention() {
    kernels::LinearAttentionShape shape;
    shape.batch = 2;
    shape.heads = 2;
    shape.tokens = 384;
    return shape;
}

} // namespace

TEST_CASE("linear attention is causal within a chunk and sums the chunks before") {
    const kernels::LinearAttentionShape n = tiny_attention();
    const config::HardwareConfig hardware = three_cores();
    using States = kernels::LinearAttentionVersion::States;
    const kernels::LinearAttention op(hardware, n, {States::TwoSlots, true});
    const std::int64_t rows = n.batch * n.heads * n.tokens;
    const Values q = test::stored(op, "q", test::uniform(rows * n.size, -0.1, 0.1));
    const Values k = test::stored(op, "k", test::uniform(rows * n.size, -0.1, 0.1, 2));
    const Values v = test::stored(op, "v", test::uniform(rows * n.size, -1, 1, 3));
    Values expected(v.size(), 0.0);
    for (std::int64_t head = 0; head < n.batch * n.heads; ++head) {
        Values state(count(n.size, n.size), 0.0);
        for (std::int64_t i = head * n.tokens; i < (head + 1) * n.tokens; ++i) {
            for (std::int64_t d = 0; d < n.size; ++d) {
                for (std::int64_t c = 0; c < n.size; ++c) {
                    const auto at = static_cast<std::size_t>(d * n.size + c);
                    state[at] += View{&k, n.size}(i, d) * View{&v, n.size}(i, c);
                    expected[static_cast<std::size_t>(i * n.size + c)] +=
                        View{&q, n.size}(i, d) * state[at];
                }
            }
        }
    }
    const test::Outcome outcome = test::run(
        hardware, op, {{"q", q}, {"k", k}, {"v", v}, {"mask", causal_mask(n.chunk, true)}});
    CHECK(test::distance(outcome.tensors.at("o"), expected) < kTolerance);

    const kernels::LinearAttention one(hardware, n, {States::OneSlot, false});
    const test::Outcome slower = test::run(
        hardware, one, {{"q", q}, {"k", k}, {"v", v}, {"mask", causal_mask(n.chunk, true)}});
    CHECK(test::distance(slower.tensors.at("o"), expected) < kTolerance);
    CHECK(slower.statistics.total > outcome.statistics.total);
}

namespace {

/// Runs both on the same inputs; with one head their tensors lie alike.
void same_result(const config::HardwareConfig& hardware,
                 const kernels::Operator& persistent,
                 const kernels::Operator& per_chunk,
                 const std::map<std::string, Values>& inputs,
                 const std::string& output) {
    std::map<std::string, Values> more = inputs;
    for (const kernels::Tensor& tensor : per_chunk.tensors()) {
        if (tensor.role == kernels::Tensor::Role::Scratch) {
            more[tensor.name] = Values(count(tensor.tile.rows, tensor.tile.cols), 0.0);
        }
    }
    const test::Outcome expected = test::run(hardware, persistent, inputs);
    const test::Outcome outcome = test::run(hardware, per_chunk, more);
    CHECK(test::distance(outcome.tensors.at(output), expected.tensors.at(output)) < kTolerance);
}

} // namespace

TEST_CASE("a block per chunk computes what the persistent kernels do") {
    GdnShape n = tiny();
    n.heads = 1;
    const config::HardwareConfig hardware = three_cores();
    const std::int64_t all = n.total() * n.size;
    const std::map<std::string, Values> inputs{
        {"q", test::uniform(all, -0.3, 0.3)},
        {"k", test::uniform(all, -0.3, 0.3, 2)},
        {"v", test::uniform(all, -1, 1, 3)},
        {"w", test::uniform(all, -0.3, 0.3, 4)},
        {"u", test::uniform(all, -1, 1, 5)},
        {"a", test::uniform(n.total() * n.chunk, -1, 1, 6)},
        {"beta", test::uniform(n.total(), 0.3, 0.9, 7)},
        {"g", falling_gates(n)},
        {"mask", causal_mask(n.chunk, false)},
        {"states", test::uniform(n.batch * n.chunks() * n.size * n.size, -1, 1, 8)}};
    const auto of = [&](const std::vector<std::string>& names) {
        std::map<std::string, Values> some;
        for (const std::string& name : names) {
            some[name] = inputs.at(name);
        }
        return some;
    };
    same_result(hardware,
                GdnKkt(hardware, n),
                TileLangKkt(hardware, n),
                of({"k", "beta", "g", "mask"}),
                "a");
    same_result(hardware,
                GdnWy(hardware, n),
                TileLangWy(hardware, n),
                of({"k", "v", "a", "beta", "g"}),
                "w");
    same_result(hardware,
                GdnStates(hardware, n),
                TileLangStates(hardware, n),
                of({"k", "w", "u", "g"}),
                "v");
    same_result(hardware,
                GdnOutputs(hardware, n),
                TileLangOutputs(hardware, n),
                of({"q", "k", "v", "states", "g", "mask"}),
                "o");
}
