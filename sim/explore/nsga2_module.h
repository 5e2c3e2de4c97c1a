// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/sampler.h"

#include <cstddef>

/// Where nsga2_module.so, which holds pagmo, is entered: pagmo takes longer to load than many a run
/// takes, so it is loaded by the sweeps that want it. The sampler is the caller's, who also keeps
/// the space.
extern "C" npusim::explore::Sampler*
npusim_nsga2_sampler(const npusim::explore::Space* space,
                     std::size_t objectives,
                     const npusim::explore::SamplerSettings* settings);
