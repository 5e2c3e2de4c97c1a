// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/input.h"

#include "kernels/inverse/npy.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/number.h"
#include "sim/base/suggest.h"
#include "sim/base/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <limits>
#include <numbers>
#include <random>
#include <span>

namespace npusim::inverse {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kKeySize = 128; ///< of every Qwen3.5 model
constexpr std::int64_t kDefaultDraws = 64;
constexpr std::int64_t kSuiteCount = 16; ///< matrices of a case of the suite

const std::string kTrained = "trained"; ///< the words for input that is not drawn
const std::string kSuite = "suite";

bool on_disk(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
}

/// Adds a case of `count` zero matrices to `batch`; returns their values.
std::span<double> add_case(Matrices& batch, const std::string& name, std::int64_t count) {
    const std::size_t begin = batch.values.size();
    batch.count += count;
    batch.cases.push_back({name, count});
    batch.values.resize(begin + static_cast<std::size_t>(count * batch.size * batch.size));
    return std::span(batch.values).subspan(begin);
}

/// Matrix `m` of `values` [count,size,size].
std::span<double> matrix(std::span<double> values, std::int64_t m, std::int64_t size) {
    return values.subspan(static_cast<std::size_t>(m * size * size),
                          static_cast<std::size_t>(size * size));
}

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

// --- files ---

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

/// How many matrices to take of the `all` that lie in `path`.
std::int64_t
checked_count(const fs::path& path, std::int64_t all, std::int64_t chunk, std::int64_t count) {
    if (count > all) {
        throw ConfigError(fmt::format("--count {}: {} holds {} matrices of {} (allowed: 0..{})",
                                      count,
                                      path.string(),
                                      all,
                                      chunk,
                                      all));
    }
    return count == 0 ? all : count;
}

/// Adds the matrices A [count,size,size] of one's own, after a look at every element.
void add_file(const fs::path& path, const InputCase& wanted, Matrices& batch) {
    const NpyArray a = read_npy(path);
    const std::int64_t size = batch.size;
    if (a.shape.size() != 3 || a.shape[1] != size || a.shape[2] != size) {
        throw ConfigError(fmt::format("{}: shape [{}] (allowed: [count, {}, {}] with --chunk {})",
                                      path.string(),
                                      join(a.shape, ", "),
                                      size,
                                      size,
                                      size));
    }
    for (std::size_t at = 0; at < a.values.size(); ++at) {
        const auto element = static_cast<std::int64_t>(at);
        const std::int64_t i = element / size % size;
        const std::int64_t j = element % size;
        const double value = a.values[at];
        if (j < i ? !(std::abs(value) <= std::numeric_limits<float>::max()) : value != 0) {
            throw ConfigError(fmt::format(
                "{}: element [{}, {}, {}] is {} (allowed: {})",
                path.string(),
                element / (size * size),
                i,
                j,
                value,
                j < i ? "finite in fp32" : "A is strictly lower: 0 on and above the diagonal"));
        }
    }
    const std::int64_t count = checked_count(path, a.shape[0], size, wanted.count);
    const std::span<double> values = add_case(batch, wanted.name, count);
    std::copy_n(a.values.begin(), values.size(), values.begin());
}

/// Adds a matrix per value head and chunk of the activations k, beta and g.
void add_activations(const fs::path& folder, const InputCase& wanted, Matrices& batch) {
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
                            join(array->shape, ", "),
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

    const std::int64_t chunk = batch.size;
    const std::int64_t chunks = ceil_div(tokens, chunk);
    const std::int64_t count = checked_count(folder, value_heads * chunks, chunk, wanted.count);
    const std::int64_t first_head = batch.heads.empty() ? 0 : batch.heads.back() + 1;
    const std::span<double> values = add_case(batch, wanted.name, count);
    for (std::int64_t m = 0; m < count; ++m) {
        const std::int64_t head = m / chunks;
        batch.heads.push_back(first_head + head);
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
             matrix(values, m, chunk));
    }
}

void add_folder(const fs::path& folder, const InputCase& wanted, Matrices& batch) {
    if (!on_disk(folder / "a.npy")) {
        add_activations(folder, wanted, batch);
        return;
    }
    for (const char* other : {"k.npy", "beta.npy", "g.npy"}) {
        if (on_disk(folder / other)) {
            throw ConfigError(fmt::format("{}: a.npy beside {} (allowed: a.npy alone, or k.npy, "
                                          "beta.npy and g.npy)",
                                          folder.string(),
                                          other));
        }
    }
    add_file(folder / "a.npy", wanted, batch);
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

/// What follows a kind's colon.
struct Argument {
    const char* name = ""; ///< empty: the kind takes none
    double min = 0;
    double max = 0;
    bool whole = false; ///< a whole number
};

/// A kind of made-up input: NAME or NAME:argument.
struct Kind {
    std::string name;
    Argument argument;
    void (*fill)(Draw& draw, double argument, Tokens& tokens);
    const char* doc;
};

/// sigmoid of a normal about `mean`
double draw_beta(Draw& draw, double mean) {
    return 1 / (1 + std::exp(-mean - draw.normal()));
}

void fill_random(Draw& draw, double /*argument*/, Tokens& tokens) {
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        draw_key(draw, tokens.key(t));
        tokens.beta[t] = draw_beta(draw, 0);
        tokens.g[t] = draw.uniform(-0.1, 0);
    }
}

