// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/input.h"

#include "kernels/inverse/npy.h"
#include "sim/base/error.h"
#include "sim/base/suggest.h"
#include "sim/base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <numbers>
#include <random>
#include <span>

namespace npusim::inverse {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kKeySize = 128; ///< of every Qwen3.5 model
constexpr std::int64_t kDefaultDraws = 64;

/// The tokens of one chunk of one head.
struct Chunk {
    std::span<const double> keys; ///< [tokens, key_size]
    std::int64_t key_size = 0;
    std::span<const double> beta; ///< [tokens]
    std::span<const double> g;    ///< [tokens]
};

/// Writes A of `chunk` to `a` [size,size], which is zero; tokens missing at the end leave zeros.
void form(const Chunk& chunk, std::int64_t size, std::span<double> a) {
    const auto tokens = static_cast<std::int64_t>(chunk.beta.size());
    const auto key = [&](std::int64_t i) {
        return chunk.keys.subspan(static_cast<std::size_t>(i * chunk.key_size),
                                  static_cast<std::size_t>(chunk.key_size));
    };
    for (std::int64_t i = 1; i < tokens; ++i) {
        double decay = 0; // G_i - G_j
        for (std::int64_t j = i - 1; j >= 0; --j) {
            decay += chunk.g[static_cast<std::size_t>(j + 1)];
            double dot = 0;
            for (std::size_t d = 0; d < key(i).size(); ++d) {
                dot += key(i)[d] * key(j)[d];
            }
            a[static_cast<std::size_t>(i * size + j)] =
                -chunk.beta[static_cast<std::size_t>(i)] * dot * std::exp(decay);
        }
    }
}

// --- a folder of activations ---

NpyArray read_array(const fs::path& path, std::size_t dimensions, const char* shape) {
    NpyArray array = read_npy(path);
    if (array.shape.size() != dimensions) {
        throw ConfigError(fmt::format(
            "{}: shape [{}] (allowed: {})", path.string(), fmt::join(array.shape, ", "), shape));
    }
    return array;
}

void check_values(const fs::path& path,
                  const NpyArray& array,
                  const char* allowed,
                  const std::function<bool(double)>& holds) {
    for (std::size_t i = 0; i < array.values.size(); ++i) {
        if (!holds(array.values[i])) {
            throw ConfigError(fmt::format(
                "{}: element {} is {} (allowed: {})", path.string(), i, array.values[i], allowed));
        }
    }
}

Matrices from_folder(const fs::path& folder, std::int64_t chunk, std::int64_t count) {
    const NpyArray k = read_array(folder / "k.npy", 3, "[key heads, T, D]");
    const NpyArray beta = read_array(folder / "beta.npy", 2, "[value heads, T]");
    const NpyArray g = read_array(folder / "g.npy", 2, "[value heads, T]");
    const std::int64_t key_heads = k.shape[0];
    const std::int64_t tokens = k.shape[1];
    const std::int64_t key_size = k.shape[2];
    const std::int64_t value_heads = beta.shape[0];
    for (const auto& [name, array] : {std::pair{"beta.npy", &beta}, std::pair{"g.npy", &g}}) {
        if (array->shape != std::vector{value_heads, tokens}) {
            throw ConfigError(
                fmt::format("{}: shape [{}] (allowed: [{}, {}], as k.npy and beta.npy have it)",
                            (folder / name).string(),
                            fmt::join(array->shape, ", "),
                            value_heads,
                            tokens));
        }
    }
    if (value_heads % key_heads != 0) {
        throw ConfigError(
            fmt::format("{}: {} value heads (allowed: a multiple of the {} key heads of k.npy)",
                        (folder / "beta.npy").string(),
                        value_heads,
                        key_heads));
    }
    check_values(folder / "k.npy", k, "finite numbers", [](double x) { return std::isfinite(x); });
    check_values(folder / "beta.npy", beta, "0..2", [](double x) { return x >= 0 && x <= 2; });
    check_values(folder / "g.npy", g, "log decay: finite, at most 0", [](double x) {
        return std::isfinite(x) && x <= 0;
    });

    const std::int64_t chunks = ceil_div(tokens, chunk);
    const std::int64_t all = value_heads * chunks;
    if (count > all) {
        throw ConfigError(fmt::format("--count {}: {} holds {} chunks of {} (allowed: 0..{})",
                                      count,
                                      folder.string(),
                                      all,
                                      chunk,
                                      all));
    }
    Matrices matrices{count == 0 ? all : count, chunk, {}};
    const std::int64_t elements = chunk * chunk;
    matrices.values.resize(static_cast<std::size_t>(matrices.count * elements));
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        const std::int64_t head = m / chunks;
        const std::int64_t first = m % chunks * chunk;
        const auto length = static_cast<std::size_t>(std::min(chunk, tokens - first));
        const std::int64_t key_row = head * key_heads / value_heads * tokens + first;
        const auto row = static_cast<std::size_t>(head * tokens + first);
        form({std::span(k.values).subspan(static_cast<std::size_t>(key_row * key_size),
                                          length * static_cast<std::size_t>(key_size)),
              key_size,
              std::span(beta.values).subspan(row, length),
              std::span(g.values).subspan(row, length)},
             chunk,
             std::span(matrices.values)
                 .subspan(static_cast<std::size_t>(m * elements),
                          static_cast<std::size_t>(elements)));
    }
    return matrices;
}

