// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace npusim::isa {

/// Calls `see(tile, write)` for each tile of `op`, what it reads before what it writes but for the
/// element an immediate was read from.
template <class Op, class See> void see_tiles(const Op& op, const See& see) {
    if constexpr (requires { op.c; }) {
        see(op.a, false);
        see(op.b, false);
        see(op.c, true);
    } else if constexpr (requires { op.a; }) {
        see(op.a, false);
        see(op.b, false);
        see(op.to, true);
    } else {
        if constexpr (requires { op.from.dtype; }) {
            see(op.from, false);
        }
        if constexpr (requires { op.to.dtype; }) {
            see(op.to, true);
        }
        if constexpr (requires { op.scalar; }) {
            if (op.scalar.rows > 0) {
                see(op.scalar, false);
            }
        }
    }
}

} // namespace npusim::isa
