// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/compiled/compiled_script.h"
#include "kernels/measured/steady.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// Sequences of one length; all tokens one behind the other in one packed batch.
struct CompiledChunkShape {
    std::int64_t sequences = 1;
    std::int64_t tokens = 0; ///< of a sequence
    std::int64_t heads = 1;  ///< of values
    std::int64_t key_heads = 1;
    std::int64_t chunk = 64;
    std::int64_t head_size = 128;
    std::int64_t key_block = 128; ///< of LinearOutputs: columns of Q, K and rows of h in a product

    [[nodiscard]] std::int64_t chunks() const { return sequences * ceil_div(tokens, chunk); }
    /// Chunks of all heads.
    [[nodiscard]] std::int64_t items() const { return chunks() * heads; }
};

/// A stage of the chunked gated delta net.
enum class CompiledStage : std::uint8_t {
    CumulativeGate, ///< cumsum.py: the gates of a chunk summed up, all heads at once
    KeyProducts,    ///< chunk_scaled_dot_kkt.py: A = beta * mask(K K^T) * exp(g_i - g_j)
    Inverse,        ///< solve_tril.py: 16x16 blocks on the vector cores, then merged to 64x64
    WyProducts,     ///< wy_fast.py: U = T (beta V), W = T (beta exp(g) K)
    States,         ///< chunk_delta_h.py: V_new = U - W h, h' = exp(g) h + K^T V_new
    Outputs,        ///< chunk_o.py: O = (Q h) exp(g) + mask(Q K^T) V_new
    /// Linear attention, from given states: O = Q h + mask(Q K^T) V, in two halves of the columns
    /// of V; huawei-csl/pto-kernels, examples/jit_cpp/linear_attention/triton_baseline.
    LinearOutputs,
};

/// Stages of the gated delta net of vllm-project/vllm-ascend v0.18.0rc1,
/// vllm_ascend/ops/triton/fla, compiled by triton-ascend: the baseline of huawei-csl/megagdn-pto.
/// Tile operations, products and their order are those of the sources. Deliberate differences:
///
/// - Work is dealt evenly by chunks. The sources have a program for a chunk (key products, WY) or
///   for a head of a sequence (states, outputs: 256 of them for 24 cores); measured times show no
///   last, partly filled round of the latter (16, 32 and 48 heads take the same time a chunk).
/// - What a program costs at its start is spread over its rounds.
///
/// A round is a chunk of a head; of CumulativeGate, a block of chunks of all heads on either vector
/// core; of Inverse, 1216 tokens of a head on either vector core and the merges that belong to
/// them. Several stages: rounds of `kBatch` chunks, one stage after the other.
class CompiledStages final : public SteadyKernel {
  public:
    CompiledStages(const config::HardwareConfig& hardware,
                   const CompiledChunkShape& shape,
                   std::vector<CompiledStage> stages);

    [[nodiscard]] std::string_view name() const override { return "compiled-stages"; }
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    /// What a core has of the chunks of all heads.
    struct Item {
        std::int64_t row = 0; ///< first token
        std::int64_t head = 0;
        std::int64_t chunk = 0; ///< of all sequences
        std::int64_t turn = 0;  ///< items of this core before
    };

    [[nodiscard]] bool by_head(CompiledStage stage) const;
    [[nodiscard]] Item item(CompiledStage stage, std::int64_t index, std::int64_t turn) const;
    [[nodiscard]] isa::Tile rows_of(const isa::Tile& tensor, const Item& item, bool key) const;
    [[nodiscard]] isa::Tile gate(const isa::Tile& tensor, const Item& item) const;
    /// Workspace `part` of an AI core.
    [[nodiscard]] isa::Tile work(isa::CoreId core,
                                 std::int64_t part,
                                 DType dtype,
                                 std::int64_t rows,
                                 std::int64_t cols) const;

    void cumulative_gate(CompiledScript& c, std::int64_t block) const;
    void key_products(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void wy_products(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void states(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void outputs(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void linear_outputs(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void linear_half(CompiledScript& c, isa::CoreId core, const Item& item, std::int64_t col) const;
    void invert_blocks(CompiledScript& c, std::int64_t block, std::int64_t chunks) const;
    void merge_blocks(CompiledScript& c, isa::CoreId core, const Item& item) const;
    void run(CompiledScript& c, isa::CoreId core, CompiledStage stage, const Item& item) const;
    void drain(CompiledScript& c, CompiledStage stage, std::int64_t items) const;

    [[nodiscard]] std::int64_t gate_blocks() const;
    [[nodiscard]] std::int64_t inverse_blocks() const;
    [[nodiscard]] std::int64_t merges_per_round() const;

    CompiledChunkShape shape_;
    std::vector<CompiledStage> stages_;
    isa::Tile q_;
    isa::Tile k_;
    isa::Tile v_;
    isa::Tile w_;
    isa::Tile u_;
    isa::Tile o_;
    isa::Tile a_;
    isa::Tile blocks_;
    isa::Tile inverse_;
    isa::Tile h_;
    isa::Tile g_;
    isa::Tile g_in_;
    isa::Tile beta_;
    isa::Tile work_;
};

} // namespace npusim::kernels
