// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/hash.h"
#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::isa {

struct Instruction;

/// The op's mnemonic.
std::string_view name_of(const Instruction& instruction);

/// One line of assembly-like text, e.g. `mmad l0c[0] f32 16x16, l0a[0] fp16 16x16, ...`.
std::string to_text(const Instruction& instruction);

/// What an instruction does to one of its tiles.
struct Access {
    const Tile* tile = nullptr;
    bool write = false;
};
/// The tiles of an instruction and how many there are; none for flags. An mmad that accumulates
/// writes `c` after itself alone, so `c` is not listed as read.
struct Accesses {
    static constexpr std::size_t kMost = 3;
    std::array<Access, kMost> list{};
    std::size_t count = 0;
    [[nodiscard]] std::span<const Access> all() const { return {list.data(), count}; }
};
Accesses accesses(const Instruction& instruction);

/// Whether `later` reads or writes what `earlier` writes.
bool depends(const Instruction& later, const Instruction& earlier);

/// The path that carries `from` to `to`. Throws ProgramError if the chip has none.
const config::LinkConfig& link_of(const Instruction& instruction,
                                  const Tile& to,
                                  const Tile& from,
                                  const config::HardwareConfig& hardware);

/// The pipe that runs `instruction` on this chip. Throws ProgramError for a path the chip lacks.
Pipe pipe_of(const Instruction& instruction, const config::HardwareConfig& hardware);

/// The side of a transfer that is in GM, or nullptr.
const Tile* gm_side(const Instruction& instruction);
Tile* gm_side(Instruction& instruction);

/// Adds all that an instruction's time depends on, and whether it is legal, but the addresses of
/// what is in GM and the ids of flags.
void add_to(StateHash& hash, const Instruction& instruction);

/// Checks shapes, dtypes, alignment, capacity and flag ranges. Throws ProgramError naming the key
/// of the hardware file where there is one, op, operand, value and what is allowed.
void check(const Instruction& instruction, const config::HardwareConfig& hardware);

struct OpDoc {
    std::string_view name;
    std::string_view doc;
};
/// The op reference, in the order of the op list.
std::vector<OpDoc> op_reference();

} // namespace npusim::isa
