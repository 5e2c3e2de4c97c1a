// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace npusim::config {

/// What one gate of the delta rule decays.
enum class Decay : std::uint8_t {
    Head,    ///< all of a head's state (gated delta net)
    Channel, ///< each key channel by itself (Kimi delta attention)
};

/// The gated delta rule of a linear-attention layer.
struct LinearAttentionConfig {
    std::int64_t key_heads = 0;
    std::int64_t value_heads = 0; ///< head h uses key head h * key_heads / value_heads
    std::int64_t key_size = 0;    ///< of a head
    std::int64_t value_size = 0;
    std::int64_t convolution = 0; ///< taps, over q, k and v
    Decay decay = Decay::Head;
    std::int64_t gate_rank = 0; ///< of the low-rank output gate and decay; 0: full rank
};

enum class AttentionKind : std::uint8_t {
    Gqa, ///< grouped queries
    Mla, ///< multi-head latent attention: keys and values from one latent vector a token
};

/// A softmax attention layer.
struct FullAttentionConfig {
    AttentionKind kind = AttentionKind::Gqa;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t key_size = 0; ///< of a head, rotated part included
    std::int64_t value_size = 0;
    std::int64_t rotary = 0;  ///< leading dimensions of a head that are rotated; 0: none
    bool output_gate = false; ///< o * sigmoid(gate), the gate from the query projection
    bool head_norm = false;   ///< RMSNorm over each head of q and k
    std::int64_t latent = 0;  ///< of Mla
    std::int64_t shared = 0;  ///< of Mla: key dimensions all heads share
};

struct ExpertsConfig {
    std::int64_t count = 0;
    std::int64_t top_k = 0;
    std::int64_t intermediate = 0; ///< of each
    std::int64_t shared = 0;       ///< intermediate size of the expert every token takes; 0: none
};

/// Sizes of a decoder, from its published configuration.
struct ModelConfig {
    std::string name;
    std::string source;
    std::int64_t hidden = 0;
    std::int64_t layers = 0;
    std::int64_t vocabulary = 0;
    std::vector<std::int64_t> full_layers; ///< numbers, from 1, of the softmax attention layers
    LinearAttentionConfig linear;
    FullAttentionConfig attention;
    std::int64_t dense = 0;        ///< intermediate size of a dense feed-forward; 0: none
    std::int64_t dense_layers = 0; ///< leading layers that are dense beside experts
    std::optional<ExpertsConfig> experts;

    [[nodiscard]] bool is_full(std::int64_t layer) const;  ///< from 1
    [[nodiscard]] bool is_dense(std::int64_t layer) const; ///< from 1
};

/// Reads and validates a model file. Throws one ConfigError that lists every fault with its place.
ModelConfig load_model(const std::string& path);

} // namespace npusim::config
