// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/causal_conv.h"
#include "kernels/rowwise/gated.h"
#include "kernels/rowwise/gates.h"
#include "kernels/rowwise/norms.h"
#include "kernels/rowwise/rotary.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <functional>
#include <numeric>

using namespace npusim;
using test::Values;

namespace {

using Inputs = std::map<std::string, Values>;

/// Relative Frobenius error of a result that is rounded once to `dtype`: at most half a unit in the
/// last place, whose root mean square is 0.4 of that; and of some ten roundings in fp32.
double tolerance(DType dtype) {
    switch (dtype) {
    case DType::Fp16:
        return 0x1p-12;
    case DType::Bf16:
        return 0x1p-9;
    default:
        return 2e-7;
    }
}

std::size_t at(std::int64_t index) {
    return static_cast<std::size_t>(index);
}

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}
double silu(double x) {
    return x * sigmoid(x);
}

/// `values` as the tensor `name` of `op` keeps them, from `low` to `high`.
Values random(const kernels::Operator& op,
              const std::string& name,
              double low,
              double high,
              std::uint64_t seed) {
    const isa::Tile& tile = op.tensor(name);
    return test::stored(op, name, test::uniform(tile.rows * tile.cols, low, high, seed));
}

/// On both chips and in every float format.
void everywhere(const std::function<void(const config::HardwareConfig&, DType)>& check) {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine);
        for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
            CAPTURE(machine, to_string(dtype));
            check(hardware, dtype);
        }
    }
}

/// y = x / sqrt(share * (sum of x^2 over its row) + epsilon)
Values normalised(const Values& x, std::int64_t cols, double share, double epsilon) {
    Values y = x;
    for (std::size_t row = 0; row < x.size(); row += at(cols)) {
        double sum = 0;
        for (std::size_t i = row; i < row + at(cols); ++i) {
            sum += x[i] * x[i];
        }
        for (std::size_t i = row; i < row + at(cols); ++i) {
            y[i] = x[i] / std::sqrt(share * sum + epsilon);
        }
    }
    return y;
}

void check_rms_norm(const config::HardwareConfig& hardware, const kernels::RmsNormShape& shape) {
    CAPTURE(shape.rows, shape.cols, shape.residual, shape.gated);
    const kernels::RmsNorm op(hardware, shape);
    Inputs inputs{{"x", random(op, "x", -2, 2, 1)}, {"weight", random(op, "weight", 0.5, 1.5, 2)}};
    Values sum = inputs["x"];
    if (shape.residual) {
        inputs["residual"] = random(op, "residual", -2, 2, 3);
        for (std::size_t i = 0; i < sum.size(); ++i) {
            sum[i] += inputs["residual"][i];
        }
        sum = test::stored(op, "residual", sum);
    }
    if (shape.gated) {
        inputs["gate"] = random(op, "gate", -6, 6, 4);
    }
    Values y = normalised(sum, shape.cols, 1.0 / static_cast<double>(shape.cols), shape.epsilon);
    for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] *= inputs["weight"][i % at(shape.cols)] * (shape.gated ? silu(inputs["gate"][i]) : 1);
    }
    const auto outcome = test::run(hardware, op, inputs);
    CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(shape.dtype));
    if (shape.residual) {
        CHECK(outcome.tensors.at("residual") == sum);
    }
}

/// How often each element passes an op of the vector unit, by mnemonic.
using Passes = std::map<std::string, double>;

/// What it takes at least: every compulsory byte over the chip's paths to UB and out of it, and
/// `passes` of `elements` without the fixed part of any op.
double least_cycles(const config::HardwareConfig& hardware,
                    const kernels::Operator& op,
                    double elements,
                    const Passes& passes) {
    double in = 0;
    double out = 0;
    for (const kernels::Tensor& tensor : op.tensors()) {
        const auto bytes = static_cast<double>(tensor.tile.bytes());
        in += tensor.role == kernels::Tensor::Role::Output ? 0 : bytes;
        out += tensor.role == kernels::Tensor::Role::Output ? bytes : 0;
    }
    const auto cores = static_cast<double>(kernels::vector_workers(hardware));
    const auto rate = [&](Memory from, Memory to, double chip) {
        return std::min(hardware.link(from, to)->bytes_per_cycle * cores, chip);
    };
    double slopes = 0;
    for (const auto& [name, times] : passes) {
        slopes += times * hardware.vector.ops.at(name).slope;
    }
    const auto slice = static_cast<double>(kernels::slice_floats(hardware));
    return std::max({in / rate(Memory::Gm, Memory::Ub, hardware.gm.l2_read_bytes_per_cycle),
                     out / rate(Memory::Ub, Memory::Gm, hardware.gm.l2_write_bytes_per_cycle),
                     elements / slice / cores * slopes});
}

} // namespace

