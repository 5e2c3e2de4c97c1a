// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/layer.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace npusim::app {

/// The inverse's share of a linear-attention layer at one chunk size, with a baseline and with a
/// series, beside what is published for it.
struct LayerShare {
    std::int64_t chunk = 0;
    double speedup = 0; ///< of the inverse
    double before = 0;  ///< its share of the layer with forward substitution
    double after = 0;   ///< with the series
    double saved = 0;   ///< of the layer's cycles
    double published_speedup = 0;
    double published_before = 0;
    double published_after = 0;
    double published_saved = 0;
};

/// The inverse's share of the chunked delta rule alone (gate, k k^T, inverse, w and u, states,
/// outputs), beside a published measurement.
struct PipelineShare {
    std::string setting; ///< what was measured
    std::string inverse; ///< ours
    std::int64_t chunk = 0;
    double share = 0;
    double published = 0;
    std::string source;
};

struct Shares {
    std::string hardware;
    std::string model;
    std::int64_t tokens = 0;
    std::vector<LayerShare> layers;
    std::vector<PipelineShare> pipelines;
};

/// Both tables on `hardware`. Launches are left out: what is compared are kernel cycles.
Shares measure_shares(const config::HardwareConfig& hardware,
                      const config::ModelConfig& model,
                      std::int64_t tokens,
                      DType weights,
                      const std::function<void(const std::string&)>& progress);

std::string shares_text(const Shares& shares);
std::string shares_json(const Shares& shares);

} // namespace npusim::app
