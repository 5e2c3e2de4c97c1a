// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace npusim::inverse {

/// The matrices of a batch that come from one entry of `--input`.
struct InputCase {
    std::string name; ///< the entry: `periodic:4`, `trained`, a path
    std::int64_t count = 0;
};

/// A batch of strictly lower matrices A = -L, one per head and chunk (or per draw):
///
///     A_ij = -beta_i <k_i, k_j> exp(G_i - G_j)   for i > j,   G = cumsum(g) inside the chunk
struct Matrices {
    std::int64_t count = 0;
    std::int64_t size = 0;
    std::vector<double> values;   ///< [count, size, size], row-major
    std::vector<InputCase> cases; ///< in the order of `values`; their counts add up to `count`
    std::vector<std::int64_t> heads = {}; ///< by matrix: the head it is of; one a made-up case
};

/// The cases of `spec`: its entries between commas, with `suite` written out. A case has `count`
/// matrices; if that is 0, 16 of made-up kinds in the suite and 0 elsewhere, which stands for all
/// there are.
std::vector<InputCase> list_cases(const std::string& spec, std::int64_t count);

/// Forms the matrices that `spec` names, one case per entry between commas:
///
/// - a folder with `k.npy` [key heads, T, D], `beta.npy` and `g.npy` [value heads, T]: one matrix
///   per value head and chunk, heads outermost; value head h uses key head h * key heads / value
///   heads. The last chunk is filled up with tokens of beta 0. `trained` is the folder `trained`.
/// - a file `*.npy` [count, chunk, chunk] or a folder with `a.npy` alone: A itself.
/// - `random`, `correlated:COS` and so on: drawn from `seed`; see `input_help`.
/// - `suite`: the trained layer and made-up input from easy to hostile.
///
/// A case has `count` matrices. 0 means 16 of a made-up kind in the suite, else all of a folder or
/// file and 64 draws. Matrix i of a case is the same whatever the count and the cases beside it.
/// Throws ConfigError with the file, what is wrong and what is allowed.
Matrices load_input(const std::string& spec,
                    std::int64_t chunk,
                    std::int64_t count,
                    std::uint64_t seed,
                    const std::string& trained = "trained");

/// For the command line: what `spec` may be.
std::string input_help();

} // namespace npusim::inverse