TEST_CASE("rms-norm: rows of any width, plain, with residual and gated, are normalised") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        check_rms_norm(hardware, {1, 80, dtype});
        check_rms_norm(hardware, {3, 5120, dtype});
        check_rms_norm(hardware, {67, 336, dtype, true});
        check_rms_norm(hardware, {5, 2064, dtype, true});
        check_rms_norm(hardware, {203, 128, dtype, false, true});
    });
}

TEST_CASE("rms-norm: a row of 8192 fits UB, with a residual and a gate as well") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        check_rms_norm(hardware, {2, 8192, dtype, true});
    });
    check_rms_norm(test::hardware("ascend-910b"), {2, 4096, DType::Fp16, true, true});
}

TEST_CASE("rms-norm: a width that UB cannot hold is refused") {
    const auto hardware = test::hardware("fused-local");
    CHECK_THROWS_AS(kernels::RmsNorm(hardware, {1, 65536, DType::Fp32}), ConfigError);
}

TEST_CASE("l2-norm: heads of any size are scaled to one length, and zeros stay") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        for (const auto& [rows, cols] :
             {std::pair<std::int64_t, std::int64_t>{1, 128}, {333, 128}, {70, 256}, {19, 48}}) {
            CAPTURE(rows, cols);
            const kernels::L2Norm op(hardware, {rows, cols, dtype, 0.125});
            Values x = random(op, "x", -1, 1, 5);
            std::fill_n(x.begin() + (rows - 1) * cols, rows == 1 ? 0 : cols, 0.0);
            Values y = normalised(x, cols, 1, 1e-6);
            for (double& value : y) {
                value *= 0.125;
            }
            const auto outcome = test::run(hardware, op, {{"x", x}});
            CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(dtype));
        }
    });
}

TEST_CASE("swiglu: gate and up of any width, with gates that overflow an exponential") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        for (const auto& [rows, cols] :
             {std::pair<std::int64_t, std::int64_t>{1, 1040}, {37, 304}, {2, 17408}}) {
            CAPTURE(rows, cols);
            const kernels::SwiGlu op(hardware, {rows, cols, dtype});
            Values x = random(op, "x", -4, 4, 6);
            x[0] = -200;
            x[1] = 200;
            Values y(at(rows * cols));
            for (std::int64_t i = 0; i < rows * cols; ++i) {
                const std::int64_t gate = i / cols * 2 * cols + i % cols;
                y[at(i)] = silu(x[at(gate)]) * x[at(gate + cols)];
            }
            const auto outcome = test::run(hardware, op, {{"x", x}});
            CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(dtype));
        }
    });
}

TEST_CASE("sigmoid-gate: rows of any width, with gates that overflow an exponential") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        for (const auto& [rows, cols] :
             {std::pair<std::int64_t, std::int64_t>{1, 16}, {41, 400}, {3, 4096}}) {
            CAPTURE(rows, cols);
            const kernels::SigmoidGate op(hardware, {rows, cols, dtype});
            const Values x = random(op, "x", -4, 4, 7);
            Values gate = random(op, "gate", -8, 8, 8);
            gate[0] = -200;
            gate[1] = 200;
            Values y = x;
            for (std::size_t i = 0; i < y.size(); ++i) {
                y[i] *= sigmoid(gate[i]);
            }
            const auto outcome = test::run(hardware, op, {{"x", x}, {"gate", gate}});
            CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(dtype));
        }
    });
}

