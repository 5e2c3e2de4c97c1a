// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/op_writer.h"
#include "sim/base/units.h"
#include "sim/config/hardware.h"
#include "sim/isa/program.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace npusim::kernels {

/// Names one signal on the way from a pipe to another; the default is "nothing to wait for".
struct Ticket {
    std::int64_t number = -1;
};

/// Writes instructions into a block and keeps the books of the event flags.
///
/// A dependency reads `t = emit.signal(from, to)` after the producer and `emit.await(from, to, t)`
/// before the consumer. Signals of a pair of pipes are numbered; awaiting number n consumes all up
/// to n. Ids rotate, and a signal that would reuse an id still up first has the oldest consumed, so
/// a flag is never raised twice. A wait always follows its set in program order: no deadlock.
class Emitter : public OpWriter<Emitter> {
  public:
    explicit Emitter(const config::HardwareConfig& hardware) : ids_(hardware.sync.flag_ids) {}

    Ticket signal(Pipe from, Pipe to);
    void await(Pipe from, Pipe to, Ticket ticket);

    /// What has been written since the last yield.
    isa::Block& block() { return block_; }

  private:
    friend class OpWriter<Emitter>;
    struct Channel {
        std::int64_t set = 0;
        std::int64_t waited = 0;
    };
    Channel& channel(Pipe from, Pipe to) {
        return channels_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    }
    void add(const isa::Instruction& instruction);
    void consume_one(Pipe from, Pipe to, Channel& pair);

    std::int64_t ids_;
    isa::Block block_;
    std::array<std::array<Channel, kPipeCount>, kPipeCount> channels_;
};

} // namespace npusim::kernels
