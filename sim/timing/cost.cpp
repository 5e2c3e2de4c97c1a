// SPDX-License-Identifier: Apache-2.0
#include "sim/timing/cost.h"

#include "sim/isa/instruction.h"

#include <algorithm>
#include <cmath>
#include <concepts>

namespace npusim::timing {

namespace {

using config::HardwareConfig;
using isa::Tile;

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
    const std::int64_t run_bytes = gm.bytes() / runs;
    const double run = static_cast<double>(run_bytes) / link.bytes_per_cycle;
    return link.startup +
           rounded_up(static_cast<double>(runs) *
                      std::max(run, by_rows ? static_cast<double>(link.run.count()) : 0));
}

/// The part of an op's repeats, 0 to 1, in which both operands read a bank group, so that it takes
/// two cycles to serve them. A block that is reused along a row is in the way of all of it.
double shared_reads(const isa::VectorBinary& op, bool dense, const config::VectorConfig& vector) {
    const std::int64_t groups = vector.bank_groups;
    if (groups == 0 || op.b.cols != op.to.cols) {
        return 1;
    }
    const auto block_of = [](std::int64_t bytes) { return bytes / isa::kVectorBlockBytes; };
    const std::int64_t blocks =
        ceil_div(std::min(dense ? op.a.bytes() : op.a.row_bytes(), vector.repeat_bytes),
                 isa::kVectorBlockBytes);
    // From row to row, how far apart the two begin goes round the groups.
    const std::int64_t rows = dense ? 1 : std::min(op.a.rows, groups);
    const std::int64_t step = block_of(op.b.stride_bytes) - block_of(op.a.stride_bytes);
    std::int64_t apart = block_of(op.b.address) - block_of(op.a.address);
    std::int64_t meetings = 0;
    for (std::int64_t row = 0; row < rows; ++row, apart += step) {
        const std::int64_t ahead = (apart % groups + groups) % groups;
        meetings += ahead < blocks || groups - ahead < blocks ? 1 : 0;
    }
    return static_cast<double>(meetings) / static_cast<double>(rows);
}

/// Cycles of a repeat. The operands of the fits met in every bank group, which costs two cycles: an
/// op of two to three of them does without one where they do not. A read and a write in one bank
/// are not charged: ops of one operand run at a repeat a cycle.
double repeat_cycles(double slope, double sharing) {
    const bool bound_by_reads = std::floor(slope) == 2;
    return bound_by_reads ? slope - 1 + sharing : slope;
}

Cycles vector_cost(const config::VectorLine& line,
                   const Tile& widest,
                   bool dense,
                   const HardwareConfig& hardware,
                   double sharing = 1) {
    const std::int64_t count =
        repeats(widest.rows, widest.row_bytes(), dense, hardware.vector.repeat_bytes);
    return rounded_up(repeat_cycles(line.slope, sharing) * static_cast<double>(count) + line.base);
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
    template <std::derived_from<isa::VectorBinary> Op> Cycles operator()(const Op& op) const {
        const bool dense =
            op.to.contiguous() && op.a.contiguous() && op.b.contiguous() && op.b.cols == op.to.cols;
        return vector_cost(
            line<Op>(op.a), op.to, dense, hardware, shared_reads(op, dense, hardware.vector));
    }
    template <std::derived_from<isa::VectorUnary> Op> Cycles operator()(const Op& op) const {
        const bool dense = op.to.contiguous() && op.from.contiguous();
        return vector_cost(line<Op>(op.from), op.to, dense, hardware);
    }
    Cycles operator()(const isa::Vcmax& op) const {
        return vector_cost(line<isa::Vcmax>(op.from), op.from, false, hardware);
    }
    Cycles operator()(const isa::Vcadd& op) const {
        return vector_cost(line<isa::Vcadd>(op.from), op.from, false, hardware);
    }
    template <std::derived_from<isa::VectorBlocks> Op> Cycles operator()(const Op& op) const {
        return vector_cost(line<Op>(op.from), op.from, true, hardware);
    }
    Cycles operator()(const isa::Vbrcb& op) const {
        return vector_cost(line<isa::Vbrcb>(op.from), op.to, true, hardware);
    }
    Cycles operator()(const isa::Vcast& op) const {
        const bool dense = op.to.contiguous() && op.from.contiguous();
        return vector_cost(line<isa::Vcast>(op.from), wider(op.to, op.from), dense, hardware);
    }
    Cycles operator()(const isa::Vtranspose& op) const {
        // Blocks are addressed one by one, so a stride costs nothing more.
        return vector_cost(line<isa::Vtranspose>(op.from), op.from, true, hardware);
    }
    Cycles operator()(const isa::Vdup& op) const {
        return vector_cost(line<isa::Vdup>(op.to), op.to, op.to.contiguous(), hardware);
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

    /// The cost line of vector op `Op` for the dtype of `operand`.
    template <class Op> [[nodiscard]] const config::VectorLine& line(const Tile& operand) const {
        constexpr std::size_t kPlace = config::VectorOpCosts::place(Op::kName);
        return hardware.vector.ops[kPlace].of(operand.dtype);
    }
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
