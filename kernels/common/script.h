// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/emitter.h"
#include "sim/config/hardware.h"
#include "sim/isa/core_id.h"
#include "sim/isa/instruction.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <map>
#include <utility>

namespace npusim::kernels {

/// The program of one core with its flags and barriers placed by hand, as the source of a published
/// kernel has them: what is modelled is that kernel, waits it could do without included.
///
/// Cube and vector cores of an AI core talk by cross-core flags with numbers of the kernel's own
/// choosing: `to_vectors(id)` on the cube core is seen by every vector core, `to_cube(id)` of all
/// vector cores is what `from_vectors(id)` waits for. On a fused chip there is one program and
/// these do nothing: order by flags or barriers there.
class Script : public OpWriter<Script> {
  public:
    using Where = isa::SourceLine; ///< of a call

    Script(const config::HardwareConfig& hardware, isa::CoreId core)
        : hardware_(hardware), core_(core) {}

    /// Whether this program has the cube, or a vector unit.
    [[nodiscard]] bool cube() const { return fused() || core_.unit == 0; }
    [[nodiscard]] bool vector() const { return fused() || core_.unit > 0; }
    /// Vector units of the AI core, and which of them this is.
    [[nodiscard]] std::int64_t lanes() const { return fused() ? 1 : hardware_.vector_cores; }
    [[nodiscard]] std::int64_t lane() const { return fused() ? 0 : core_.unit - 1; }

    /// A tile in local memory. Throws ConfigError where the memory is full.
    isa::Tile tile(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols);

    /// set_flag and wait_flag.
    void set(Pipe from, Pipe to, std::int32_t id, Where where = Where::current()) {
        (*this)(isa::SetFlag{from, to, id}, where);
    }
    void wait(Pipe from, Pipe to, std::int32_t id, Where where = Where::current()) {
        (*this)(isa::WaitFlag{from, to, id}, where);
    }
    /// Both, one behind the other: `to` goes on when `from` has got here.
    void order(Pipe from, Pipe to, std::int32_t id = 0, Where where = Where::current()) {
        set(from, to, id, where);
        wait(from, to, id, where);
    }
    /// pipe_barrier of one pipe, or of all.
    void barrier(Pipe pipe, Where where = Where::current()) {
        (*this)(isa::PipeBarrier{pipe}, where);
    }
    void barrier_all(Where where = Where::current()) { (*this)(isa::BarrierAll{}, where); }
    /// SyncAll of the chip.
    void sync_all(Where where = Where::current()) { (*this)(isa::SyncAll{}, where); }
    /// Scalar instructions between those of the pipes.
    void scalar(std::int64_t cycles, Where where = Where::current()) {
        (*this)(isa::ScalarWork{cycles}, where);
    }

    /// Cube core: tells every vector core of its AI core, when `pipe` gets here.
    void to_vectors(Pipe pipe, std::int32_t id);
    /// Vector core: tells the cube core, when `pipe` gets here.
    void to_cube(Pipe pipe, std::int32_t id);
    /// wait_flag_dev of a vector core: holds its scalar unit until `to_vectors(id)`.
    void from_cube(std::int32_t id);
    /// wait_flag_dev of the cube core: holds its scalar unit until `to_cube(id)` of all.
    void from_vectors(std::int32_t id);

    [[nodiscard]] const config::HardwareConfig& hardware() const { return hardware_; }
    /// What has been written since the last yield: `co_yield script.block()`.
    isa::Block& block() { return block_; }

  private:
    friend class OpWriter<Script>;
    void add(const isa::Instruction& instruction);
    [[nodiscard]] bool fused() const { return hardware_.composition == config::Composition::Fused; }
    /// Flags of the lanes are told apart by their number.
    [[nodiscard]] std::int32_t lane_id(std::int32_t id, std::int64_t lane) const;

    const config::HardwareConfig& hardware_;
    isa::CoreId core_;
    std::map<Memory, Allocator> allocators_;
    isa::Block block_;
};

/// The half of a tile's rows that vector core `lane` of two has.
inline isa::Tile half_of(const isa::Tile& tile, std::int64_t lane) {
    return tile.block(lane * tile.rows / 2, 0, tile.rows / 2, tile.cols);
}

} // namespace npusim::kernels
