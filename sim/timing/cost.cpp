// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/cost.h"

#include "sim/base/error.h"
#include "sim/isa/instruction.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace npusim::timing {

namespace {

using config::HardwareConfig;
using isa::Tile;

Cycles rounded_up(double cycles) {
    return Cycles{static_cast<std::int64_t>(std::ceil(cycles))};
}

Cycles transfer(const isa::Instruction& instruction,
                const Tile& to,
                const Tile& from,
                const HardwareConfig& hardware) {
    const config::LinkConfig& link = isa::link_of(instruction, to, from, hardware);
    if (to.memory != Memory::Gm && from.memory != Memory::Gm) {
        // The wider side sets the pace: L0C sends whole accumulators even where 16 bits arrive.
        return link.startup + rounded_up(static_cast<double>(std::max(to.bytes(), from.bytes())) /
                                         link.bytes_per_cycle);
    }
    const Tile& gm = to.memory == Memory::Gm ? to : from;
    const bool by_rows = !gm.contiguous() || from.memory == Memory::L0c;
    const std::int64_t runs = by_rows ? gm.rows : 1;
    const double run = static_cast<double>(gm.bytes() / runs) / link.bytes_per_cycle;
    return link.startup +
           rounded_up(static_cast<double>(runs) *
                      std::max(run, by_rows ? static_cast<double>(link.run.count()) : 0));
}

Cycles
vector_cost(std::string_view name, const Tile& widest, bool dense, const HardwareConfig& hardware) {
    const auto found = hardware.vector.ops.find(std::string(name));
    if (found == hardware.vector.ops.end()) {
        throw ProgramError(fmt::format("{} has no vector.ops.{}", hardware.name, name));
    }
    const auto count = static_cast<double>(
        repeats(widest.rows, widest.row_bytes(), dense, hardware.vector.repeat_bytes));
    return Cycles{
        static_cast<std::int64_t>(std::ceil(found->second.slope * count + found->second.base))};
}

const Tile& wider(const Tile& a, const Tile& b) {
    return bits_of(a.dtype) >= bits_of(b.dtype) ? a : b;
}

Cycles mmad_cost(const isa::Mmad& op, const HardwareConfig& hardware) {
    const config::CubeFormat& format = hardware.cube.formats.at(op.a.dtype);
    return hardware.cube.startup +
           Cycles{ceil_div(op.a.rows, format.m) * ceil_div(op.a.cols, format.k) *
                  ceil_div(op.b.cols, format.n) * format.cycles_per_block};
}

/// One op's cost; an op without a branch here does not compile.
struct CostOf {
    const isa::Instruction& instruction;
    const HardwareConfig& hardware;

