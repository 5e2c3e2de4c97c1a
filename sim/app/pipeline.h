// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/delta_rule/recurrence.h"
#include "sim/app/job.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace npusim::app {

/// The chunked delta rule with one way to invert its triangles.
struct PipelineRow {
    std::string inverse; ///< as given to -k; "exact": rounded once from double precision
    std::int64_t inverse_cycles = 0; ///< after launch; 0 for "exact"
    std::int64_t cycles = 0;         ///< of all stages, after launch
    double t_worst = 0;              ///< worst relative Frobenius error of a T
    double o_error = 0;              ///< relative Frobenius error of o
    double o_worst = 0;              ///< the same of the worst chunk of a head
};

struct PipelineStage {
    std::string name;
    std::int64_t cycles = 0; ///< after launch
};

struct Pipeline {
    std::string hardware;
    std::int64_t tokens = 0;
    std::int64_t chunk = 0;
    DType dtype = DType::Fp16;
    std::vector<PipelineStage> stages; ///< but for the inverse
    std::vector<PipelineRow> rows;
};

/// Runs every stage on the modelled chip, on real data, and holds o against the recurrence in
/// double precision. T is held against the inverse, in double precision, of A as stored. Methods
/// the chip has no room for are left out.
Pipeline run_pipeline(const config::HardwareConfig& hardware,
                      const kernels::DeltaActivations& activations,
                      std::int64_t chunk,
                      DType dtype,
                      const std::vector<std::string>& inverses,
                      const std::function<void(const std::string&)>& progress);

std::string pipeline_text(const Pipeline& pipeline);
std::string pipeline_json(const Pipeline& pipeline);

} // namespace npusim::app
