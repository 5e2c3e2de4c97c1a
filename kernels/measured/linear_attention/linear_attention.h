// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// One call of chunked causal linear attention without gates, fp16.
struct LinearAttentionShape {
    std::int64_t batch = 1;
    std::int64_t heads = 1;
    std::int64_t tokens = 128; ///< of each sequence, a multiple of chunk
    std::int64_t size = 128;   ///< of a key and of a value
    std::int64_t chunk = 128;

    [[nodiscard]] std::int64_t chunks() const { return tokens / chunk; }
};

/// Which of the published kernels.
struct LinearAttentionVersion {
    /// Where the state before a chunk comes from, and how cube and vector cores take turns.
    enum class States : std::uint8_t {
        OneSlot,  ///< summed by the vector cores, one chunk after the other
        TwoSlots, ///< the cube is a chunk ahead of the vector cores
        Given,    ///< computed before: the kernel reads them; tokens first, heads within
    };
    States states = States::TwoSlots;
    bool ping_pong = true; ///< K of 128 in two steps, L0 double-buffered
};

/// o = (q k^T, causal) v + q h, with h the sum of k^T v of the chunks before. As in
/// huawei-csl/pto-kernels, examples/jit_cpp/linear_attention (linear_attention.cpp and
/// optimize_step_by_step/03..07): a core takes whole heads, and nearly every step ends with
/// pipe_barrier(PIPE_ALL).
class LinearAttention final : public SteadyKernel {
  public:
    /// Throws ConfigError for ragged chunks and for a chip of fused cores.
    LinearAttention(const config::HardwareConfig& hardware,
                    const LinearAttentionShape& shape,
                    LinearAttentionVersion version);
    [[nodiscard]] std::string_view name() const override { return "linear-attention"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override { return rounds_of(0); }
    [[nodiscard]] double flops() const override;

  private:
    using States = LinearAttentionVersion::States;
    struct CubeTiles;
    struct VectorTiles;
    struct Place {
        std::int64_t head = 0; ///< of all sequences
        std::int64_t chunk = 0;
    };
    [[nodiscard]] std::int64_t rounds_of(std::int64_t core) const;
    [[nodiscard]] Place place(isa::CoreId core, std::int64_t index) const;
    /// A chunk of a head: [chunk, size].
    [[nodiscard]] isa::Tile tokens_of(const isa::Tile& tensor, Place place) const;
    [[nodiscard]] isa::Tile scores_slot(isa::CoreId core, std::int64_t slot) const;
    [[nodiscard]] isa::Tile state_slot(isa::CoreId core, std::int64_t slot) const;

    [[nodiscard]] isa::Program cube_one_slot(isa::CoreId core) const;
    [[nodiscard]] isa::Program cube_two_slots(isa::CoreId core) const;
    [[nodiscard]] isa::Program cube_given(isa::CoreId core) const;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const;
    void load(Script& s, const CubeTiles& t, Place place) const;
    void scores_and_state(Script& s, const CubeTiles& t, isa::CoreId core, std::int64_t slot) const;
    void output(Script& s, const CubeTiles& t, const isa::Tile& state, Place place) const;
    void masked_output(Script& s, const CubeTiles& t, isa::CoreId core, Place place) const;
    void begin_head(Script& s, const VectorTiles& t, isa::CoreId core) const;
    void mask_and_sum(Script& s, const VectorTiles& t, isa::CoreId core, std::int64_t slot) const;
    [[nodiscard]] bool sums_states() const { return version_.states != States::Given; }
    [[nodiscard]] std::int64_t slots() const;

    LinearAttentionShape shape_;
    LinearAttentionVersion version_;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile mask_;
    isa::Tile scores_; ///< q k^T, then masked, per core
    isa::Tile sums_;   ///< k^T v, then the state, per core; or all states, given
    isa::Tile o_;
};

} // namespace npusim::kernels
