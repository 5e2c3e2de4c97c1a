// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// Routing is data, and a plan has none: what follows assumes the even case, in which token t takes
/// experts (t * top_k + j) mod experts, j = 0..top_k-1. Real routers are more uneven; an operator
/// takes any counts. The first three throw ConfigError unless 0 < top_k <= experts and 0 < tokens.

/// Tokens of each expert: as even as possible, the first experts one more where it does not divide.
std::vector<std::int64_t>
balanced_routing(std::int64_t tokens, std::int64_t experts, std::int64_t top_k);

/// The token of each row of the list of all experts' tokens, [tokens * top_k]: sorted by expert,
/// then by token.
std::vector<std::int64_t>
balanced_source(std::int64_t tokens, std::int64_t experts, std::int64_t top_k);

/// The expert of each of these rows.
std::vector<std::int64_t>
balanced_expert(std::int64_t tokens, std::int64_t experts, std::int64_t top_k);

/// The rows of each token in such a list, [tokens * top_k], ascending. Throws ConfigError, in the
/// name of operator `name`, unless `source` names each of `tokens` tokens `top_k` times.
std::vector<std::int64_t> rows_of_tokens(std::string_view name,
                                         const std::vector<std::int64_t>& source,
                                         std::int64_t tokens,
                                         std::int64_t top_k);

/// Throws ConfigError, in the name of operator `name`, unless rows of `cols` start at blocks of UB.
void check_cols(std::string_view name, std::int64_t cols);

} // namespace npusim::kernels
