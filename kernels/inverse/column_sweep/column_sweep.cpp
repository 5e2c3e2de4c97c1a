// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/column_sweep/column_sweep.h"

#include "kernels/common/vector_tiles.h"
#include "kernels/inverse/vector_sweep.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::Emitter;
using kernels::kBlockFloats;

/// Rows of Y updated at a time: bounds the scratch panel.
constexpr std::int64_t kPanelRows = 64;
/// Side of the squares on the diagonal that A and Y share.
constexpr std::int64_t kSide = isa::kTransposeSide;

/// One fp32 tile is A below the diagonal and Y from the diagonal up. Step m is the last to read
/// row m of A, and from then on the row is all Y's.
class ColumnSweepPlan : public VectorSweepPlan {
  public:
    ColumnSweepPlan(const config::HardwareConfig& hardware, const kernels::Problem& problem)
        : VectorSweepPlan(hardware, problem), width_(panel_width()),
          constants_in_gm_(gm().tile(DType::Fp32, 2 * kSide, kSide)),
          constants_(ub().tile(DType::Fp32, 2 * kSide, kSide)),
          unit_(constants_.block(0, 0, kSide, kSide)),
          upper_(constants_.block(kSide, 0, kSide, kSide)),
          factors_(ub().tile(DType::Fp32, chunk(), kBlockFloats)),
          panel_(ub().tile(DType::Fp32, kPanelRows, width_)) {
        add_slot();
    }

    void write_constants(functional::GlobalMemory& gm) const override {
        constexpr auto kKeep = std::bit_cast<float>(~std::uint32_t{0});
        std::vector<float> values;
        for (std::int64_t i = 0; i < kSide * kSide; ++i) {
            values.push_back(i / kSide == i % kSide ? 1.0F : 0.0F);
        }
        for (std::int64_t i = 0; i < kSide * kSide; ++i) {
            values.push_back(i / kSide <= i % kSide ? kKeep : 0.0F);
        }
        kernels::write_tile(gm, constants_in_gm_, values);
    }

  private:
    void set_up(Emitter& emit) const override { emit(isa::Copy{constants_, constants_in_gm_}); }

    void invert(Emitter& emit, const Tile& a, const Tile& y, float scale) const override {
        if (!in_place()) {
            widen(emit, y, a, scale);
        }
        for (std::int64_t d = 0; d < chunk(); d += kSide) {
            const Tile square = y.block(d, d, kSide, kSide);
            emit(isa::Vadd{{square, square, unit_}});
        }
        for (std::int64_t m = chunk() - 1; m > 0; --m) {
            sweep_column(emit, y, m);
        }
        transpose(emit, y);
    }

    /// Y[r,:] += A[m,r] Y[m,:] for all r < m, right of column m, where alone Y[m,:] is not zero.
    void sweep_column(Emitter& emit, const Tile& y, std::int64_t m) const {
        emit(isa::Vbrcb{factors_.block(0, 0, m, kBlockFloats), y.block(m, 0, 1, m)});
        // In the square that holds (m,m) the update goes over A too: it must add zero there.
        const std::int64_t first = m / kSide * kSide;
        const Tile corner = y.block(m, first, 1, kSide);
        emit(isa::Vand{{corner, corner, upper_.block(m - first, 0, 1, kSide)}});
        for (std::int64_t column = first; column < chunk(); column += width_) {
            const std::int64_t width = std::min(width_, chunk() - column);
            for (std::int64_t r = 0; r < m; r += kPanelRows) {
                const std::int64_t rows = std::min(kPanelRows, m - r);
                const Tile source = kernels::repeated(y.block(m, column, 1, width), rows);
                const Tile product = panel_.block(0, 0, rows, width);
                const Tile target = y.block(r, column, rows, width);
                emit(isa::Vmul{{product, source, factors_.block(r, 0, rows, kBlockFloats)}});
                emit(isa::Vadd{{target, target, product}});
            }
        }
    }

    /// T = Y^T in Y's place: what is above the diagonal goes below it and leaves zeros.
    void transpose(Emitter& emit, const Tile& y) const {
        const Tile turned = panel_.block(0, 0, kSide, kSide);
        for (std::int64_t d = 0; d < chunk(); d += kSide) {
            const Tile square = y.block(d, d, kSide, kSide);
            emit(isa::Vtranspose{turned, square});
            emit(kernels::move(square, turned));
            if (d > 0) {
                const Tile above = y.block(0, d, d, kSide);
                emit(isa::Vtranspose{y.block(d, 0, kSide, d), above});
                emit(isa::Vdup{above, 0.0F});
            }
        }
    }

    std::int64_t width_; ///< columns of a panel
    Tile constants_in_gm_;
    Tile constants_;
    Tile unit_;    ///< [16,16] fp32: I
    Tile upper_;   ///< [16,16] fp32: all ones, bit by bit, from the diagonal up, zero below
    Tile factors_; ///< [n,8] fp32: row m of A, each entry filling a 32-byte block
    Tile panel_;   ///< [kPanelRows,w] fp32: products to be added
};

} // namespace

std::unique_ptr<kernels::Plan> ColumnSweep::plan(const config::HardwareConfig& hardware,
                                                 const kernels::Problem& problem,
                                                 const kernels::ParameterValues& /*values*/) const {
    return std::make_unique<ColumnSweepPlan>(hardware, problem);
}

} // namespace npusim::inverse
