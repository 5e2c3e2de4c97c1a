// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/softmax_tiling.h"
#include "kernels/common/hand_over.h"
#include "kernels/common/stream.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace npusim::kernels {

/// Stands for minus infinity in scores and maxima: far below any score, and a difference of two of
/// them is still finite.
inline constexpr float kMaskedScore = -1e30F;

/// Consecutive queries of a side that are consecutive rows in GM too.
struct QueryRun {
    std::int64_t row = 0; ///< of the side
    isa::Tile q;          ///< [rows, key_size] in GM
    isa::Tile o;          ///< [rows, value_size] in GM
};

/// Where the state of the softmax goes, in fp32, if other cores see other keys of these queries.
struct PartialOutput {
    isa::Tile o;   ///< [rows, value_size]: sums of exp(score - max) v
    isa::Tile max; ///< [1, rows]
    isa::Tile sum; ///< [1, rows]: sums of exp(score - max)
};

/// The queries of an item that one vector core has. Keys are counted from the item's first.
struct QuerySide {
    std::int64_t lane = 0;
    std::int64_t rows = 0;
    std::vector<QueryRun> runs;
    bool q_cold = false;      ///< in HBM rather than in L2
    bool o_cold = false;      ///< the same, of the partial output too
    std::int64_t masked = 0;  ///< keys from here on are seen as row 0, 1, .. of `mask` says
    std::int64_t visible = 0; ///< keys that any of the rows sees
    isa::Tile mask;           ///< [.., at least rows]: what is added to scores, in GM
    std::optional<PartialOutput> partial;
};

/// Queries that attend to the same keys.
struct AttentionItem {
    isa::Tile k;       ///< [keys, key_size] in GM
    isa::Tile v;       ///< [keys, value_size] in GM; unused where it lies in k
    bool cold = false; ///< k and v are in HBM rather than in L2
    std::vector<QuerySide> sides;
};

/// Scratch in GM for what passes between cube and vector units, on all AI cores.
struct AttentionScratch {
    isa::Tile scores;
    isa::Tile weights;
    isa::Tile outputs;
};

/// The shape of such a tensor.
struct ScratchShape {
    DType dtype = DType::Fp32;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
};
ScratchShape scores_shape(const config::HardwareConfig& hardware, const SoftmaxTiling& tiling);
ScratchShape weights_shape(const config::HardwareConfig& hardware,
                           const AttentionHead& head,
                           const SoftmaxTiling& tiling);
ScratchShape outputs_shape(const config::HardwareConfig& hardware,
                           const AttentionHead& head,
                           const SoftmaxTiling& tiling);

/// FlashAttention (arXiv 2205.14135, 2307.08691) on one AI core: the softmax of a row of scores is
/// formed block by block of keys, with a running maximum m and sum l,
///
///     S = k q^T,  m' = max(m, columns of scale S + mask),  P = exp(S - m'),
///     l = l exp(m - m') + columns of P,  O = O exp(m - m') + P^T v,  in the end O / l.
///
/// Scores are kept transposed, [keys, queries]: maxima and sums are then folds of whole rows, and m
/// is a row that repeats with stride 0. P goes to the cube through a transposed load. Work is
/// pipelined over blocks: a call of `advance` emits the scores of the next block, the weights of
/// the one before it and the outputs of the one before that, so each unit has its own to do.
class OnlineSoftmax {
  public:
    OnlineSoftmax(const config::HardwareConfig& hardware,
                  isa::CoreId core,
                  const AttentionHead& head,
                  const SoftmaxTiling& tiling,
                  std::int64_t mask_rows,
                  const AttentionScratch& scratch);

    /// Takes up the keys of `item` from `begin` on, a block of them.
    void advance(const std::shared_ptr<const AttentionItem>& item, std::int64_t begin);
    /// Emits what is left of the last blocks.
    void drain();
    isa::Block& take() { return s_.take(); }
    isa::Block& finish() { return s_.finish(); }

