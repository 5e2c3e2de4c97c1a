// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/newton_schulz/newton_schulz.h"

namespace npusim::inverse {

std::vector<kernels::Parameter> NewtonSchulz::parameters() const {
    return {{"iterations", 12, 1, 64, "steps, two products each"}};
}

std::vector<kernels::ParameterValues>
NewtonSchulz::candidates(const kernels::Problem& /*problem*/) const {
    return {{{"iterations", 8}}, {{"iterations", 10}}, {{"iterations", 12}}, {{"iterations", 14}}};
}

Recipe NewtonSchulz::recipe(std::int64_t size,
                            DType /*dtype*/,
                            const kernels::ParameterValues& values) const {
    Recipe r(size);
    Matrix x = r.constant("I/2k", 1.0 / (2.0 * static_cast<double>(size)));
    for (std::int64_t i = 0; i < values.at("iterations"); ++i) {
        const Matrix z = r.step("Z", kInput * x - x); // -(I - A) X
        x = r.step("X", x + x + x * z);
    }
    return r;
}

} // namespace npusim::inverse
