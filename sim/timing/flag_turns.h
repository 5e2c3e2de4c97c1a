// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/hash.h"
#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>

namespace npusim::timing {

/// Of each ordered pair of pipes, the id that was set last. Programs take ids in turn, and it makes
/// no difference whose turn it is: what counts is the age of an id, 0 for the one set last, then in
/// the order in which they were set before.
class FlagTurns {
  public:
    explicit FlagTurns(std::int64_t flag_ids) : ids_(static_cast<std::int32_t>(flag_ids)) {}

    [[nodiscard]] std::int32_t id_of_age(Pipe from, Pipe to, std::int32_t age) const {
        return age_of(from, to, age); // its own inverse
    }
    /// How far ids have turned since `then`: what was `id` is (id + turned) % flag_ids.
    [[nodiscard]] std::int32_t turned(Pipe from, Pipe to, const FlagTurns& then) const {
        return age_of(from, to, then.last_[place(from)][place(to)]);
    }

    /// Adds `instruction`, with the age of its flag for its id.
    void add_to(StateHash& hash, const isa::Instruction& instruction) const {
        isa::add_to(hash, instruction);
        each_flag(instruction, [&](const auto& flag) {
            hash.add(is_id(flag.id) ? age_of(flag.from, flag.to, flag.id) : -1);
        });
    }
    /// `instruction` follows.
    void see(const isa::Instruction& instruction) {
        if (const auto* set = std::get_if<isa::SetFlag>(&instruction);
            set != nullptr && is_id(set->id)) {
            last_[place(set->from)][place(set->to)] = set->id;
        }
    }
    /// Turns the flag of an instruction as far as ids have turned since `then`.
    void turn(isa::Instruction& instruction, const FlagTurns& then) const {
        each_flag(instruction, [&](auto& flag) {
            flag.id = (flag.id + turned(flag.from, flag.to, then)) % ids_;
        });
    }

  private:
    [[nodiscard]] bool is_id(std::int32_t id) const { return id >= 0 && id < ids_; }
    static std::size_t place(Pipe pipe) { return static_cast<std::size_t>(pipe); }
    [[nodiscard]] std::int32_t age_of(Pipe from, Pipe to, std::int32_t id) const {
        return (last_[place(from)][place(to)] - id + ids_) % ids_;
    }
    template <class Instruction, class See>
    static void each_flag(Instruction& instruction, const See& see) {
        if (auto* set = std::get_if<isa::SetFlag>(&instruction)) {
            see(*set);
        } else if (auto* wait = std::get_if<isa::WaitFlag>(&instruction)) {
            see(*wait);
        }
    }

    std::int32_t ids_;
    std::array<std::array<std::int32_t, kPipeCount>, kPipeCount> last_{};
};

} // namespace npusim::timing