  private:
    /// What belongs to a vector core.
    struct Lane {
        Ring queries;
        Ring weights;
        Ring scores;
        Ring maxima;
        Ring sums;
        Ring factors;
        Ring score_slots;  ///< in GM, on a split chip
        Ring output_slots; ///< the same
        isa::Tile product; ///< in L0C
        isa::Tile q;       ///< of the item whose scores come next
        isa::Tile max;     ///< so far
        isa::Tile mask;    ///< that is loaded, in GM
    };
    /// What a side has in a block.
    struct Part {
        const QuerySide* side = nullptr;
        std::int64_t keys = 0;
        std::int64_t cols = 0; ///< rows of the side, filled up to what a tile takes
        bool last = false;
        std::vector<isa::Tile> products; ///< scores in L0C, or in GM
        std::vector<isa::Tile> scores;   ///< in UB
        std::vector<isa::Tile> weights;
        isa::Tile max;
        isa::Tile sum;                  ///< of the whole row of weights, once all are there
        isa::Tile factor;               ///< exp(m - m'), as a column of blocks
        std::vector<isa::Tile> outputs; ///< by piece of value_size, in GM
    };
    struct Block {
        std::shared_ptr<const AttentionItem> item;
        std::int64_t begin = 0;
        std::int64_t end = 0;
        std::vector<Part> parts;
        std::vector<isa::Tile> keys;
    };

    /// The share of a vector core in `scratch`: `count` tiles in GM.
    Ring slots(isa::CoreId core, std::int64_t lane, const isa::Tile& scratch, std::int64_t count);
    Lane& lane_of(const Part& part) { return lanes_[static_cast<std::size_t>(part.side->lane)]; }
    [[nodiscard]] Block make_block(const std::shared_ptr<const AttentionItem>& item,
                                   std::int64_t begin) const;
    [[nodiscard]] std::int64_t chunks(const Block& block) const;
    [[nodiscard]] std::int64_t chunk_keys(const Part& part, std::int64_t chunk) const;
    void step(std::optional<Block> next);

    void load_queries(const Block& block);
    void score(Block& block, std::int64_t chunk);
    void receive(Block& block, std::int64_t chunk);
    void find_maximum(const Block& block, Part& part);
    void apply_mask(const Block& block, const Part& part, std::int64_t chunk);
    void update_maximum(const Block& block, Part& part, const isa::Tile& peak);
    void weigh(const Block& block, Part& part, std::int64_t chunk);
    isa::Tile load_values(const Block& block, std::int64_t chunk, std::int64_t col);
    void multiply(Block& block, std::int64_t chunk, const isa::Tile& value);
    void multiply_pieces(Block& block);
    void close(Part& part);
    void send_outputs(Block& block);
    void add_outputs(const Block& block);
    void add_piece(const Block& block, const Part& part, std::size_t piece);
    void fetch(const Part& part, std::size_t piece, const isa::Tile& to, std::int64_t row);
    void store_outputs(const Part& part);
    void store_piece(const Part& part, std::size_t piece);
    /// Columns of outputs from that of `piece` on, and the accumulator of a side in UB.
    [[nodiscard]] isa::Tile output_of(const Part& part, std::size_t piece) const;
    [[nodiscard]] std::int64_t column_of(std::size_t piece) const {
        return static_cast<std::int64_t>(piece) * t_.values;
    }
    [[nodiscard]] std::int64_t width_at(std::int64_t col) const {
        return std::min(t_.values, head_.value_size - col);
    }
    [[nodiscard]] bool in_pieces() const { return t_.values < head_.value_size; }
    /// into [F,C] = op of the rows of `from`, F at a time, and of `into` unless it is fresh.
    template <class Op> void fold(const isa::Tile& into, const isa::Tile& from, bool fresh);
    /// The first row of `tile` = op of all of them.
    template <class Op> void fold_to_row(const isa::Tile& tile);

    const config::HardwareConfig& hardware_;
    AttentionHead head_;
    SoftmaxTiling t_;
    bool split_; ///< the cube's results reach a vector core over GM
    Stream s_;
    HandOver weight_way_;
    Ring keys_;
    std::optional<Ring> values_;
    Ring lefts_;
    Ring rights_;
    Ring products_;
    Ring pieces_;
    isa::Tile peak_;
    isa::Tile sum_;
    isa::Tile mask_;
    std::vector<isa::Tile> outputs_; ///< by piece of value_size
    isa::Tile divisor_;
    std::vector<Lane> lanes_;
    std::optional<Block> now_;
    std::optional<Block> before_;
};

} // namespace npusim::kernels
