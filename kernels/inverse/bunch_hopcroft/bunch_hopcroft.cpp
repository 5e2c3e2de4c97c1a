// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/bunch_hopcroft/bunch_hopcroft.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

void BunchHopcroft::state(Recipe& r,
                          DType dtype,
                          const kernels::ParameterValues& /*values*/) const {
    // Two rows meet in an entry of A itself.
    const Matrix x = r.step("X", kIdentity + r.masked_input("J", {Part::Kind::Pairs, 1}));
    join_blocks(r, x, 2, r.size(), dtype);
}

} // namespace npusim::inverse
