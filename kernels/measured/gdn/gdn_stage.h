// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/gdn/vector_steps.h"
#include "kernels/measured/steady.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/isa/tile.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace npusim::kernels::gdn {

/// What the sources were compiled for.
enum class Build : std::uint8_t {
    A2,
    A5, ///< vector units with registers, no barrier of the vector pipe, barriers at hand-overs
    A5Untuned, ///< as the A2 build, with a barrier of all pipes for each one of the vector pipe
};

/// One call of a chunked gated delta rule.
struct GdnShape {
    std::int64_t batch = 1;
    std::int64_t heads = 16;     ///< of values
    std::int64_t key_heads = 16; ///< a divisor of heads
    std::int64_t tokens = 128;   ///< of each sequence, a multiple of chunk
    std::int64_t size = 128;     ///< of a key and of a value
    std::int64_t chunk = 128;
    Build build = Build::A2;
    std::int64_t cores = 0; ///< AI cores that take part; 0: all

    [[nodiscard]] std::int64_t chunks() const { return tokens / chunk; }
    [[nodiscard]] std::int64_t total() const { return batch * tokens; }
    [[nodiscard]] std::int64_t group() const { return heads / key_heads; }
};

/// A stage of the chunked gated delta rule as huawei-csl/megagdn-pto wrote it for the A2
/// generation (kernels/pto/include): matrices [tokens, heads * size] in fp16, gates per head
/// [heads, tokens] in fp32. The instructions, flags and barriers are those of its sources.
///
/// Throws ConfigError for a shape with ragged chunks and for a chip whose cube and vector units are
/// one core.
class GdnStage : public SteadyKernel {
  public:
    GdnStage(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] isa::Program program(isa::CoreId core) const final;

  protected:
    /// A chunk of a head of a sequence.
    struct Place {
        std::int64_t sequence = 0;
        std::int64_t chunk = 0;
        std::int64_t head = 0;
    };
    [[nodiscard]] virtual isa::Program cube(isa::CoreId core) const = 0;
    [[nodiscard]] virtual isa::Program vector(isa::CoreId core) const = 0;

    [[nodiscard]] const GdnShape& shape() const { return shape_; }
    /// AI cores that take part.
    [[nodiscard]] std::int64_t cores() const {
        return shape_.cores > 0 ? std::min(shape_.cores, hardware().ai_cores) : hardware().ai_cores;
    }
    /// Chunks of all heads, of `core` of those that are dealt them in turn.
    [[nodiscard]] std::int64_t rounds_of_all_heads(isa::CoreId core) const;
    /// [heads, tokens], an element per token and head.
    isa::Tile add_gate(std::string_view name, Tensor::Role role, DType dtype);
    /// [tokens, heads * width] in fp16.
    isa::Tile
    add_tokens(std::string_view name, Tensor::Role role, std::int64_t heads, std::int64_t width);
    /// `states` [sequences * chunks * heads * size, size] in fp16: that before each chunk.
    isa::Tile add_states(Tensor::Role role);
    /// Room of every core between its cube and its vector units: `slots` of [rows, cols] in fp16.
    isa::Tile
    add_workspace(std::string_view name, std::int64_t slots, std::int64_t rows, std::int64_t cols);

    /// Of a tensor by tokens, the rows of `place` that `head` owns: [chunk, width].
    [[nodiscard]] isa::Tile
    tile_of(const isa::Tile& tensor, Place place, std::int64_t head, std::int64_t width) const;
    /// Of a gate, [1, chunk].
    [[nodiscard]] isa::Tile gate_of(const isa::Tile& gate, Place place) const;
    [[nodiscard]] std::int64_t key_head(Place place) const { return place.head / shape_.group(); }
    /// Whether the first of the heads that share a key is at work: it finds the key in HBM.
    [[nodiscard]] bool first_of_group(Place place) const {
        return place.head % shape_.group() == 0;
    }
    /// Between vector ops that need each other's results (PipeBarrierVec of kernel_utils.h).
    void fence(Script& s) const;
    /// Flags between the cube and the vector cores of an AI core.
    void tell_vectors(Script& s, std::int32_t id) const;
    void tell_cube(Script& s, std::int32_t id) const;
    void await_cube(Script& s, std::int32_t id) const;
    void await_vectors(Script& s, std::int32_t id) const;
    /// TROWEXPAND and TCOLEXPAND of the build.
    void row_expand(Script& s, const isa::Tile& to, const isa::Tile& from) const;
    void column_expand(Script& s, const isa::Tile& to, const isa::Tile& from) const;
    /// Chunk number `index` of a core that is dealt whole heads of sequences, in turn.
    [[nodiscard]] Place by_heads(isa::CoreId core, std::int64_t index) const;
    [[nodiscard]] std::int64_t rounds_by_heads(std::int64_t core) const;
    /// Chunk number `index` of a core that is dealt chunks, heads running fastest.
    [[nodiscard]] Place by_chunks(isa::CoreId core, std::int64_t index) const;
    [[nodiscard]] std::int64_t rounds_by_chunks(std::int64_t core) const;