// --- made-up tokens ---

/// Uniform and normal numbers; the standard fixes the engine's bits but not its distributions'.
class Draw {
  public:
    Draw(std::uint64_t seed, std::int64_t stream) : engine_(make_engine(seed, stream)) {}

    double uniform(double low, double high) {
        constexpr double kScale = 0x1p-53;
        return low + (high - low) * static_cast<double>(engine_() >> 11U) * kScale;
    }
    double normal() { // Box-Muller
        const double radius = std::sqrt(-2 * std::log(1 - uniform(0, 1)));
        return radius * std::cos(2 * std::numbers::pi * uniform(0, 1));
    }

  private:
    static std::mt19937_64 make_engine(std::uint64_t seed, std::int64_t stream) {
        const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
        std::seed_seq words{low(seed), low(seed >> 32U), low(static_cast<std::uint64_t>(stream))};
        return std::mt19937_64(words);
    }
    std::mt19937_64 engine_;
};

/// The tokens of one drawn chunk.
struct Tokens {
    explicit Tokens(std::int64_t count)
        : keys(static_cast<std::size_t>(count * kKeySize)), beta(static_cast<std::size_t>(count)),
          g(static_cast<std::size_t>(count)) {}
    std::span<double> key(std::size_t token) {
        return std::span(keys).subspan(token * kKeySize, kKeySize);
    }
    std::vector<double> keys;
    std::vector<double> beta;
    std::vector<double> g;
};

void normalise(std::span<double> key) {
    double norm = 0;
    for (const double x : key) {
        norm += x * x;
    }
    for (double& x : key) {
        x /= std::sqrt(norm);
    }
}

void draw_key(Draw& draw, std::span<double> key) {
    for (double& x : key) {
        x = draw.normal();
    }
    normalise(key);
}

/// A kind of made-up input: NAME or NAME:argument.
struct Kind {
    std::string name;
    const char* argument; ///< its name, empty if it takes none
    double min = 0;
    double max = 0;
    bool whole = false; ///< the argument is a whole number
    void (*fill)(Draw& draw, double argument, Tokens& tokens);
};

void fill_random(Draw& draw, double /*argument*/, Tokens& tokens) {
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        draw_key(draw, tokens.key(t));
        tokens.beta[t] = 1 / (1 + std::exp(-draw.normal()));
        tokens.g[t] = draw.uniform(-0.1, 0);
    }
}

/// Keys are one common direction and noise, mixed so that two of them have mean cosine `cosine`.
void fill_correlated(Draw& draw, double cosine, Tokens& tokens) {
    std::vector<double> common(kKeySize);
    draw_key(draw, common);
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        const auto key = tokens.key(t);
        draw_key(draw, key);
        for (std::size_t d = 0; d < key.size(); ++d) {
            key[d] = std::sqrt(cosine) * common[d] + std::sqrt(1 - cosine) * key[d];
        }
        normalise(key);
        tokens.beta[t] = draw.uniform(cosine, 1);
        tokens.g[t] = draw.uniform(-0.02 * (1 - cosine), 0);
    }
}

