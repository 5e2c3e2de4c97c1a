// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/newton_schulz/newton_schulz.h"

namespace npusim::inverse {

std::vector<kernels::Parameter> NewtonSchulz::own_parameters() const {
    return {{"iterations", 12, 1, 64, "steps, two products each"}};
}

std::vector<kernels::ParameterValues>
NewtonSchulz::candidates(const kernels::Problem& /*problem*/) const {
    std::vector<kernels::ParameterValues> candidates;
    for (const std::int64_t iterations : {8, 10, 12, 14}) {
        candidates.push_back(kernels::resolve_parameters(*this, {}));
        candidates.back()["iterations"] = iterations;
    }
    return candidates;
}

void NewtonSchulz::state(Recipe& r, DType /*dtype*/, const kernels::ParameterValues& values) const {
    Matrix x = r.constant("I/2k", 1.0 / (2.0 * static_cast<double>(r.size())));
    for (std::int64_t i = 0; i < values.at("iterations"); ++i) {
        const Matrix z = r.step("Z", kInput * x - x); // -(I - A) X
        x = r.step("X", x + x + x * z);
    }
}

} // namespace npusim::inverse
