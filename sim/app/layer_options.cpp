// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer_options.h"

#include "sim/app/arguments.h"
#include "sim/base/error.h"
#include "sim/base/join.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::app {

namespace {

void check_range(const char* option, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most) {
        throw ConfigError(fmt::format("{} {}: (allowed: 1 to {})", option, value, most));
    }
}

template <class Names>
void check_name(const char* option, const std::string& value, const Names& allowed) {
    if (std::ranges::count(allowed, value) == 0) {
        throw ConfigError(fmt::format("{} {}: (allowed: {})", option, value, join(allowed, ", ")));
    }
}

} // namespace

KernelRequest inverse_request(const std::string& text) {
    return parse_request(text.starts_with("inverse/") ? text : "inverse/" + text, {});
}

LayerJob layer_job(const LayerOptions& options) {
    check_name("--phase", options.phase, kPhaseNames);
    check_name("--launch", options.launch, std::array{"each", "once"});
    check_range("--tokens", options.tokens, kMostTokens);
    check_range("--batch", options.batch, kMostSequences);
    check_range("--draft", options.draft, kMostDrafts);
    check_chunk(options.chunk);
    LayerJob job;
    job.phase = options.phase == "prefill" ? Phase::Prefill : Phase::Decode;
    job.tokens = options.tokens;
    job.batch = options.batch;
    job.draft = options.draft;
    job.chunk = options.chunk;
    job.dtype = parse_dtype(options.dtype);
    job.weights = options.weights.empty() ? job.dtype : parse_dtype(options.weights, "--weights");
    job.inverse = inverse_request(options.inverse);
    job.sampled = options.sample;
    if (is_integer(job.dtype)) {
        throw ConfigError(fmt::format("--dtype {}: activations of a layer are floats (allowed: a "
                                      "float format; --weights takes int8 and int4)",
                                      options.dtype));
    }
    if (job.weights != job.dtype && job.weights != DType::Int8 && job.weights != DType::Int4) {
        throw ConfigError(
            fmt::format("--weights {}: (allowed: {}, int8, int4)", options.weights, options.dtype));
    }
    return job;
}

} // namespace npusim::app
