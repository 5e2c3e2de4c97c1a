// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/gdn/gdn_stage.h"

namespace npusim::kernels::gdn {

/// The stages as TileLang generates them for fixed shapes (huawei-csl/pto-kernels,
/// examples/jit_cpp/chunk_gdn/static_baseline and tilelang_codegen; tile-ai/tilelang-ascend):
/// tensors [sequences * heads * tokens, width], and a block for every chunk of every head, which
/// loads all it needs and ends before the core gets the next one.
class TileLangStage : public GdnStage {
  public:
    TileLangStage(const config::HardwareConfig& hardware, const GdnShape& shape)
        : GdnStage(hardware, shape) {}
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_chunks(0); }

  protected:
    isa::Tile add_rows(std::string_view name, Tensor::Role role, std::int64_t width);
    isa::Tile add_row(std::string_view name, Tensor::Role role, DType dtype);
    /// Block number `index` of a core.
    [[nodiscard]] std::int64_t block_of(isa::CoreId core, std::int64_t index) const {
        return index * cores() + core.ai_core;
    }
    /// The chunk of a block: [chunk, width].
    [[nodiscard]] isa::Tile rows_of(const isa::Tile& tensor, std::int64_t block) const;
    [[nodiscard]] isa::Tile row_of(const isa::Tile& gate, std::int64_t block) const;
    /// The end of a block on one of its cores, and the start of the next one, which takes `start`
    /// cycles.
    static void next_block(Script& s, std::int64_t start);
};

class TileLangCumsum final : public TileLangStage {
  public:
    TileLangCumsum(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "tile-lang-cumsum"; }
    [[nodiscard]] std::int64_t rounds() const override;

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile g_;
    isa::Tile sums_;
};

class TileLangKkt final : public TileLangStage {
  public:
    TileLangKkt(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "tile-lang-kkt"; }

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile k_;
    isa::Tile beta_;
    isa::Tile g_;
    isa::Tile mask_;
    isa::Tile products_;
    isa::Tile a_;
};

class TileLangWy final : public TileLangStage {
  public:
    TileLangWy(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "tile-lang-wy"; }

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile beta_;
    isa::Tile g_;
    isa::Tile a_;
    isa::Tile by_both_;
    isa::Tile by_beta_;
    isa::Tile w_;
    isa::Tile u_;
};

/// A block for every head: it goes through all chunks.
class TileLangStates final : public TileLangStage {
  public:
    TileLangStates(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "tile-lang-states"; }
    [[nodiscard]] std::int64_t rounds() const override { return rounds_by_heads(0); }

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    void residual(Script& s, const StateTiles& t, isa::CoreId core, std::int64_t block) const;
    void update(Script& s, const StateTiles& t, isa::CoreId core, std::int64_t block) const;
    [[nodiscard]] std::int64_t chunk_of(isa::CoreId core, std::int64_t index) const;
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

class TileLangOutputs final : public TileLangStage {
  public:
    TileLangOutputs(const config::HardwareConfig& hardware, const GdnShape& shape);
    [[nodiscard]] std::string_view name() const override { return "tile-lang-outputs"; }

  private:
    [[nodiscard]] isa::Program cube(isa::CoreId core) const override;
    [[nodiscard]] isa::Program vector(isa::CoreId core) const override;
    void coefficients(Script& s, const OutputTiles& t) const;
    void gate_scores(Script& s, const OutputTiles& t, std::int64_t block) const;
    void combine(Script& s, const OutputTiles& t, std::int64_t block) const;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile states_;
    isa::Tile g_;
    isa::Tile mask_;
    isa::Tile scores_;
    isa::Tile parts_;
    isa::Tile gated_;
    isa::Tile o_;
};

} // namespace npusim::kernels::gdn
