// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/memory_probe.h"

namespace npusim::kernels {

using isa::Tile;

namespace {

constexpr std::int64_t kBuffers = 2;

} // namespace

MemoryProbe::MemoryProbe(const config::HardwareConfig& hardware, const MemoryProbeShape& shape)
    : SteadyKernel(hardware), shape_(shape), deal_(ceil_div(shape.bytes, shape.tile), workers()),
      x_(add("x",
             shape.probe == Probe::Write ? Tensor::Role::Output : Tensor::Role::Input,
             DType::Fp16,
             deal_.tiles,
             shape.tile / bytes_of(DType::Fp16, 1))) {}

std::int64_t MemoryProbe::workers() const {
    const std::int64_t vectors = split() ? hardware().vector_cores : 1;
    switch (shape_.probe) {
    case Probe::ReadByCube:
        return hardware().ai_cores;
    case Probe::ReadByBoth:
        return hardware().ai_cores * (split() ? 1 + vectors : 1);
    case Probe::ReadByVector:
    case Probe::Write:
        break;
    }
    return hardware().ai_cores * vectors;
}

std::int64_t MemoryProbe::worker(isa::CoreId core) const {
    if (!split()) {
        return core.ai_core;
    }
    switch (shape_.probe) {
    case Probe::ReadByCube:
        return core.unit == 0 ? core.ai_core : -1;
    case Probe::ReadByBoth:
        return core.ai_core * (1 + hardware().vector_cores) + core.unit;
    case Probe::ReadByVector:
    case Probe::Write:
        break;
    }
    return core.unit == 0 ? -1 : core.ai_core * hardware().vector_cores + core.unit - 1;
}

double MemoryProbe::bytes() const {
    return static_cast<double>(deal_.tiles * shape_.passes * shape_.tile);
}

isa::Program MemoryProbe::program(isa::CoreId core) const {
    const std::int64_t index = worker(core);
    if (index < 0) {
        co_return;
    }
    Script s(hardware(), core);
    const bool cube = split() ? core.unit == 0 : shape_.probe == Probe::ReadByCube;
    const std::vector<Tile> tiles =
        queue_tiles(s, cube ? Memory::L1 : Memory::Ub, DType::Fp16, 1, x_.cols, kBuffers);
    const std::int64_t mine = deal_.of(index);
    for (std::int64_t i = 0; i < mine * shape_.passes; ++i) {
        const Tile gm = x_.block(index * deal_.each + i % mine, 0, 1, x_.cols);
        const Tile& local = tiles[static_cast<std::size_t>(i % kBuffers)];
        s(shape_.probe == Probe::Write ? isa::Copy{gm, local, shape_.cold}
                                       : isa::Copy{local, gm, shape_.cold, false, shape_.bypass});
        co_yield s.block();
    }
}

isa::Program BarrierProbe::program(isa::CoreId core) const {
    Script s(hardware(), core);
    for (std::int64_t i = 0; i < limited(barriers_); ++i) {
        s.sync_all();
        co_yield s.block();
    }
}

} // namespace npusim::kernels
