// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/batch_layout.h"
#include "kernels/common/emitter.h"
#include "kernels/common/kernel.h"
#include "kernels/inverse/scales.h"

#include <vector>

namespace npusim::inverse {

/// What the inverses on the vector unit share: matrices are dealt to all vector cores; A comes and
/// T goes behind the computation, in two slots of UB where it has room; T is fp32 until it is done
/// and then rounded once.
///
/// A kernel allocates its scratch in its constructor, says `add_slot` last, and emits the rest:
/// `set_up` once a core, `invert` for each matrix. Throws ConfigError if UB is too small.
class VectorSweepPlan : public kernels::Plan {
  public:
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override;
    [[nodiscard]] std::int64_t gm_bytes() const override { return layout_.gm.used(); }
    [[nodiscard]] isa::Tile input(std::int64_t index) const override {
        return layout_.input(index);
    }
    [[nodiscard]] isa::Tile output(std::int64_t index) const override {
        return layout_.output(index);
    }

    [[nodiscard]] double input_scale(std::int64_t index) const override {
        return scales_.input(index);
    }
    [[nodiscard]] double output_scale(std::int64_t index,
                                      const functional::GlobalMemory& /*gm*/) const override {
        return scales_.output(index);
    }
    [[nodiscard]] std::vector<std::string> steps() const override { return {"T"}; }

  protected:
    VectorSweepPlan(const config::HardwareConfig& hardware, const kernels::Problem& problem);

    /// Loads constants, clears scratch; the first matrix is loaded behind it by the same MTE2.
    virtual void set_up(kernels::Emitter& emit) const = 0;
    /// t [n,n] fp32 = (I - a)^-1, from a [n,n] in the problem's dtype. One tile if that is fp32.
    /// What is cast of a is to be multiplied by `scale`, unless that is 1.
    virtual void
    invert(kernels::Emitter& emit, const isa::Tile& a, const isa::Tile& t, float scale) const = 0;

    /// to [R,C] fp32 = scale * from [R,C].
    static void
    widen(kernels::Emitter& emit, const isa::Tile& to, const isa::Tile& from, float scale);

    /// A second slot if UB has room for it.
    void add_slot();

    [[nodiscard]] std::int64_t chunk() const { return problem_.chunk; }
    /// Columns of a panel: those of one repeat of fp32, or all.
    [[nodiscard]] std::int64_t panel_width() const;
    /// Whether T grows in A's slot, since both are fp32.
    [[nodiscard]] bool in_place() const { return problem_.dtype == DType::Fp32; }
    /// T while it is fp32, for all matrices of a core; absent if in place.
    [[nodiscard]] const isa::Tile& wide() const { return wide_; }
    kernels::Allocator& gm() { return layout_.gm; }
    kernels::Allocator& ub() { return ub_; }

  private:
    isa::Program sweep(kernels::Range matrices) const;
    isa::Tile make_slot();

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    kernels::BatchLayout layout_;
    EndScales scales_;
    kernels::Allocator ub_;
    std::vector<isa::Tile> slots_; ///< [n,n] in the problem's dtype: A on the way in, T out
    isa::Tile wide_;               ///< [n,n] fp32
};

} // namespace npusim::inverse
