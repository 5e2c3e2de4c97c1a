// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/decode_shape.h"
#include "kernels/common/operator.h"

namespace npusim::kernels {

/// Second pass of a split DecodeAttention of the same shape: from its `partial_o`, `partial_max`
/// and `partial_sum` to `o`. A part counts exp(its maximum - the largest) times.
class DecodeCombine : public Operator {
  public:
    DecodeCombine(const config::HardwareConfig& hardware, const DecodeAttentionShape& shape);
    [[nodiscard]] std::string_view name() const override { return "decode-combine"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    /// Tiles of a core.
    struct Rooms;
    /// `rows` of one sequence and kv head.
    void combine(Stream& s,
                 Rooms& rooms,
                 std::int64_t sequence,
                 std::int64_t kv_head,
                 const Range& rows) const;

    DecodeAttentionShape shape_;
    DecodeSplit split_;
    PartialOutput partial_;
    isa::Tile o_;
};

} // namespace npusim::kernels
