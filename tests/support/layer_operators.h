// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/decoder.h"
#include "sim/config/model.h"

#include <map>
#include <string>

namespace npusim::test {

inline config::ModelConfig model(const std::string& name) {
    return config::load_model(NPUSIM_SOURCE_DIR "/configs/models/" + name + ".yaml");
}

/// All operators of a layer of each kind, each different one once, by kernel and shape.
inline std::map<std::string, app::Step> layer_operators(const config::HardwareConfig& hardware,
                                                        const config::ModelConfig& model,
                                                        const app::LayerJob& job) {
    const app::Decoder decoder(hardware, model, job);
    std::map<std::string, app::Step> operators;
    for (const bool full : {false, true}) {
        for (const app::Step& step :
             decoder.layer(full, model.is_dense(full ? 1 : 2), job.inverse)) {
            operators.emplace(std::string(step.make()->name()) + ' ' + step.shape, step);
        }
    }
    return operators;
}

} // namespace npusim::test
