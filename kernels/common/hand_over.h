// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/stream.h"

namespace npusim::kernels {

/// The way between the cube and the vector unit of an AI core: through local buffers where the chip
/// joins them (L0C -> UB, UB -> L1), over a few tiles in GM, used in turn, where it does not.
class HandOver {
  public:
    /// `scratch` [ai_cores * slots * rows, cols] in GM: slots of [rows, cols] for every AI core,
    /// reserved by `scratch_rows`. Data of any dtype that fits a slot may pass.
    HandOver(Stream& stream,
             const config::HardwareConfig& hardware,
             isa::CoreId core,
             const isa::Tile& scratch);

    /// Rows of the scratch tensor that serves slots of `rows`.
    static std::int64_t scratch_rows(const config::HardwareConfig& hardware, std::int64_t rows) {
        return hardware.ai_cores * kSlots * rows;
    }

    /// to [R,C] in UB = from [R,C] in L0C, converted on the way.
    void to_vector(const isa::Tile& to, const isa::Tile& from);
    /// to [R,C] in L1 = from [R,C] in UB, in one dtype.
    void to_cube(const isa::Tile& to, const isa::Tile& from);

  private:
    static constexpr std::int64_t kSlots = 4;

    /// The next slot, in the shape and dtype of `like`.
    isa::Tile next(const isa::Tile& like);

    Stream& s_;
    const config::HardwareConfig& hardware_;
    std::vector<isa::Tile> slots_;
    std::size_t turn_ = 0;
};

} // namespace npusim::kernels
