// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/stream.h"

namespace npusim::kernels {

/// The way between the cube and the vector unit of an AI core: through local buffers where the chip
/// joins them (L0C -> UB, UB -> L1), over a few tiles in GM, used in turn, where it does not. Each
/// direction has tiles of its own, so that one never waits for the other.
class HandOver {
  public:
    /// `scratch` [scratch_rows(rows), cols] in GM: slots of [rows, cols] for every AI core. Data of
    /// any dtype that fits a slot may pass.
    HandOver(Stream& stream,
             const config::HardwareConfig& hardware,
             isa::CoreId core,
             const isa::Tile& scratch);

    /// Rows of the scratch tensor that serves slots of `rows`.
    static std::int64_t scratch_rows(const config::HardwareConfig& hardware, std::int64_t rows) {
        return hardware.ai_cores * 2 * kSlots * rows;
    }

    /// to [R,C] in UB = from [R,C] in L0C, converted on the way.
    void to_vector(const isa::Tile& to, const isa::Tile& from);
    /// to [R,C] in L1 = from [R,C] in UB, in one dtype.
    void to_cube(const isa::Tile& to, const isa::Tile& from);

  private:
    static constexpr std::int64_t kSlots = 4;

    /// The slots of this AI core from number `first` on.
    Ring ring(const isa::Tile& scratch, isa::CoreId core, std::int64_t first);
    /// The next of `slots`, in the shape and dtype of `like`.
    static isa::Tile next(Ring& slots, const isa::Tile& like);

    Stream& s_;
    const config::HardwareConfig& hardware_;
    Ring up_;   ///< to the vector unit
    Ring down_; ///< to the cube
};

} // namespace npusim::kernels
