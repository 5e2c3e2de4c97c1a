// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/queue.h"

#include <algorithm>

namespace npusim::kernels {

using isa::Tile;

const Tile& Queue::alloc() {
    script_.scalar(QueueCode::kQueueCall);
    if (allocated_ >= depth()) {
        script_.wait(ends_.user, ends_.filler, id(allocated_));
    }
    return at(allocated_++);
}

void Queue::enque() {
    script_.scalar(QueueCode::kQueueCall);
    script_.set(ends_.filler, ends_.user, id(enqueued_++));
}

const Tile& Queue::deque() {
    script_.scalar(QueueCode::kQueueCall);
    script_.wait(ends_.filler, ends_.user, id(dequeued_));
    return at(dequeued_++);
}

void Queue::free() {
    script_.scalar(QueueCode::kQueueCall);
    script_.set(ends_.user, ends_.filler, id(freed_++));
}

void Queue::close() {
    for (std::int64_t turn = std::max<std::int64_t>(0, freed_ - depth()); turn < freed_; ++turn) {
        script_.wait(ends_.user, ends_.filler, id(turn));
    }
}

std::vector<Tile> queue_tiles(Script& script,
                              Memory memory,
                              DType dtype,
                              std::int64_t rows,
                              std::int64_t cols,
                              std::int64_t depth) {
    std::vector<Tile> tiles;
    for (std::int64_t i = 0; i < depth; ++i) {
        tiles.push_back(script.tile(memory, dtype, rows, cols));
    }
    return tiles;
}

std::int64_t
vector_block(const config::HardwareConfig& hardware, isa::CoreId core, std::int64_t blocks) {
    const bool fused = hardware.composition == config::Composition::Fused;
    if (!fused && core.unit == 0) {
        return -1;
    }
    const std::int64_t lane = fused ? 0 : core.unit - 1;
    const std::int64_t index = lane * hardware.ai_cores + core.ai_core;
    return index < blocks ? index : -1;
}

Deal::Deal(std::int64_t count, std::int64_t most_blocks)
    : tiles(count), each(ceil_div(count, std::min(most_blocks, count))) {
    blocks = ceil_div(tiles, each);
}

std::int64_t tiles_per_round(std::int64_t tiles, std::int64_t most) {
    const std::int64_t enough = ceil_div(std::max<std::int64_t>(tiles, 1), kFullRounds);
    if (enough <= most) {
        return enough;
    }
    // Of the larger ones, that whose last round is fullest.
    std::int64_t best = most;
    for (std::int64_t size = most; size > most * 3 / 4; --size) {
        if (ceil_div(tiles, size) * size < ceil_div(tiles, best) * best) {
            best = size;
        }
    }
    return best;
}

std::int64_t Deal::of(std::int64_t index) const {
    return std::clamp<std::int64_t>(tiles - index * each, 0, each);
}

} // namespace npusim::kernels
