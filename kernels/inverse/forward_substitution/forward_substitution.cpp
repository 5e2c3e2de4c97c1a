// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/forward_substitution/forward_substitution.h"

#include "kernels/common/vector_tiles.h"
#include "kernels/inverse/vector_sweep.h"

#include <algorithm>
#include <vector>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::Emitter;
using kernels::kBlockFloats;

/// Rows of T multiplied and summed at a time: bounds the scratch panel.
constexpr std::int64_t kPanelRows = 64;

class ForwardSubstitutionPlan : public VectorSweepPlan {
  public:
    ForwardSubstitutionPlan(const config::HardwareConfig& hardware, const kernels::Problem& problem)
        : VectorSweepPlan(hardware, problem), width_(panel_width()),
          units_in_gm_(gm().tile(DType::Fp32, kBlockFloats, 2 * chunk())),
          row_(ub().tile(DType::Fp32, 1, chunk())),
          factors_(ub().tile(DType::Fp32, chunk(), kBlockFloats)),
          panel_(ub().tile(DType::Fp32, kPanelRows, width_)),
          units_(ub().tile(DType::Fp32, kBlockFloats, 2 * chunk())) {
        add_slot();
    }

    void write_constants(functional::GlobalMemory& gm) const override {
        std::vector<float> values(static_cast<std::size_t>(units_.rows * units_.cols), 0.0F);
        for (std::int64_t r = 0; r < units_.rows; ++r) {
            values[static_cast<std::size_t>(r * units_.cols + chunk() + r)] = 1.0F;
        }
        kernels::write_tile(gm, units_in_gm_, values);
    }

  private:
    void set_up(Emitter& emit) const override {
        emit(isa::Copy{units_, units_in_gm_});
        if (!in_place()) {
            emit(isa::Vdup{wide(), 0.0F}); // right of the diagonal nothing is ever written
        }
    }

    void invert(Emitter& emit, const Tile& a, const Tile& t, float scale) const override {
        for (std::int64_t i = 0; i < chunk(); ++i) {
            sweep_row(emit, a, t, i, scale);
        }
    }

    /// T[i,:] = e_i + sum over j < i of A[i,j] T[j,:], in column panels of one repeat.
    void sweep_row(Emitter& emit, const Tile& a, const Tile& t, std::int64_t i, float scale) const {
        if (i > 0) {
            Tile row = a.block(i, 0, 1, i);
            if (!in_place()) {
                const Tile wide = row_.block(0, 0, 1, i);
                widen(emit, wide, row, scale);
                row = wide;
            }
            emit(isa::Vbrcb{factors_.block(0, 0, i, kBlockFloats), row});
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
        const std::int64_t start = chunk() - i / kBlockFloats * kBlockFloats + column;
        const Tile one = units_.block(i % kBlockFloats, start, 1, width_);
        const Tile zero = units_.block(0, 0, 1, width_);
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
            return panel_.block(row, 0, rows, width_);
        };
        std::int64_t rows = to - from;
        emit(isa::Vmul{{panel(0, rows),
                        t.block(from, column, rows, width_),
                        factors_.block(from, 0, rows, kBlockFloats)}});
        while (rows > 1) {
            const std::int64_t half = rows / 2;
            emit(isa::Vadd{{panel(0, half), panel(0, half), panel(rows - half, half)}});
            rows -= half;
        }
        emit(isa::Vadd{{result, result, panel(0, 1)}});
    }

    std::int64_t width_; ///< columns of a panel
    Tile units_in_gm_;
    Tile row_;     ///< [1,n] fp32: row i of A
    Tile factors_; ///< [n,8] fp32: row i of A, each entry filling a 32-byte block
    Tile panel_;   ///< [kPanelRows,w] fp32: products to be summed
    Tile units_;   ///< [8,2n] fp32: row r holds a one at n + r
};

} // namespace

std::unique_ptr<kernels::Plan>
ForwardSubstitution::plan(const config::HardwareConfig& hardware,
                          const kernels::Problem& problem,
                          const kernels::ParameterValues& /*values*/) const {
    return std::make_unique<ForwardSubstitutionPlan>(hardware, problem);
}

} // namespace npusim::inverse
