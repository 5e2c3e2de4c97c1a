// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/doubling/doubling.h"

namespace npusim::inverse {

void Doubling::state(Recipe& r, DType /*dtype*/, const kernels::ParameterValues& /*values*/) const {
    Matrix x = r.step("X", kIdentity + kInput);
    Matrix y = kInput;
    for (std::int64_t terms = 2; terms < r.size(); terms *= 2) {
        y = r.step("Y", y * y);
        x = r.step("X", x + x * y);
    }
}

} // namespace npusim::inverse
