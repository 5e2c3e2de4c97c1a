// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace npusim::kernels {

/// What one gated-delta-rule layer takes, of one sequence. Row-major; value head h uses key head
/// h * key_heads / value_heads.
struct DeltaActivations {
    std::int64_t tokens = 0;
    std::int64_t key_heads = 0;
    std::int64_t value_heads = 0;
    std::int64_t key_size = 0;
    std::int64_t value_size = 0;
    std::vector<double> q;    ///< [tokens, key_heads * key_size], rows of a head normalised
    std::vector<double> k;    ///< alike
    std::vector<double> v;    ///< [tokens, value_heads * value_size]
    std::vector<double> beta; ///< [tokens, value_heads], write strength
    std::vector<double> g;    ///< [tokens, value_heads], log decay, at most 0
};

/// Reads q.npy and k.npy [key heads, tokens, size], v.npy [value heads, tokens, size], beta.npy and
/// g.npy [value heads, tokens]. `tokens`: only the first ones; 0: all. Throws ConfigError with the
/// file and what is wrong.
DeltaActivations read_activations(const std::filesystem::path& folder, std::int64_t tokens = 0);

/// The delta rule token by token in double precision, as it is defined:
///
///     S <- exp(g) S      S <- S + k (beta (v - S^T k))^T      o = size^-0.5 S^T q
///
/// from S = 0. Returns o [tokens, value_heads * value_size].
std::vector<double> recurrent_outputs(const DeltaActivations& activations);

} // namespace npusim::kernels