namespace {

/// The inputs of one sequence with its history before them.
Values with_history(const Values& state,
                    const Values& x,
                    std::int64_t sequence,
                    std::int64_t history,
                    std::int64_t begin,
                    std::int64_t length,
                    std::int64_t channels) {
    Values all(state.begin() + sequence * history * channels,
               state.begin() + (sequence + 1) * history * channels);
    all.insert(all.end(), x.begin() + begin * channels, x.begin() + (begin + length) * channels);
    return all;
}

void check_conv(const config::HardwareConfig& hardware, const kernels::CausalConvShape& shape) {
    const kernels::CausalConv op(hardware, shape);
    CAPTURE(shape.channels, shape.taps, op.tiling().tokens, op.tiling().channels);
    const std::int64_t history = shape.taps - 1;
    const std::int64_t channels = shape.channels;
    const Values x = random(op, "x", -1, 1, 9);
    const Values weight = random(op, "weight", -1, 1, 10);
    const Values state = random(op, "state", -1, 1, 11);
    Values y;
    Values newest;
    std::int64_t begin = 0;
    for (std::size_t sequence = 0; sequence < shape.lengths.size(); ++sequence) {
        const std::int64_t length = shape.lengths[sequence];
        const Values all = with_history(
            state, x, static_cast<std::int64_t>(sequence), history, begin, length, channels);
        for (std::int64_t i = 0; i < length * channels; ++i) {
            double sum = 0;
            for (std::int64_t tap = 0; tap < shape.taps; ++tap) {
                sum += weight[at(tap * channels + i % channels)] * all[at(i + tap * channels)];
            }
            y.push_back(silu(sum));
        }
        newest.insert(newest.end(), all.end() - history * channels, all.end());
        begin += length;
    }
    const auto outcome = test::run(hardware, op, {{"x", x}, {"weight", weight}, {"state", state}});
    CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(shape.dtype));
    CHECK(outcome.tensors.at("state") == newest);
}

} // namespace

TEST_CASE("causal-conv: sequences of unequal lengths go on where their state ends") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        check_conv(hardware, {{1}, 528, 4, dtype});
        check_conv(hardware, {{1, 1, 1, 1, 1}, 1040, 4, dtype});
        check_conv(hardware, {{130, 1, 0, 2, 57}, 208, 4, dtype});
        check_conv(hardware, {{90, 3}, 336, 3, dtype});
    });
}

TEST_CASE("causal-conv: tiles of tokens and of channels join without a seam") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"ai_cores", "1"}});
        const kernels::CausalConvShape shape{{30, 7}, 4096};
        const kernels::CausalConv op(hardware, shape);
        CHECK(op.tiling().tokens < 30);
        CHECK(op.tiling().channels < 4096);
        check_conv(hardware, shape);
    }
}

TEST_CASE("rotary: leading dimensions turn by the angle of their token, the others stay") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        for (const kernels::RotaryShape& shape : {kernels::RotaryShape{1, 5, 128, 128, dtype},
                                                  kernels::RotaryShape{133, 3, 64, 32, dtype},
                                                  kernels::RotaryShape{9, 16, 256, 64, dtype},
                                                  kernels::RotaryShape{7, 2, 192, 160, dtype}}) {
            CAPTURE(shape.tokens, shape.heads, shape.size, shape.rotary);
            const kernels::Rotary op(hardware, shape);
            const std::int64_t half = shape.rotary / 2;
            const Values x = random(op, "x", -1, 1, 12);
            const Values cosines = random(op, "cos", -1, 1, 13); // any factors will do
            const Values sines = random(op, "sin", -1, 1, 14);
            Values y = x;
            for (std::int64_t head = 0; head < shape.tokens * shape.heads; ++head) {
                for (std::int64_t i = 0; i < half; ++i) {
                    const std::size_t first = at(head * shape.size + i);
                    const std::size_t second = first + at(half);
                    const std::size_t angle = at(head / shape.heads * half + i);
                    y[first] = x[first] * cosines[angle] - x[second] * sines[angle];
                    y[second] = x[second] * cosines[angle] + x[first] * sines[angle];
                }
            }
            const auto outcome =
                test::run(hardware, op, {{"x", x}, {"cos", cosines}, {"sin", sines}});
            CHECK(test::distance(outcome.tensors.at("y"), y) < tolerance(dtype));
        }
    });
}

