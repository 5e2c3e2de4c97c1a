// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/operator_run.h"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace npusim::test {

using Values = std::vector<double>;

/// Uniform values in [low, high) from a fixed seed.
inline Values uniform(std::int64_t count, double low, double high, std::uint64_t seed = 1) {
    std::mt19937_64 engine(seed);
    Values values(static_cast<std::size_t>(count));
    for (double& value : values) {
        value = low + (high - low) * static_cast<double>(engine() >> 11U) * 0x1p-53;
    }
    return values;
}

/// `values` as `dtype` stores them, seen through a tensor of the operator.
inline Values stored(const kernels::Operator& op, const std::string& tensor, const Values& values) {
    app::OperatorData data(op);
    data.set(tensor, values);
    return data.get(tensor);
}

/// |a - b|_F / |b|_F, infinite where a value is not finite.
inline double distance(const Values& a, const Values& b) {
    REQUIRE(a.size() == b.size());
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!std::isfinite(a[i])) {
            return HUGE_VAL;
        }
        error += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(error / norm);
}

/// Outcome of an operator on data.
struct Outcome {
    std::map<std::string, Values> tensors;
    observe::RunStatistics statistics;
};

/// Runs `op` on `inputs` three ways, which must agree: timed with data and in plain program order
/// (same bytes: no flag is missing), timed without data (same cycles).
inline Outcome run(const config::HardwareConfig& hardware,
                   const kernels::Operator& op,
                   const std::map<std::string, Values>& inputs) {
    app::OperatorData timed(op);
    app::OperatorData ordered(op);
    for (const auto& [name, values] : inputs) {
        timed.set(name, values);
        ordered.set(name, values);
    }
    Outcome outcome;
    outcome.statistics = timed.run(hardware);
    ordered.run_in_program_order(hardware);
    CHECK(timed.memory() == ordered.memory());
    CHECK(app::time_operator(hardware, op).total == outcome.statistics.total);
    for (const kernels::Tensor& tensor : op.tensors()) {
        outcome.tensors[tensor.name] = timed.get(tensor.name);
    }
    return outcome;
}

/// a [m,k] * b [k,n]
inline Values
multiply(const Values& a, const Values& b, std::int64_t m, std::int64_t k, std::int64_t n) {
    Values c(static_cast<std::size_t>(m * n), 0.0);
    for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t p = 0; p < k; ++p) {
            for (std::int64_t j = 0; j < n; ++j) {
                c[static_cast<std::size_t>(i * n + j)] +=
                    a[static_cast<std::size_t>(i * k + p)] * b[static_cast<std::size_t>(p * n + j)];
            }
        }
    }
    return c;
}

} // namespace npusim::test