/// Keys are one common direction and noise, mixed so that two of them have mean cosine `cosine`.
void fill_correlated(Draw& draw, double cosine, Tokens& tokens) {
    constexpr double kStrong = 0.75; // beyond, hardly anything is forgotten
    std::vector<double> common(kKeySize);
    draw_key(draw, common);
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        const auto key = tokens.key(t);
        draw_key(draw, key);
        for (std::size_t d = 0; d < key.size(); ++d) {
            key[d] = std::sqrt(cosine) * common[d] + std::sqrt(1 - cosine) * key[d];
        }
        normalise(key);
        const bool strong = cosine > kStrong;
        tokens.beta[t] = strong ? draw.uniform(cosine, 1) : draw_beta(draw, 1);
        tokens.g[t] = strong ? 0 : draw.uniform(-0.02, 0);
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

/// The keys of a period, shuffled. Random signs would add nothing: with D = diag(+-1) they make
/// D A D of A and D T D of T, and rounding does not see a sign.
void fill_distinct(Draw& draw, double distinct, Tokens& tokens) {
    fill_periodic(draw, distinct, tokens);
    for (std::size_t last = tokens.beta.size() - 1; last > 0; --last) { // Fisher-Yates
        const auto other = static_cast<std::size_t>(draw.uniform(0, static_cast<double>(last + 1)));
        if (other != last) {
            std::ranges::swap_ranges(tokens.key(other), tokens.key(last));
        }
    }
}

/// One key of a single 1, so that the dot products are exactly 1 and A exactly -beta.
void fill_repeated(Draw& /*draw*/, double beta, Tokens& tokens) {
    for (std::size_t t = 0; t < tokens.beta.size(); ++t) {
        tokens.key(t)[0] = 1;
        tokens.beta[t] = beta;
    }
}

void fill_ones(Draw& draw, double /*argument*/, Tokens& tokens) {
    fill_repeated(draw, 1, tokens);
}

const std::array kKinds{
    Kind{"random", {}, fill_random, "independent keys, beta sigmoid of a normal, g -0.1..0"},
    Kind{"correlated",
         {"COS", 0, 1},
         fill_correlated,
         "keys of mean cosine COS; beta sigmoid of a normal about 1, g -0.02..0; "
         "above 0.75 beta COS..1, no decay"},
    Kind{"periodic", {"P", 1, 128, true}, fill_periodic, "P keys in turn, beta 0.95..1, no decay"},
    Kind{"distinct",
         {"K", 1, 128, true},
         fill_distinct,
         "K keys in random order, beta 0.95..1, no decay"},
    Kind{"repeated", {"BETA", 0, 2}, fill_repeated, "one key, no decay: A is all -BETA"},
    Kind{"ones", {}, fill_ones, "repeated:1"},
};

/// "periodic:P"
std::string pattern(const Kind& kind) {
    const std::string argument = kind.argument.name;
    return argument.empty() ? kind.name : fmt::format("{}:{}", kind.name, argument);
}

std::string allowed_input() {
    std::string text;
    for (const Kind& kind : kKinds) {
        text += pattern(kind) + ", ";
    }
    return text + "trained, suite, a folder with k.npy, beta.npy and g.npy or with a.npy, a .npy "
                  "file, or several of these between commas";
}

/// The kind that `spec` starts with, or null.
const Kind* find_kind(const std::string& spec) {
    const auto* const kind = std::ranges::find(kKinds, spec.substr(0, spec.find(':')), &Kind::name);
    return kind == kKinds.end() ? nullptr : kind;
}

[[noreturn]] void fail_unknown(const std::string& spec) {
    std::vector<std::string> names{kTrained, kSuite};
    std::ranges::transform(kKinds, std::back_inserter(names), &Kind::name);
    throw ConfigError(fmt::format("--input {}: no such folder, file or kind{} (allowed: {})",
                                  spec,
                                  did_you_mean(spec.substr(0, spec.find(':')), names),
                                  allowed_input()));
}

double parse_argument(const std::string& spec, const Kind& kind) {
    const Argument& argument = kind.argument;
    if (pattern(kind) == kind.name) {
        if (spec != kind.name) {
            throw ConfigError(fmt::format("--input {}: (allowed: {})", spec, kind.name));
        }
        return 0;
    }
    const std::string text = spec.substr(std::min(kind.name.size() + 1, spec.size()));
    const auto value = number_from<double>(text);
    if (!value || !(*value >= argument.min && *value <= argument.max) ||
        (argument.whole && *value != std::floor(*value))) {
        throw ConfigError(fmt::format("--input {}: (allowed: {} with {} {}in {}..{})",
                                      spec,
                                      pattern(kind),
                                      argument.name,
                                      argument.whole ? "a whole number " : "",
                                      argument.min,
                                      argument.max));
    }
    return *value;
}

/// Adds draws of `kind`; the stream of a draw is its index in the case.
void add_draws(const Kind& kind, const InputCase& wanted, std::uint64_t seed, Matrices& batch) {
    const double argument = parse_argument(wanted.name, kind);
    const std::int64_t count = wanted.count == 0 ? kDefaultDraws : wanted.count;
    const std::span<double> values = add_case(batch, wanted.name, count);
    for (std::int64_t m = 0; m < count; ++m) {
        Draw draw(seed, m);
        Tokens tokens(batch.size);
        kind.fill(draw, argument, tokens);
        form({tokens.keys, kKeySize, tokens.beta, tokens.g},
             batch.size,
             matrix(values, m, batch.size));
    }
}

// --- the suite ---

/// Trained values, benign and correlated keys, every short period, and few keys in other orders.
std::vector<std::string> suite_names() {
    constexpr int kLongestPeriod = 16;
    std::vector<std::string> names{kTrained, "random", "correlated:0.5", "correlated:0.9"};
    for (int period = 2; period <= kLongestPeriod; ++period) {
        names.push_back(fmt::format("periodic:{}", period));
    }
    for (const char* name : {"ones", "repeated:0.9", "distinct:4", "distinct:8"}) {
        names.emplace_back(name);
    }
    return names;
}

} // namespace

