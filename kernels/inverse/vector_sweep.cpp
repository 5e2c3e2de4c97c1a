// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/vector_sweep.h"

#include "kernels/common/vector_tiles.h"

#include <algorithm>

namespace npusim::inverse {

using isa::Tile;
using kernels::Ticket;

VectorSweepPlan::VectorSweepPlan(const config::HardwareConfig& hardware,
                                 const kernels::Problem& problem)
    : hardware_(hardware), problem_(problem), layout_(hardware, problem), scales_(problem),
      ub_(hardware, Memory::Ub), slots_{make_slot()} {
    if (!in_place()) {
        wide_ = ub_.tile(DType::Fp32, problem.chunk, problem.chunk);
    }
}

/// Every row starts on a block of the vector unit, however narrow the dtype.
Tile VectorSweepPlan::make_slot() {
    const std::int64_t n = problem_.chunk;
    const std::int64_t width = std::max(n, 8 * isa::kVectorBlockBytes / bits_of(problem_.dtype));
    return ub_.tile(problem_.dtype, n, width).block(0, 0, n, n);
}

void VectorSweepPlan::add_slot() {
    const std::int64_t bytes = problem_.chunk * slots_[0].stride_bytes;
    if (ub_.used() + bytes <= hardware_.buffer(Memory::Ub).size_bytes) {
        slots_.push_back(make_slot());
    }
}

std::int64_t VectorSweepPlan::panel_width() const {
    return std::min(problem_.chunk, kernels::slice_floats(hardware_));
}

void VectorSweepPlan::widen(kernels::Emitter& emit, const Tile& to, const Tile& from, float scale) {
    emit(isa::Vcast{to, from});
    if (is_integer(from.dtype)) {
        emit(isa::Vmuls{{to, to}, scale});
    }
}

std::int64_t VectorSweepPlan::rounds() const {
    return kernels::rounds_of(problem_.count, kernels::vector_workers(hardware_));
}

isa::Program VectorSweepPlan::program(isa::CoreId core) const {
    const auto worker = kernels::vector_worker(hardware_, core);
    return worker ? sweep(limited(worker->of(problem_.count))) : isa::Program();
}

isa::Program VectorSweepPlan::sweep(kernels::Range matrices) const {
    kernels::Emitter emit(hardware_);
    const std::size_t slots = slots_.size();
    std::vector<Ticket> loaded(slots);
    std::vector<Ticket> stored(slots);
    const auto load = [&](std::int64_t index) {
        const std::size_t slot = static_cast<std::size_t>(index - matrices.begin) % slots;
        emit.await(Pipe::Mte3, Pipe::Mte2, stored[slot]);
        emit(isa::Copy{slots_[slot], input(index), problem_.cold});
        loaded[slot] = emit.signal(Pipe::Mte2, Pipe::Vector);
    };
    if (matrices.size() == 0) {
        co_return;
    }
    set_up(emit);
    load(matrices.begin);
    for (std::int64_t index = matrices.begin; index < matrices.end; ++index) {
        const std::size_t slot = static_cast<std::size_t>(index - matrices.begin) % slots;
        if (slots > 1 && index + 1 < matrices.end) {
            load(index + 1);
        }
        emit.await(Pipe::Mte2, Pipe::Vector, loaded[slot]);
        const Tile& a = slots_[slot];
        invert(emit, a, in_place() ? a : wide_, static_cast<float>(input_scale(index)));
        if (!in_place()) {
            float unit = 1;
            if (is_integer(problem_.dtype)) {
                unit = static_cast<float>(scales_.output(index));
                emit(isa::Vmuls{{wide_, wide_}, static_cast<float>(1 / scales_.output(index))});
            }
            emit(isa::Vcast{a, wide_, 0, unit});
        }
        emit.await(Pipe::Vector, Pipe::Mte3, emit.signal(Pipe::Vector, Pipe::Mte3));
        emit(isa::Copy{output(index), a, problem_.cold});
        stored[slot] = emit.signal(Pipe::Mte3, Pipe::Mte2);
        if (slots == 1 && index + 1 < matrices.end) {
            load(index + 1);
        }
        co_yield emit.block();
    }
}

} // namespace npusim::inverse
