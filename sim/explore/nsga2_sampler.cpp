// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/nsga2_module.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace npusim::explore {

#ifdef NPUSIM_NSGA2_MODULE

std::unique_ptr<Sampler>
nsga2_sampler(const Space& space, std::size_t objectives, const SamplerSettings& settings) {
    void* const module = ::dlopen(NPUSIM_NSGA2_MODULE, RTLD_NOW | RTLD_LOCAL); // stays loaded
    if (module == nullptr) {
        throw ConfigError(fmt::format("sampler nsga2: {}", ::dlerror()));
    }
    using Make = decltype(&npusim_nsga2_sampler);
    const auto make = reinterpret_cast<Make>(::dlsym(module, "npusim_nsga2_sampler"));
    if (make == nullptr) {
        throw ConfigError(fmt::format("sampler nsga2: {}", ::dlerror()));
    }
    return std::unique_ptr<Sampler>(make(&space, objectives, &settings));
}

#else

std::unique_ptr<Sampler> nsga2_sampler(const Space&, std::size_t, const SamplerSettings&) {
    throw ConfigError("sampler nsga2: this program was built without pagmo; install libpagmo-dev "
                      "and build it again, or choose grid, random or lhs");
}

#endif

} // namespace npusim::explore
