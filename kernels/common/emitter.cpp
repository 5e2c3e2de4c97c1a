// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/emitter.h"

namespace npusim::kernels {

Ticket Emitter::signal(Pipe from, Pipe to) {
    Channel& pair = channel(from, to);
    if (pair.set - pair.waited == ids_) {
        consume_one(from, to, pair);
    }
    add(isa::SetFlag{from, to, static_cast<std::int32_t>(pair.set % ids_)});
    return {pair.set++};
}

void Emitter::await(Pipe from, Pipe to, Ticket ticket) {
    Channel& pair = channel(from, to);
    while (pair.waited <= ticket.number) {
        consume_one(from, to, pair);
    }
}

void Emitter::add(const isa::Instruction& instruction) {
    block_.push_back(instruction);
}

void Emitter::consume_one(Pipe from, Pipe to, Channel& pair) {
    add(isa::WaitFlag{from, to, static_cast<std::int32_t>(pair.waited % ids_)});
    ++pair.waited;
}

} // namespace npusim::kernels
