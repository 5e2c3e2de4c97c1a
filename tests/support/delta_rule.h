// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/delta_shape.h"
#include "tests/support/operators.h"

#include <cmath>
#include <cstdint>

namespace npusim::test {

/// What a gated-delta-rule layer is given, row-major by token.
struct DeltaInput {
    Values q, k, v, beta, g;
};

/// Rows of length `size` scaled to norm 1.
inline void normalise(Values& values, std::int64_t size) {
    for (auto row = values.begin(); row != values.end(); row += size) {
        double sum = 0;
        for (auto x = row; x != row + size; ++x) {
            sum += *x * *x;
        }
        for (auto x = row; x != row + size; ++x) {
            *x /= std::sqrt(sum);
        }
    }
}

/// Keys of norm 1 that share a direction, so that the inverse has something to do; decays from none
/// to e^-0.5 a token.
inline DeltaInput made_up(const kernels::DeltaShape& shape) {
    const std::int64_t tokens = kernels::tokens_of(shape);
    const std::int64_t keys = tokens * shape.key_heads * shape.key_size;
    DeltaInput input{
        uniform(keys, -1, 1, 1),
        uniform(keys, -0.6, 1, 2),
        uniform(tokens * shape.value_heads * shape.value_size, -1, 1, 3),
        uniform(tokens * shape.value_heads, 0.1, 1, 4),
        uniform(tokens * shape.value_heads * (shape.per_channel ? shape.key_size : 1), -0.5, 0, 5)};
    normalise(input.q, shape.key_size);
    normalise(input.k, shape.key_size);
    return input;
}

struct DeltaResult {
    Values o;
    Values state;
};

/// The gated delta rule token by token, as it is defined, in double precision:
/// S = exp(g) S (g of the head, or of the row's channel), S += k (beta (v - S^T k))^T, o = S^T q /
/// sqrt(key_size).
inline DeltaResult
recurrent(const kernels::DeltaShape& shape, const DeltaInput& input, Values state) {
    const std::int64_t depth = shape.key_size;
    const std::int64_t width = shape.value_size;
    DeltaResult result{Values(input.v.size()), std::move(state)};
    std::int64_t token = 0;
    std::int64_t sequence = 0;
    for (const std::int64_t length : shape.lengths) {
        for (std::int64_t end = token + length; token < end; ++token) {
            for (std::int64_t head = 0; head < shape.value_heads; ++head) {
                const std::int64_t key_head = head * shape.key_heads / shape.value_heads;
                const std::int64_t factor = token * shape.value_heads + head;
                const double* q = input.q.data() + (token * shape.key_heads + key_head) * depth;
                const double* k = input.k.data() + (token * shape.key_heads + key_head) * depth;
                double* s =
                    result.state.data() + (sequence * shape.value_heads + head) * depth * width;
                for (std::int64_t i = 0; i < depth; ++i) {
                    const std::int64_t of = shape.per_channel ? factor * depth + i : factor;
                    for (std::int64_t j = 0; j < width; ++j) {
                        s[i * width + j] *= std::exp(input.g[static_cast<std::size_t>(of)]);
                    }
                }
                for (std::int64_t j = 0; j < width; ++j) {
                    const auto at = static_cast<std::size_t>(factor * width + j);
                    double recalled = 0;
                    for (std::int64_t i = 0; i < depth; ++i) {
                        recalled += s[i * width + j] * k[i];
                    }
                    const double change =
                        input.beta[static_cast<std::size_t>(factor)] * (input.v[at] - recalled);
                    double sum = 0;
                    for (std::int64_t i = 0; i < depth; ++i) {
                        s[i * width + j] += k[i] * change;
                        sum += s[i * width + j] * q[i];
                    }
                    result.o[at] = sum / std::sqrt(static_cast<double>(depth));
                }
            }
        }
        ++sequence;
    }
    return result;
}

} // namespace npusim::test
