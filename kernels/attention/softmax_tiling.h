// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/config/hardware.h"

#include <algorithm>
#include <cstdint>

namespace npusim::kernels {

/// One head of softmax attention: o = softmax(scale * q k^T) v.
struct AttentionHead {
    std::int64_t key_size = 128;   ///< columns of q and k, a multiple of 16
    std::int64_t value_size = 128; ///< columns of v and o, a multiple of 16
    DType dtype = DType::Fp16;     ///< of q, k, v, o, and of the weights on their way to the cube
    double scale = 1;
    bool value_in_key = false; ///< v is the first `value_size` columns of k (absorbed MLA)
};

/// Sides of the pieces that attention is done in. Queries are columns where a tile holds scores
/// [keys, queries], rows where it holds outputs.
struct SoftmaxTiling {
    std::int64_t queries = 0; ///< of a vector core at a time
    std::int64_t keys = 0;    ///< of a chunk: one tile of scores
    std::int64_t chunks = 0;  ///< of a block, which shares one maximum and one sum of products
    std::int64_t values = 0;  ///< of value_size, whose outputs L0C holds at a time
    std::int64_t slice = 0;   ///< of key_size, in L0A and L0B
    std::int64_t piece = 0;   ///< of value_size, in L0B
    std::int64_t result = 0;  ///< queries of a piece of output on its way to the accumulator
    std::int64_t fold = 0;    ///< rows that maxima and sums are folded into

    [[nodiscard]] std::int64_t block() const { return keys * chunks; }
    /// Tiles of weights in L1: a block, if it is used for several pieces of the outputs.
    [[nodiscard]] std::int64_t weight_slots(const AttentionHead& head) const {
        return values < head.value_size ? std::max<std::int64_t>(chunks, 2) : 2;
    }
};

/// Vector cores that work on one item: all of an AI core where they have a cube in common.
std::int64_t attention_lanes(const config::HardwareConfig& hardware);
/// Tiles of L0A, and of scores in L0C, used in turn: at least one for every lane.
std::int64_t attention_slots(const config::HardwareConfig& hardware);
/// Chunks of k that L1 holds. Where v lies in k they stay until the weights are there.
std::int64_t key_slots(const AttentionHead& head, std::int64_t chunks);

/// The tiling whose slowest unit is fastest by closed form, the largest of equals, for `queries` of
/// an item and up to `keys` keys; `mask_rows`, or as many as queries of a vector core if 0, are
/// rows of the causal mask. Throws ConfigError where no tiling fits the buffers.
SoftmaxTiling choose_softmax_tiling(const config::HardwareConfig& hardware,
                                    const AttentionHead& head,
                                    std::int64_t queries,
                                    std::int64_t keys,
                                    std::int64_t mask_rows);

} // namespace npusim::kernels
