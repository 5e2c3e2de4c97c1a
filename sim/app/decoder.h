// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/operator.h"
#include "sim/app/job.h"
#include "sim/config/hardware.h"
#include "sim/config/model.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::app {

enum class Phase : std::uint8_t {
    Prefill, ///< all tokens of a prompt at once
    Decode,  ///< the next token of each sequence, or a few draft tokens to verify
};
inline constexpr std::array<std::string_view, 2> kPhaseNames{"prefill", "decode"};

/// What of a decoder to run, and how.
struct LayerJob {
    Phase phase = Phase::Prefill;
    std::int64_t tokens = 4096; ///< of each prompt; in decode, what each sequence has behind it
    std::int64_t batch = 1;     ///< sequences
    std::int64_t draft = 1;     ///< in decode, tokens of each sequence that are done together
    std::int64_t chunk = 64;
    DType dtype = DType::Fp16;   ///< activations, states handed to the cube, unquantised weights
    DType weights = DType::Fp16; ///< of projections and experts: `dtype`, int8 or int4
    KernelRequest inverse;
    bool sampled = false; ///< operators are timed by stretches: see sample()

    /// Tokens that pass the layer at once.
    [[nodiscard]] std::int64_t rows() const {
        return batch * (phase == Phase::Prefill ? tokens : draft);
    }
};

/// What an operator is there for; the shares of a layer are by part.
enum class Part : std::uint8_t {
    Projection, ///< dense products of attention
    Norm,       ///< norms, convolution, rotation, gates: element by element
    Chunk,      ///< stages of the chunked delta rule other than the inverse
    Inverse,
    Recurrence, ///< the delta rule token by token
    Attention,  ///< softmax
    FeedForward,
    Head, ///< embedding to logits: once a model
};
inline constexpr std::array<std::string_view, 8> kPartNames{"projection",
                                                            "element-wise",
                                                            "chunk stages",
                                                            "inverse",
                                                            "recurrence",
                                                            "attention",
                                                            "feed-forward",
                                                            "head"};

/// One operator of a layer. `kernel` and `shape` say all there is to know: two steps in which they
/// agree take the same cycles.
struct Step {
    std::string label; ///< what it is for
    Part part = Part::Projection;
    std::string shape;
    std::function<std::unique_ptr<kernels::Operator>()> make;
};

/// The operators of a decoder's layers, in order. A layer is attention and feed-forward, each after
/// a norm that also adds the residual.
///
/// Every operator is a launch of its own and uses all AI cores of the chip: projections deal out
/// tiles of their output, the others heads, tokens or chunks. That is the tensor parallelism within
/// a chip; nothing is exchanged but through global memory.
class Decoder {
  public:
    Decoder(const config::HardwareConfig& hardware,
            const config::ModelConfig& model,
            const LayerJob& job)
        : hardware_(hardware), model_(model), job_(job) {}

    /// Attention of a linear layer, with `inverse` in place of the job's.
    [[nodiscard]] std::vector<Step> linear_attention(const KernelRequest& inverse) const;
    [[nodiscard]] std::vector<Step> full_attention() const;
    [[nodiscard]] std::vector<Step> dense_feed_forward() const;
    [[nodiscard]] std::vector<Step> expert_feed_forward() const;
    /// A whole layer: linear or softmax attention, then a dense or an expert feed-forward.
    [[nodiscard]] std::vector<Step>
    layer(bool full, bool dense, const KernelRequest& inverse) const;
    /// The last norm and the logits of each sequence's last token (of all draft tokens in decode).
    [[nodiscard]] std::vector<Step> head() const;

  private:
    const config::HardwareConfig& hardware_;
    const config::ModelConfig& model_;
    const LayerJob& job_;
};

} // namespace npusim::app