std::vector<InputCase> list_cases(const std::string& spec, std::int64_t count) {
    const bool whole = on_disk(spec); // a path may have commas of its own
    std::vector<InputCase> cases;
    std::size_t at = 0;
    while (at <= spec.size()) {
        const std::size_t comma = whole ? spec.size() : std::min(spec.find(',', at), spec.size());
        const std::string entry = spec.substr(at, comma - at);
        if (entry == kSuite) {
            for (const std::string& name : suite_names()) {
                // The layer differs from head to head: the first few matrices say little about it.
                const bool layer = name == kTrained;
                cases.push_back({name, count == 0 && !layer ? kSuiteCount : count});
            }
        } else {
            cases.push_back({entry, count});
        }
        at = comma + 1;
    }
    return cases;
}

Matrices load_input(const std::string& spec,
                    std::int64_t chunk,
                    std::int64_t count,
                    std::uint64_t seed,
                    const std::string& trained) {
    Matrices batch{0, chunk, {}, {}};
    std::error_code error;
    for (const InputCase& wanted : list_cases(spec, count)) {
        // Kinds come first: what a name means does not depend on the folder one stands in.
        if (const Kind* kind = find_kind(wanted.name)) {
            add_draws(*kind, wanted, seed, batch);
        } else if (wanted.name == kTrained) {
            add_folder(trained, wanted, batch);
        } else if (fs::is_directory(wanted.name, error)) {
            add_folder(wanted.name, wanted, batch);
        } else if (on_disk(wanted.name) || wanted.name.ends_with(".npy")) {
            add_file(wanted.name, wanted, batch);
        } else {
            fail_unknown(wanted.name);
        }
        if (std::ssize(batch.heads) < batch.count) {
            const std::int64_t head = batch.heads.empty() ? 0 : batch.heads.back() + 1;
            batch.heads.resize(static_cast<std::size_t>(batch.count), head);
        }
    }
    return batch;
}

std::string input_help() {
    std::string text(
        "matrices to invert; several entries between commas make one batch:\n"
        "trained: the trained layer that comes along\n"
        "a folder with k.npy [key heads,T,D], beta.npy and g.npy [value heads,T]\n"
        "a .npy file of strictly lower A [count,chunk,chunk], or a folder with a.npy\n");
    for (const Kind& kind : kKinds) {
        text += fmt::format("{}: {}\n", pattern(kind), kind.doc);
    }
    return text + "suite: trained, random, correlated:0.5 and 0.9, periodic:2 to 16, ones, "
                  "repeated:0.9, distinct:4 and 8";
}

} // namespace npusim::inverse