  private:
    GdnShape shape_;
};

/// chunk_cumsum.h: g_sum [tokens, heads] = g summed along each chunk, fp32. One vector core of two
/// works, row by row, all heads at once.
class GdnCumsum final : public GdnStage {
  public:
    GdnCumsum(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gdn-cumsum"; }
    [[nodiscard]] std::int64_t rounds() const override;

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile g_;
    isa::Tile sums_;
};

/// mega_transpose_TH_to_HT of mega_kernel.h: `by_heads` [heads, tokens] from `by_tokens` [tokens,
/// heads]. One vector core of two works.
class GdnTranspose final : public GdnStage {
  public:
    GdnTranspose(const config::HardwareConfig& hardware, const GdnShape& shape, DType dtype);
    [[nodiscard]] std::string_view name() const override { return "gdn-transpose"; }
    [[nodiscard]] std::int64_t rounds() const override;

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile from_;
    isa::Tile to_;
};

/// scaled_dot_kkt.h: a [tokens, heads * chunk] = k k^T * exp(min(g_i + log(beta_i) - g_j, 0)) *
/// mask. Two slots between cube and vector cores.
class GdnKkt final : public GdnStage {
  public:
    GdnKkt(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gdn-kkt"; }
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_heads(0); }

  private:
    struct Tiles;
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    void coefficients(Script& s, const Tiles& t) const;
    isa::Tile k_;
    isa::Tile beta_;
    isa::Tile g_;
    isa::Tile mask_;
    isa::Tile products_; ///< k k^T, two slots per core
    isa::Tile a_;
};

/// wy_fast.h: u = (a * beta) v and w = (a * exp(g) * beta) k. The vector cores scale the columns of
/// a, the cube multiplies.
class GdnWy final : public GdnStage {
  public:
    GdnWy(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gdn-wy"; }
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_chunks(0); }

  private:
    struct Tiles;
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile beta_;
    isa::Tile g_;
    isa::Tile a_;
    isa::Tile by_both_; ///< a * exp(g) * beta, per core
    isa::Tile by_beta_; ///< a * beta, per core
    isa::Tile w_;
    isa::Tile u_;
};

/// chunk_h.h: the states. Per chunk, v = u - w s, then s = exp(g_last) s + (k exp(g_last - g))^T v;
/// s_i before each chunk goes to `states` [chunks * heads * size, size], v to `v`.
class GdnStates final : public GdnStage {
  public:
    GdnStates(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gdn-states"; }
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_heads(0); }

  private:
    struct Tiles;
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    void begin_sequence(Script& s, const Tiles& t, isa::CoreId core, Place place) const;
    void residual(Script& s, const Tiles& t, isa::CoreId core, Place place) const;
    void update(Script& s, const Tiles& t, isa::CoreId core, Place place) const;
    void load_keys(Script& s, const Tiles& t, Place place) const;
    void store_state(Script& s, const Tiles& t, isa::CoreId core, Place place) const;
    [[nodiscard]] isa::Tile state_of(Place place) const;
    /// Workspace slots of a core.
    enum Slot : std::uint8_t { kWs, kKeys, kState, kKv, kSlots };
    [[nodiscard]] isa::Tile slot(isa::CoreId core, Slot which) const;
    isa::Tile k_;
    isa::Tile w_;
    isa::Tile u_;
    isa::Tile g_;
    isa::Tile workspace_;
    isa::Tile states_;
    isa::Tile v_;
};

/// chunk_o.h: o = (q k^T * exp(min(g_i - g_j, 0)) * mask) v + exp(g) * (q s).
class GdnOutputs final : public GdnStage {
  public:
    GdnOutputs(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "gdn-outputs"; }
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_chunks(0); }

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    void coefficients(Script& s, const OutputTiles& t) const;
    void gate_scores(Script& s, const OutputTiles& t, isa::CoreId core) const;
    void combine(Script& s, const OutputTiles& t, isa::CoreId core, Place place) const;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile states_;
    isa::Tile g_;
    isa::Tile mask_;
    isa::Tile scores_; ///< q k^T, per core
    isa::Tile parts_;  ///< q s, then the gated scores times v, per core
    isa::Tile gated_;  ///< the gated scores, per core
    isa::Tile o_;
};

} // namespace npusim::kernels::gdn