TEST_CASE("rowwise: columns that are no multiple of 16 are refused") {
    const auto hardware = test::hardware("fused-local");
    CHECK_THROWS_AS(kernels::RmsNorm(hardware, {1, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::L2Norm(hardware, {1, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::SwiGlu(hardware, {1, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::Gates(hardware, {1, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::CausalConv(hardware, {{1}, 40}), ConfigError);
    CHECK_THROWS_AS(kernels::CausalConv(hardware, {{1}, 64, 1}), ConfigError);
}

TEST_CASE("rotary: a part of a half is refused") {
    const auto hardware = test::hardware("fused-local");
    CHECK_THROWS_AS(kernels::Rotary(hardware, {1, 1, 128, 48, DType::Fp16}), ConfigError);
    CHECK_THROWS_AS(kernels::Rotary(hardware, {1, 1, 64, 128, DType::Fp16}), ConfigError);
}

TEST_CASE("gates: write strength and decay, from small to large arguments") {
    everywhere([](const config::HardwareConfig& hardware, DType dtype) {
        for (const auto& [tokens, heads] : {std::pair<std::int64_t, std::int64_t>{1, 48},
                                            {301, 16},
                                            {77, 64},
                                            {5, 80},
                                            {3, 5008}}) {
            CAPTURE(tokens, heads);
            const kernels::Gates op(hardware, {tokens, heads, dtype});
            Values a = random(op, "a", -8, 8, 15);
            Values b = random(op, "b", -8, 8, 16);
            a[0] = b[0] = -120;
            a[1] = b[1] = 120;
            const Values a_log = random(op, "a_log", -2, 2.5, 17);
            const Values dt_bias = random(op, "dt_bias", -2, 2, 18);
            Values beta = b;
            Values g = a;
            for (std::size_t i = 0; i < g.size(); ++i) {
                beta[i] = sigmoid(b[i]);
                const double x = a[i] + dt_bias[i % at(heads)];
                g[i] = -std::exp(a_log[i % at(heads)]) *
                       (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
            }
            const auto outcome = test::run(
                hardware, op, {{"a", a}, {"b", b}, {"a_log", a_log}, {"dt_bias", dt_bias}});
            CHECK(test::distance(outcome.tensors.at("beta"), beta) < tolerance(DType::Fp32));
            CHECK(test::distance(outcome.tensors.at("g"), g) < tolerance(DType::Fp32));
        }
    });
}

TEST_CASE("rowwise: large operators come near the sum of their arithmetic and never below") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const auto hardware = test::hardware(machine, {{"launch_cycles", "0"}});
        const std::int64_t tokens = machine == "ascend-910b" ? 2048 : 128;
        const auto check = [&](const kernels::Operator& op, std::int64_t columns, Passes passes) {
            const auto cycles = static_cast<double>(app::time_operator(hardware, op).total.count());
            const double least =
                least_cycles(hardware, op, static_cast<double>(tokens * columns), passes);
            const std::string name(op.name());
            CAPTURE(machine, name, cycles, least);
            CHECK(cycles > least);
            CHECK(least / cycles > 0.6);
        };
        const Passes sigmoid{{"vmuls", 1}, {"vexp", 1}, {"vadds", 1}, {"vdiv", 1}};
        const auto with = [&](Passes more) {
            more.insert(sigmoid.begin(), sigmoid.end());
            return more;
        };
        const DType fp16 = DType::Fp16;
        check(kernels::RmsNorm(hardware, {tokens, 4096}),
              4096,
              {{"vcast", 2}, {"vmul", 3}, {"vadd", 1}});
        check(kernels::RmsNorm(hardware, {tokens, 2048, fp16, true}),
              2048,
              {{"vcast", 5}, {"vmul", 3}, {"vadd", 2}});
        check(kernels::RmsNorm(hardware, {tokens * 32, 128, fp16, false, true}),
              32 * 128,
              with({{"vcast", 3}, {"vmul", 4}, {"vadd", 0.5}, {"vcadd", 0.5}}));
        check(kernels::L2Norm(hardware, {tokens * 32, 128}),
              32 * 128,
              {{"vcast", 2}, {"vmul", 2}, {"vadd", 0.5}, {"vcadd", 0.5}});
        check(kernels::SwiGlu(hardware, {tokens, 6144}), 6144, with({{"vcast", 3}, {"vmul", 1}}));
        check(kernels::SigmoidGate(hardware, {tokens, 4096}), 4096, with({{"vcast", 3}}));
        check(kernels::CausalConv(hardware, {{tokens}, 8192}),
              8192,
              with({{"vcast", 2}, {"vmul", 4}, {"vadd", 3}}));
        check(kernels::Rotary(hardware, {tokens, 32, 128, 128}),
              32 * 128,
              {{"vcast", 2}, {"vmul", 2}, {"vadd", 1}});
        check(kernels::Gates(hardware, {tokens * 16, 32}),
              16 * 32,
              {{"vcast", 2},
               {"vmuls", 2},
               {"vexp", 2},
               {"vadds", 2},
               {"vdiv", 1},
               {"vabs", 1},
               {"vln", 1},
               {"vmaxs", 1},
               {"vadd", 2},
               {"vmul", 1}});
    }
}
