// SPDX-License-Identifier: Apache-2.0
#include "sim/isa/work.h"

#include "sim/isa/op_list.h"
#include "sim/isa/see_tiles.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace npusim::isa {

void add_work(const Instruction& instruction, Work& work) {
    const auto count = [&](const auto& op) {
        const Tile* first = nullptr;
        std::int64_t elements = 0;
        see_tiles(op, [&](const Tile& tile, bool write) {
            (write ? work.written : work.read)[static_cast<std::size_t>(tile.memory)] +=
                tile.bytes();
            first = first == nullptr ? &tile : first;
            elements = std::max(elements, tile.rows * tile.cols);
        });
        using Op = std::decay_t<decltype(op)>;
        if constexpr (is_vector<Op>) {
            work.elements[static_cast<std::size_t>(first->dtype)] += elements;
        } else if constexpr (std::is_same_v<Op, Mmad>) {
            work.macs[static_cast<std::size_t>(op.a.dtype)] += op.a.rows * op.a.cols * op.b.cols;
            work.read[static_cast<std::size_t>(op.c.memory)] += op.accumulate ? op.c.bytes() : 0;
        }
    };
    std::visit(count, instruction);
}

} // namespace npusim::isa
