// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/cube_products.h"

#include <algorithm>

namespace npusim::kernels {

namespace {

constexpr std::int64_t kSlots = 2;

/// The largest K, by halving, for which two slots of [n,K] fit L0A and two of [K,n] fit L0B; no
/// less than a block of the cube or an aligned row of L1. The allocator refuses what does not fit
/// then.
std::int64_t slot_depth(const config::HardwareConfig& hardware, DType dtype, std::int64_t n) {
    const std::int64_t room =
        std::min(hardware.buffer(Memory::L0a).size_bytes, hardware.buffer(Memory::L0b).size_bytes);
    const std::int64_t least =
        std::max(hardware.cube.formats.at(dtype).k,
                 ceil_div(hardware.buffer(Memory::L1).align_bytes, bytes_of(dtype)));
    std::int64_t depth = n;
    while (depth % 2 == 0 && depth / 2 >= least && kSlots * n * depth * bytes_of(dtype) > room) {
        depth /= 2;
    }
    return depth;
}

} // namespace

CubeProducts::CubeProducts(const config::HardwareConfig& hardware,
                           DType dtype,
                           std::int64_t n,
                           Emitter& emit)
    : emit_(emit), n_(n), depth_(slot_depth(hardware, dtype, n)) {
    Allocator l0a(hardware, Memory::L0a);
    Allocator l0b(hardware, Memory::L0b);
    for (std::int64_t i = 0; i < kSlots; ++i) {
        slots_.push_back({l0a.tile(dtype, n, depth_), l0b.tile(dtype, depth_, n), {}});
    }
    Allocator l0c(hardware, Memory::L0c);
    results_.push_back({l0c.tile(DType::Fp32, n, n), {}});
    if (2 * l0c.used() <= hardware.buffer(Memory::L0c).size_bytes) {
        results_.push_back({l0c.tile(DType::Fp32, n, n), {}});
    }
}

void CubeProducts::sum(const isa::Tile& to, std::span<const Term> terms, bool cold) {
    Result& result = results_[next_result_++ % results_.size()];
    emit_.await(Pipe::FixPipe, Pipe::Cube, result.released);
    bool accumulate = false;
    for (const Term& term : terms) {
        multiply(result.c, term, accumulate);
        accumulate = true;
    }
    emit_.await(Pipe::Cube, Pipe::FixPipe, emit_.signal(Pipe::Cube, Pipe::FixPipe));
    emit_(isa::Fixpipe{to, result.c, cold});
    result.released = emit_.signal(Pipe::FixPipe, Pipe::Cube);
}

Operand CubeProducts::sum_to_l1(const isa::Tile& to, std::span<const Term> terms) {
    sum(to, terms);
    return {to, Pipe::FixPipe, emit_.signal(Pipe::FixPipe, Pipe::Mte1)};
}

void CubeProducts::multiply(const isa::Tile& c, const Term& term, bool accumulate) {
    emit_.await(term.left.writer, Pipe::Mte1, term.left.ready);
    emit_.await(term.right.writer, Pipe::Mte1, term.right.ready);
    for (std::int64_t k = 0; k < n_; k += depth_) {
        Slot& slot = slots_[next_slot_++ % slots_.size()];
        emit_.await(Pipe::Cube, Pipe::Mte1, slot.released);
        emit_(isa::Copy{slot.a, term.left.tile.block(0, k, n_, depth_)});
        emit_(isa::Copy{slot.b, term.right.tile.block(k, 0, depth_, n_)});
        emit_.await(Pipe::Mte1, Pipe::Cube, emit_.signal(Pipe::Mte1, Pipe::Cube));
        emit_(isa::Mmad{c, slot.a, slot.b, accumulate || k > 0});
        slot.released = emit_.signal(Pipe::Cube, Pipe::Mte1);
    }
}

} // namespace npusim::kernels
