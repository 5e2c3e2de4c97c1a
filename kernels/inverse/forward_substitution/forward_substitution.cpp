// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/forward_substitution/forward_substitution.h"

#include "kernels/common/batch_layout.h"
#include "kernels/common/emitter.h"

#include <algorithm>
#include <vector>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::Emitter;
using kernels::Ticket;

constexpr std::int64_t kBlockFloats = isa::kVectorBlockBytes / 4;
/// Rows of T multiplied and summed at a time: bounds the scratch panel.
constexpr std::int64_t kPanelRows = 64;

/// UB of one vector core.
struct Buffers {
    std::vector<Tile> slots; ///< [n,n] in the problem's dtype: A on the way in, T on the way out
    Tile t;                  ///< [n,n] fp32; the slot itself when the problem is fp32
    Tile row;                ///< [1,n] fp32: row i of A
    Tile factors;            ///< [n,8] fp32: row i of A, each entry filling a 32-byte block
    Tile panel;              ///< [kPanelRows,w] fp32: products to be summed
    Tile units;              ///< [8,2n] fp32: row r holds a one at n + r
};

class ForwardSubstitutionPlan : public kernels::Plan {
  public:
    ForwardSubstitutionPlan(const config::HardwareConfig& hardware, const kernels::Problem& problem)
        : hardware_(hardware), problem_(problem), layout_(hardware, problem),
          units_(layout_.gm.tile(DType::Fp32, kBlockFloats, 2 * problem.chunk)),
          width_(std::min(problem.chunk, hardware.vector.repeat_bytes / 4)),
          split_(hardware.composition == config::Composition::Split), buffers_(allocate()) {}

    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        if (split_ && core.unit == 0) {
            return {}; // the cube core has no vector unit
        }
        const std::int64_t per_core = split_ ? hardware_.vector_cores : 1;
        const std::int64_t worker = core.ai_core * per_core + (split_ ? core.unit - 1 : 0);
        return sweep(kernels::share(problem_.count, hardware_.ai_cores * per_core, worker));
    }
    [[nodiscard]] std::int64_t gm_bytes() const override { return layout_.gm.used(); }
    [[nodiscard]] Tile input(std::int64_t index) const override { return layout_.input(index); }
    [[nodiscard]] Tile output(std::int64_t index) const override { return layout_.output(index); }
    void write_constants(functional::GlobalMemory& gm) const override {
        std::vector<float> values(static_cast<std::size_t>(units_.rows * units_.cols), 0.0F);
        for (std::int64_t r = 0; r < units_.rows; ++r) {
            values[static_cast<std::size_t>(r * units_.cols + problem_.chunk + r)] = 1.0F;
        }
        kernels::write_tile(gm, units_, values);
    }

  private:
    /// Two slots where UB has room for them, one otherwise.
    [[nodiscard]] Buffers allocate() const {
        const std::int64_t n = problem_.chunk;
        kernels::Allocator ub(hardware_, Memory::Ub);
        Buffers buffers;
        buffers.slots.push_back(ub.tile(problem_.dtype, n, n));
        buffers.t = in_place() ? buffers.slots[0] : ub.tile(DType::Fp32, n, n);
        buffers.row = ub.tile(DType::Fp32, 1, n);
        buffers.factors = ub.tile(DType::Fp32, n, kBlockFloats);
        buffers.panel = ub.tile(DType::Fp32, kPanelRows, width_);
        buffers.units = ub.tile(DType::Fp32, kBlockFloats, 2 * n);
        const std::int64_t slot_bytes = buffers.slots[0].bytes();
        if (ub.used() + slot_bytes <= hardware_.buffer(Memory::Ub).size_bytes) {
            buffers.slots.push_back(ub.tile(problem_.dtype, n, n));
        }
        return buffers;
    }
    [[nodiscard]] bool in_place() const { return problem_.dtype == DType::Fp32; }

    isa::Program sweep(kernels::Range matrices) const {
        Emitter emit(hardware_);
        const std::size_t slots = buffers_.slots.size();
        std::vector<Ticket> loaded(slots);
        std::vector<Ticket> stored(slots);
        const auto load = [&](std::int64_t index) {
            const std::size_t slot = static_cast<std::size_t>(index - matrices.begin) % slots;
            emit.await(Pipe::Mte3, Pipe::Mte2, stored[slot]);
            emit(isa::Copy{buffers_.slots[slot], input(index), true});
            loaded[slot] = emit.signal(Pipe::Mte2, Pipe::Vector);
        };
        if (matrices.size() == 0) {
            co_return;
        }
        emit(isa::Copy{buffers_.units, units_});
        if (!in_place()) {
            emit(isa::Vdup{buffers_.t, 0.0F}); // right of the diagonal nothing is ever written
        }
        load(matrices.begin);
        for (std::int64_t index = matrices.begin; index < matrices.end; ++index) {
            const std::size_t slot = static_cast<std::size_t>(index - matrices.begin) % slots;
            if (slots > 1 && index + 1 < matrices.end) {
                load(index + 1);
            }
            emit.await(Pipe::Mte2, Pipe::Vector, loaded[slot]);
            const Tile& a = buffers_.slots[slot];
            const Tile& t = in_place() ? a : buffers_.t;
            for (std::int64_t i = 0; i < problem_.chunk; ++i) {
                sweep_row(emit, a, t, i);
            }
            if (!in_place()) {
                emit(isa::Vcast{a, t});
            }
            emit.await(Pipe::Vector, Pipe::Mte3, emit.signal(Pipe::Vector, Pipe::Mte3));
            emit(isa::Copy{output(index), a, true});
            stored[slot] = emit.signal(Pipe::Mte3, Pipe::Mte2);
            if (slots == 1 && index + 1 < matrices.end) {
                load(index + 1);
            }
            co_yield emit.block();
        }
    }

    /// T[i,:] = e_i + sum over j < i of A[i,j] T[j,:], in column panels of one repeat.
    void sweep_row(Emitter& emit, const Tile& a, const Tile& t, std::int64_t i) const {
        if (i > 0) {
            Tile row = a.block(i, 0, 1, i);
            if (!in_place()) {
                const Tile wide = buffers_.row.block(0, 0, 1, i);
                emit(isa::Vcast{wide, row});
                row = wide;
            }
            emit(isa::Vbrcb{buffers_.factors.block(0, 0, i, kBlockFloats), row});
        }
        for (std::int64_t column = 0; column <= i; column += width_) {
            const Tile result = t.block(i, column, 1, width_);
            emit(unit_row(result, i, column));
            // Rows above `column` are zero in this panel.
            for (std::int64_t j = column; j < i; j += kPanelRows) {
                add_rows(emit, result, t, column, j, std::min(i, j + kPanelRows));
            }
        }
    }

    /// result = e_i restricted to the panel at `column`: a window of the table of unit rows, whose
    /// start is a multiple of 32 bytes for every i.
    [[nodiscard]] isa::Vadd
    unit_row(const Tile& result, std::int64_t i, std::int64_t column) const {
        const std::int64_t start = problem_.chunk - i / kBlockFloats * kBlockFloats + column;
        const Tile one = buffers_.units.block(i % kBlockFloats, start, 1, width_);
        const Tile zero = buffers_.units.block(0, 0, 1, width_);
        return isa::Vadd{{result, one, zero}};
    }

    /// result += sum over j in [from, to) of A[i,j] T[j, column..]: products, then a tree of sums.
    void add_rows(Emitter& emit,
                  const Tile& result,
                  const Tile& t,
                  std::int64_t column,
                  std::int64_t from,
                  std::int64_t to) const {
        const auto panel = [&](std::int64_t row, std::int64_t rows) {
            return buffers_.panel.block(row, 0, rows, width_);
        };
        std::int64_t rows = to - from;
        emit(isa::Vmul{{panel(0, rows),
                        t.block(from, column, rows, width_),
                        buffers_.factors.block(from, 0, rows, kBlockFloats)}});
        while (rows > 1) {
            const std::int64_t half = rows / 2;
            emit(isa::Vadd{{panel(0, half), panel(0, half), panel(rows - half, half)}});
            rows -= half;
        }
        emit(isa::Vadd{{result, result, panel(0, 1)}});
    }

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    kernels::BatchLayout layout_;
    Tile units_;         ///< the table of unit rows in GM
    std::int64_t width_; ///< columns of a panel: one repeat of fp32
    bool split_;
    Buffers buffers_;
};

} // namespace

std::unique_ptr<kernels::Plan>
ForwardSubstitution::plan(const config::HardwareConfig& hardware,
                          const kernels::Problem& problem,
                          const kernels::ParameterValues& /*values*/) const {
    return std::make_unique<ForwardSubstitutionPlan>(hardware, problem);
}

} // namespace npusim::inverse
