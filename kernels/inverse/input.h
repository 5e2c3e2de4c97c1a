// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace npusim::inverse {

/// A batch of strictly lower matrices A = -L, one per head and chunk (or per draw):
///
///     A_ij = -beta_i <k_i, k_j> exp(G_i - G_j)   for i > j,   G = cumsum(g) inside the chunk
struct Matrices {
    std::int64_t count = 0;
    std::int64_t size = 0;
    std::vector<double> values; ///< [count, size, size], row-major
};

/// Forms the matrices that `spec` names:
///
/// - a folder with `k.npy` [key heads, T, D], `beta.npy` and `g.npy` [value heads, T]: one matrix
///   per value head and chunk, heads outermost; value head h uses key head h * key heads / value
///   heads. The last chunk is filled up with tokens of beta 0.
/// - `random`, `correlated:COS`, `periodic:P`, `ones`: drawn from `seed`; see `input_help`.
///
/// `count` 0 means all chunks of a folder, 64 draws otherwise. Matrix i is the same whatever the
/// count. Throws ConfigError with the file, what is wrong and what is allowed.
Matrices
load_input(const std::string& spec, std::int64_t chunk, std::int64_t count, std::uint64_t seed);

/// For the command line: what `spec` may be.
std::string input_help();

} // namespace npusim::inverse
