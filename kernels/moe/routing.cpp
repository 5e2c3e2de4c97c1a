// SPDX-License-Identifier: Apache-2.0
#include "kernels/moe/routing.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

namespace {

void check(std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    if (tokens <= 0 || top_k <= 0 || top_k > experts) {
        throw ConfigError(fmt::format("routing: {} of {} experts for {} tokens (allowed: at least "
                                      "one of each, and no more than there are)",
                                      top_k,
                                      experts,
                                      tokens));
    }
}

} // namespace

std::vector<std::int64_t>
balanced_routing(std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    check(tokens, experts, top_k);
    const std::int64_t rows = tokens * top_k;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(experts), rows / experts);
    for (std::int64_t expert = 0; expert < rows % experts; ++expert) {
        ++counts[static_cast<std::size_t>(expert)];
    }
    return counts;
}

std::vector<std::int64_t>
balanced_source(std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    check(tokens, experts, top_k);
    std::vector<std::int64_t> source;
    for (std::int64_t expert = 0; expert < experts; ++expert) {
        for (std::int64_t choice = expert; choice < tokens * top_k; choice += experts) {
            source.push_back(choice / top_k);
        }
    }
    return source;
}

std::vector<std::int64_t>
balanced_expert(std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    std::vector<std::int64_t> of_row;
    const std::vector<std::int64_t> counts = balanced_routing(tokens, experts, top_k);
    for (std::int64_t expert = 0; expert < experts; ++expert) {
        of_row.insert(of_row.end(),
                      static_cast<std::size_t>(counts[static_cast<std::size_t>(expert)]),
                      expert);
    }
    return of_row;
}

std::vector<std::int64_t> rows_of_tokens(std::string_view name,
                                         const std::vector<std::int64_t>& source,
                                         std::int64_t tokens,
                                         std::int64_t top_k) {
    std::vector<std::int64_t> count(static_cast<std::size_t>(std::max<std::int64_t>(tokens, 0)), 0);
    std::vector<std::int64_t> rows(source.size());
    bool sound = tokens > 0 && top_k > 0 && std::ssize(source) == tokens * top_k;
    for (std::int64_t row = 0; sound && row < std::ssize(source); ++row) {
        const std::int64_t token = source[static_cast<std::size_t>(row)];
        sound = token >= 0 && token < tokens && count[static_cast<std::size_t>(token)] < top_k;
        if (sound) {
            const std::int64_t place = count[static_cast<std::size_t>(token)]++;
            rows[static_cast<std::size_t>(token * top_k + place)] = row;
        }
    }
    if (!sound) {
        throw ConfigError(
            fmt::format("{}: source (allowed: each of {} tokens {} times)", name, tokens, top_k));
    }
    return rows;
}

void check_cols(std::string_view name, std::int64_t cols) {
    constexpr std::int64_t kColumns = 16;
    if (cols <= 0 || cols % kColumns != 0) {
        throw ConfigError(
            fmt::format("{}: cols {} (allowed: multiples of {})", name, cols, kColumns));
    }
}

} // namespace npusim::kernels
