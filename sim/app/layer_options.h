// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/decoder.h"

#include <cstdint>
#include <string>

namespace npusim::app {

/// A decoder and what it does, as the command line and sweeps name them.
struct LayerOptions {
    std::string model;
    std::string phase = "prefill";
    std::int64_t tokens = 4096;
    std::int64_t batch = 1;
    std::int64_t draft = 1;
    std::int64_t chunk = 64;
    std::string dtype = "fp16";
    std::string weights; ///< empty: as dtype
    std::string inverse = "neumann";
    std::string launch = "each"; ///< or once: who pays for launches
    bool sample = false;         ///< operators are timed by stretches
};

inline constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
inline constexpr std::int64_t kMostSequences = 4096;
inline constexpr std::int64_t kMostDrafts = 64;

/// `neumann:order=4` as well as `inverse/neumann:order=4`. Throws ConfigError.
KernelRequest inverse_request(const std::string& text);

/// Throws ConfigError for an option that is out of place.
LayerJob layer_job(const LayerOptions& options);

} // namespace npusim::app
