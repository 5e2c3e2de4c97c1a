// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace npusim::timing {

/// Event flags of one core: a counter for each ordered pair of pipes and id, and for each
/// cross-core id. Keeps no clock.
class Scoreboard {
  public:
    Scoreboard(std::int64_t flag_ids, std::int64_t cross_flag_ids)
        : ids_(static_cast<std::size_t>(flag_ids)), flags_(kPipeCount * kPipeCount * ids_),
          cross_(static_cast<std::size_t>(cross_flag_ids)) {}

    void raise(Pipe from, Pipe to, std::int32_t id) { ++flags_[index(from, to, id)]; }
    void raise_cross(std::int32_t id) { ++cross_[static_cast<std::size_t>(id)]; }
    /// Consumes one raise; false if there is none.
    bool try_consume(Pipe from, Pipe to, std::int32_t id) {
        return consume(flags_[index(from, to, id)]);
    }
    bool try_consume_cross(std::int32_t id) {
        return consume(cross_[static_cast<std::size_t>(id)]);
    }

  private:
    static bool consume(std::int32_t& count) {
        if (count == 0) {
            return false;
        }
        --count;
        return true;
    }
    [[nodiscard]] std::size_t index(Pipe from, Pipe to, std::int32_t id) const {
        return (static_cast<std::size_t>(from) * kPipeCount + static_cast<std::size_t>(to)) * ids_ +
               static_cast<std::size_t>(id);
    }

    std::size_t ids_;
    std::vector<std::int32_t> flags_;
    std::vector<std::int32_t> cross_;
};

} // namespace npusim::timing
