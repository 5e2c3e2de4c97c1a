// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/batch_layout.h"

namespace npusim::kernels {

void write_tile(functional::GlobalMemory& gm,
                const isa::Tile& tile,
                const std::vector<float>& values) {
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        functional::store_row(tile, gm.data() + tile.address, r, values.data() + r * tile.cols);
    }
}

} // namespace npusim::kernels