    Cycles operator()(const isa::Copy& op) const {
        return transfer(instruction, op.to, op.from, hardware);
    }
    Cycles operator()(const isa::Fixpipe& op) const {
        return transfer(instruction, op.to, op.from, hardware);
    }
    Cycles operator()(const isa::Mmad& op) const { return mmad_cost(op, hardware); }
    Cycles operator()(const isa::VectorBinary& op) const {
        const bool dense =
            op.to.contiguous() && op.a.contiguous() && op.b.contiguous() && op.b.cols == op.to.cols;
        return vector_cost(isa::name_of(instruction), op.to, dense, hardware);
    }
    Cycles operator()(const isa::VectorUnary& op) const {
        const bool dense = op.to.contiguous() && op.from.contiguous();
        return vector_cost(isa::name_of(instruction), op.to, dense, hardware);
    }
    Cycles operator()(const isa::Vcmax& op) const {
        return vector_cost(isa::Vcmax::kName, op.from, false, hardware);
    }
    Cycles operator()(const isa::Vcadd& op) const {
        return vector_cost(isa::Vcadd::kName, op.from, false, hardware);
    }
    Cycles operator()(const isa::VectorBlocks& op) const {
        return vector_cost(isa::name_of(instruction), op.from, true, hardware);
    }
    Cycles operator()(const isa::Vbrcb& op) const {
        return vector_cost(isa::Vbrcb::kName, op.to, true, hardware);
    }
    Cycles operator()(const isa::Vcast& op) const {
        const bool dense = op.to.contiguous() && op.from.contiguous();
        return vector_cost(isa::Vcast::kName, wider(op.to, op.from), dense, hardware);
    }
    Cycles operator()(const isa::Vtranspose& op) const {
        // Blocks are addressed one by one, so a stride costs nothing more.
        return vector_cost(isa::Vtranspose::kName, op.from, true, hardware);
    }
    Cycles operator()(const isa::Vdup& op) const {
        return vector_cost(isa::Vdup::kName, op.to, op.to.contiguous(), hardware);
    }
    Cycles operator()(const isa::SetFlag& /*op*/) const { return hardware.sync.set_flag; }
    Cycles operator()(const isa::WaitFlag& /*op*/) const { return hardware.sync.wait_flag; }
    Cycles operator()(const isa::CrossSet& /*op*/) const { return hardware.sync.set_flag; }
    Cycles operator()(const isa::CrossWait& /*op*/) const { return hardware.sync.wait_flag; }
    Cycles operator()(const isa::PipeBarrier& /*op*/) const { return hardware.sync.pipe_barrier; }
    Cycles operator()(const isa::BarrierAll& /*op*/) const { return hardware.sync.barrier_all; }
    Cycles operator()(const isa::SyncAll& /*op*/) const { return hardware.sync.wait_flag; }
    Cycles operator()(const isa::ScalarWork& op) const { return Cycles{op.cycles}; }
    Cycles operator()(const isa::ScalarLoad& op) const {
        return op.from.memory == Memory::Gm ? hardware.scalar.gm_load : hardware.scalar.ub_load;
    }
    Cycles operator()(const isa::ScalarStore& /*op*/) const { return hardware.scalar.ub_store; }
};

GmTraffic traffic(const Tile& to, const Tile& from, bool cold, bool bypass, std::int64_t line) {
    const bool write = to.memory == Memory::Gm;
    if (!write && from.memory != Memory::Gm) {
        return {};
    }
    const Tile& side = write ? to : from;
    const std::int64_t lines = side.contiguous() ? ceil_div(side.bytes(), line)
                                                 : side.rows * ceil_div(side.row_bytes(), line);
    return {side.bytes(), lines * line, write, cold, bypass, side};
}

} // namespace

std::int64_t
repeats(std::int64_t rows, std::int64_t row_bytes, bool dense, std::int64_t repeat_bytes) {
    return dense ? ceil_div(rows * row_bytes, repeat_bytes)
                 : rows * ceil_div(row_bytes, repeat_bytes);
}

Cycles cost(const isa::Instruction& instruction, const HardwareConfig& hardware) {
    return std::visit(CostOf{instruction, hardware}, instruction);
}

Cycles overlap(const isa::Instruction& instruction, const HardwareConfig& hardware) {
    const auto* copy = std::get_if<isa::Copy>(&instruction);
    if (copy == nullptr) {
        return {};
    }
    const config::LinkConfig& link = isa::link_of(instruction, copy->to, copy->from, hardware);
    return std::min(link.overlap, link.startup);
}

GmTraffic gm_traffic(const isa::Instruction& instruction, const HardwareConfig& hardware) {
    if (const auto* copy = std::get_if<isa::Copy>(&instruction)) {
        return traffic(copy->to, copy->from, copy->cold, copy->bypass, hardware.gm.line_bytes);
    }
    if (const auto* fix = std::get_if<isa::Fixpipe>(&instruction)) {
        return traffic(fix->to, fix->from, fix->cold, false, hardware.gm.line_bytes);
    }
    return {};
}

} // namespace npusim::timing
