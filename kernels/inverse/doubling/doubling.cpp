// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/doubling/doubling.h"

namespace npusim::inverse {

Recipe Doubling::recipe(std::int64_t size,
                        DType /*dtype*/,
                        const kernels::ParameterValues& /*values*/) const {
    Recipe r(size);
    Matrix x = r.step("X", kIdentity + kInput);
    Matrix y = kInput;
    for (std::int64_t terms = 2; terms < size; terms *= 2) {
        y = r.step("Y", y * y);
        x = r.step("X", x + x * y);
    }
    return r;
}

} // namespace npusim::inverse