void fill_periodic(Draw& draw, double period, Tokens& tokens) {
    const auto step = static_cast<std::size_t>(period);
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        if (t < step) {
            draw_key(draw, tokens.key(t));
        } else {
            std::ranges::copy(tokens.key(t - step), tokens.key(t).begin());
        }
        tokens.beta[t] = draw.uniform(0.95, 1);
        tokens.g[t] = 0;
    }
}

/// One key of a single 1, so that the dot products are exactly 1: A is all minus ones.
void fill_ones(Draw& /*draw*/, double /*argument*/, Tokens& tokens) {
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        tokens.key(t)[0] = 1;
        tokens.beta[t] = 1;
    }
}

const std::array kKinds{
    Kind{"random", "", 0, 0, false, fill_random},
    Kind{"correlated", "COS", 0, 1, false, fill_correlated},
    Kind{"periodic", "P", 1, 128, true, fill_periodic},
    Kind{"ones", "", 0, 0, false, fill_ones},
};

std::string allowed_kinds() {
    std::string text;
    for (const Kind& kind : kKinds) {
        text +=
            kind.name + (*kind.argument == '\0' ? "" : fmt::format(":{}", kind.argument)) + ", ";
    }
    return text + "or a folder with k.npy, beta.npy and g.npy";
}

const Kind& find_kind(const std::string& spec, const std::string& name) {
    std::vector<std::string> names;
    for (const Kind& kind : kKinds) {
        if (kind.name == name) {
            return kind;
        }
        names.push_back(kind.name);
    }
    throw ConfigError(fmt::format("--input {}: no such folder or kind{} (allowed: {})",
                                  spec,
                                  did_you_mean(name, names),
                                  allowed_kinds()));
}

double parse_argument(const std::string& spec, const Kind& kind, const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc{} && end == text.data() + text.size();
    const bool takes = *kind.argument != '\0';
    const bool holds = number && value >= kind.min && value <= kind.max &&
                       (!kind.whole || value == std::floor(value));
    if (takes ? !holds : !text.empty()) {
        throw ConfigError(fmt::format("--input {}: (allowed: {})",
                                      spec,
                                      takes ? fmt::format("{}:{} with {} {}{}..{}",
                                                          kind.name,
                                                          kind.argument,
                                                          kind.argument,
                                                          kind.whole ? "a whole number in " : "in ",
                                                          kind.min,
                                                          kind.max)
                                            : kind.name));
    }
    return value;
}

} // namespace

Matrices
load_input(const std::string& spec, std::int64_t chunk, std::int64_t count, std::uint64_t seed) {
    std::error_code error;
    if (fs::is_directory(spec, error)) {
        return from_folder(spec, chunk, count);
    }
    const std::size_t colon = spec.find(':');
    const Kind& kind = find_kind(spec, spec.substr(0, colon));
    const double argument = parse_argument(
        spec, kind, colon == std::string::npos ? std::string() : spec.substr(colon + 1));
    Matrices matrices{count == 0 ? kDefaultDraws : count, chunk, {}};
    const std::int64_t elements = chunk * chunk;
    matrices.values.resize(static_cast<std::size_t>(matrices.count * elements));
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        Draw draw(seed, m);
        Tokens tokens(chunk);
        kind.fill(draw, argument, tokens);
        form({tokens.keys, kKeySize, tokens.beta, tokens.g},
             chunk,
             std::span(matrices.values)
                 .subspan(static_cast<std::size_t>(m * elements),
                          static_cast<std::size_t>(elements)));
    }
    return matrices;
}

std::string input_help() {
    return "matrices to invert: a folder with k.npy [key heads,T,D], beta.npy and g.npy [value "
           "heads,T] "
           "(default: the trained layer that comes along); random (independent keys, beta sigmoid "
           "of a "
           "normal, g in -0.1..0); correlated:COS (keys of mean cosine COS, beta in COS..1, slow "
           "decay); "
           "periodic:P (P keys in turn, beta .95..1, no decay); ones (one key, beta 1: A is all "
           "-1)";
}

} // namespace npusim::inverse
