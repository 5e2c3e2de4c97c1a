// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/recurrence.h"

#include "kernels/inverse/npy.h"
#include "sim/base/error.h"

#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <span>
#include <string>

namespace npusim::kernels {

namespace {

/// [heads, tokens, size] as [tokens, heads * size], the first `tokens` of them.
std::vector<double> by_token(const inverse::NpyArray& array, std::int64_t tokens) {
    const std::int64_t heads = array.shape[0];
    const std::int64_t all = array.shape[1];
    const std::int64_t size = array.shape.size() == 3 ? array.shape[2] : 1;
    std::vector<double> values(static_cast<std::size_t>(heads * tokens * size));
    for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t t = 0; t < tokens; ++t) {
            for (std::int64_t i = 0; i < size; ++i) {
                values[static_cast<std::size_t>((t * heads + h) * size + i)] =
                    array.values[static_cast<std::size_t>((h * all + t) * size + i)];
            }
        }
    }
    return values;
}

/// State of one head.
class State {
  public:
    State(std::int64_t keys, std::int64_t values)
        : values_(static_cast<std::size_t>(values)),
          s_(static_cast<std::size_t>(keys * values), 0.0) {}

    void step(std::span<const double> q,
              std::span<const double> k,
              std::span<const double> v,
              double beta,
              double g,
              std::span<double> o) {
        std::vector<double> change(v.begin(), v.end());
        for (std::size_t i = 0; i < k.size(); ++i) {
            for (std::size_t j = 0; j < values_; ++j) {
                at(i, j) *= std::exp(g);
                change[j] -= at(i, j) * k[i];
            }
        }
        for (std::size_t i = 0; i < k.size(); ++i) {
            for (std::size_t j = 0; j < values_; ++j) {
                at(i, j) += k[i] * beta * change[j];
                o[j] += at(i, j) * q[i] / std::sqrt(static_cast<double>(q.size()));
            }
        }
    }

  private:
    double& at(std::size_t key, std::size_t value) { return s_[key * values_ + value]; }
    std::size_t values_;
    std::vector<double> s_; ///< [keys, values]
};

} // namespace

DeltaActivations read_activations(const std::filesystem::path& folder, std::int64_t tokens) {
    const auto k = inverse::read_array(folder / "k.npy", 3, "[key heads, tokens, size]");
    const auto q = inverse::read_array(folder / "q.npy", 3, "[key heads, tokens, size]");
    const auto v = inverse::read_array(folder / "v.npy", 3, "[value heads, tokens, size]");
    const auto beta = inverse::read_array(folder / "beta.npy", 2, "[value heads, tokens]");
    const auto g = inverse::read_array(folder / "g.npy", 2, "[value heads, tokens]");
    const std::int64_t all = k.shape[1];
    const auto fit = [&](const char* name, bool holds) {
        if (!holds) {
            throw ConfigError(fmt::format("{}: heads or tokens differ from those of k.npy or v.npy",
                                          (folder / name).string()));
        }
    };
    fit("q.npy", q.shape == k.shape);
    fit("v.npy", v.shape[1] == all && v.shape[0] % k.shape[0] == 0);
    fit("beta.npy", beta.shape == std::vector{v.shape[0], all});
    fit("g.npy", g.shape == beta.shape);
    if (tokens > all) {
        throw ConfigError(fmt::format("--tokens {}: {} holds {}", tokens, folder.string(), all));
    }
    const std::int64_t count = tokens == 0 ? all : tokens;
    return {count,
            k.shape[0],
            v.shape[0],
            k.shape[2],
            v.shape[2],
            by_token(q, count),
            by_token(k, count),
            by_token(v, count),
            by_token(beta, count),
            by_token(g, count)};
}

std::vector<double> recurrent_outputs(const DeltaActivations& a) {
    std::vector<double> o(static_cast<std::size_t>(a.tokens * a.value_heads * a.value_size), 0.0);
    for (std::int64_t h = 0; h < a.value_heads; ++h) {
        State state(a.key_size, a.value_size);
        const std::int64_t key_head = h * a.key_heads / a.value_heads;
        for (std::int64_t t = 0; t < a.tokens; ++t) {
            const auto key = static_cast<std::size_t>((t * a.key_heads + key_head) * a.key_size);
            const auto value = static_cast<std::size_t>((t * a.value_heads + h) * a.value_size);
            const auto gate = static_cast<std::size_t>(t * a.value_heads + h);
            const auto keys = static_cast<std::size_t>(a.key_size);
            const auto values = static_cast<std::size_t>(a.value_size);
            state.step(std::span(a.q).subspan(key, keys),
                       std::span(a.k).subspan(key, keys),
                       std::span(a.v).subspan(value, values),
                       a.beta[gate],
                       a.g[gate],
                       std::span(o).subspan(value, values));
        }
    }
    return o;
}

} // namespace npusim::kernels
