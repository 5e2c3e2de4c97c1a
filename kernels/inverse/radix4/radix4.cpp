// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/radix4/radix4.h"

#include "kernels/inverse/blocks.h"

namespace npusim::inverse {

void Radix4::state(Recipe& r, DType dtype, const kernels::ParameterValues& /*values*/) const {
    /// A inside the diagonal blocks of `side`, cut out by the vector unit where transfers cannot.
    const auto within = [&](std::int64_t side) {
        return side >= r.size() ? kInput
               : side >= smallest_moved_block(dtype)
                   ? kInput.diagonal(side)
                   : r.masked_input("A", {Part::Kind::Diagonal, side});
    };
    const Matrix n1 = within(4);
    const Matrix n2 = r.step("N2", n1 * n1);
    Matrix x = r.step("X", kIdentity + n1 + n2 + n1 * n2);
    Matrix inside = n1; // A inside the blocks done so far
    std::int64_t block = 4;
    for (; 4 * block <= r.size(); block *= 4) {
        const Matrix wider = within(4 * block);
        const Matrix f = r.step("F", wider - inside);
        const Matrix m = r.step("M", x * f);
        const Matrix m2 = r.step("M2", m * m);
        const Matrix y = r.step("Y", x + m * x);
        x = r.step("X", y + m2 * y);
        inside = wider;
    }
    join_blocks(r, x, block, r.size(), dtype);
}

} // namespace npusim::inverse
