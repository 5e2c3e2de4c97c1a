// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise/gated.h"

namespace npusim::kernels {

using isa::Tile;
using rowwise::kSlots;

namespace {

/// Columns of a tile that is less than a row are a multiple of this: a 512-byte line of fp16.
constexpr std::int64_t kGranule = 256;

/// Tiles of values and gate in `dtype`, and two in fp32; of fp32 data, one.
rowwise::Grid choose(const config::HardwareConfig& hardware, const GatedShape& shape) {
    rowwise::require_multiple("columns of a gate", shape.cols);
    const std::int64_t wide = shape.dtype == DType::Fp32 ? 1 : 2;
    const auto grid = [&](std::int64_t wanted) {
        return rowwise::make_grid(shape.rows, shape.cols, kGranule, wanted);
    };
    const std::int64_t wanted = rowwise::largest(
        rowwise::preferred_elements(hardware, shape.rows * shape.cols), [&](std::int64_t n) {
            const rowwise::Grid g = grid(n);
            return rowwise::UbPlan(hardware)
                .add(shape.dtype, g.tile_rows, g.tile_cols, 2 * kSlots)
                .add(DType::Fp32, g.tile_rows, g.tile_cols, wide)
                .fits();
        });
    if (wanted == 0) {
        rowwise::refuse_ub(hardware, "a tile of a gate");
    }
    return grid(wanted);
}

} // namespace

Gated::Gated(const config::HardwareConfig& hardware, const GatedShape& shape, Function function)
    : Operator(hardware), shape_(shape), function_(function), grid_(choose(hardware, shape)) {}

void Gated::gate_by(const Tile& values, const Tile& gate) {
    values_ = values;
    gate_ = gate;
    y_ = add("y", Tensor::Role::Output, shape_.dtype, shape_.rows, shape_.cols);
}

/// In UB. y takes the place of the values.
struct Gated::Tiles {
    Tiles(Stream& s, const rowwise::Grid& grid, DType dtype)
        : values(s.ring(Memory::Ub, dtype, grid.tile_rows, grid.tile_cols, kSlots)),
          gates(s.ring(Memory::Ub, dtype, grid.tile_rows, grid.tile_cols, kSlots)),
          wide(s.tile(Memory::Ub, DType::Fp32, grid.tile_rows, grid.tile_cols)) {
        if (dtype != DType::Fp32) {
            wide_gate = s.tile(Memory::Ub, DType::Fp32, grid.tile_rows, grid.tile_cols);
        }
    }
    Ring values;
    Ring gates;
    Tile wide; ///< the divisor, then the values
    Tile wide_gate;
};

void Gated::tile(Stream& s, Tiles& tiles, const rowwise::Grid::Part& part) const {
    const auto dense = [&](const Tile& whole) { return shaped(whole, part.rows, part.cols); };
    const bool cold = spills(values_.rows * values_.stride_bytes);
    const Tile gates = dense(tiles.gates.next());
    const Tile values = dense(tiles.values.next());
    s(isa::Copy{gates, part.of(gate_), cold});
    s(isa::Copy{values, part.of(values_), cold});
    const Tile gate = rowwise::widen(s, gates, dense(tiles.wide_gate));
    const Tile wide = dense(tiles.wide);
    if (function_ == Function::Silu) {
        rowwise::sigmoid_divisor(s, wide, gate);
        s(isa::Vdiv{{gate, gate, wide}});
        const Tile value = rowwise::widen(s, values, wide);
        s(isa::Vmul{{value, value, gate}});
        rowwise::narrow(s, values, value);
    } else {
        rowwise::sigmoid_divisor(s, gate, gate);
        const Tile value = rowwise::widen(s, values, wide);
        s(isa::Vdiv{{value, value, gate}});
        rowwise::narrow(s, values, value);
    }
    s(isa::Copy{part.of(y_), values, spills(y_.bytes())});
}

isa::Program Gated::program(isa::CoreId core) const {
    const auto worker = vector_worker(hardware(), core);
    if (!worker) {
        co_return;
    }
    Stream s(hardware(), core);
    Tiles tiles(s, grid_, shape_.dtype);
    const Range mine = limited(worker->of(grid_.units()), grid_.tile_rows);
    for (std::int64_t unit = mine.begin; unit < mine.end;) {
        const rowwise::Grid::Part part = grid_.part(unit, mine.end);
        tile(s, tiles, part);
        unit += part.rows;
        co_yield s.take();
    }
    co_yield s.finish();
}

SwiGlu::SwiGlu(const config::HardwareConfig& hardware, const GatedShape& shape)
    : Gated(hardware, shape, Function::Silu) {
    const Tile x = add("x", Tensor::Role::Input, shape.dtype, shape.rows, 2 * shape.cols);
    gate_by(x.block(0, shape.cols, shape.rows, shape.cols), x.block(0, 0, shape.rows, shape.cols));
}

SigmoidGate::SigmoidGate(const config::HardwareConfig& hardware, const GatedShape& shape)
    : Gated(hardware, shape, Function::Sigmoid) {
    const Tile x = add("x", Tensor::Role::Input, shape.dtype, shape.rows, shape.cols);
    gate_by(x, add("gate", Tensor::Role::Input, shape.dtype, shape.rows, shape.cols));
}

} // namespace npusim::kernels
