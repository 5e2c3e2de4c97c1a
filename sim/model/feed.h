// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/hash.h"
#include "sim/isa/program.h"
#include "sim/timing/flag_turns.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace npusim::model {

/// Gives a core its program block by block, and tells whether what comes next is what came before.
///
/// Blocks are the same if their instructions are but for the addresses of what is in GM, if what
/// they write there overlaps what was written before in the same places, and if their flags are of
/// the same age.
class Feed {
  public:
    Feed(isa::Program program, std::int64_t flag_ids)
        : program_(std::move(program)), turns_(flag_ids), turns_ahead_(flag_ids) {}

    /// The next block; nullptr at the end. Valid until the next call.
    const isa::Block* next();
    /// Hash of the block that was given last; 0 if that was before watch().
    [[nodiscard]] std::uint64_t last() const { return lap_.empty() ? 0 : lap_.back(); }

    /// Flags up to the end of the block that was given last.
    [[nodiscard]] const timing::FlagTurns& turns() const { return turns_; }

    struct Drawn {
        isa::Block block;
        std::uint64_t hash;
        timing::FlagTurns turns;
    };

    /// Begins a lap here.
    void watch();
    void unwatch() { watching_ = false; }
    /// Instructions of the lap.
    [[nodiscard]] std::size_t lap_size() const { return lap_size_; }

    /// Draws as many blocks as the lap has. True if they are the same; otherwise they come next as
    /// they are, and so do those that a later draw() would have to follow.
    bool draw();
    /// Those of them that have been given neither by next() nor by pass().
    [[nodiscard]] const std::deque<Drawn>& drawn() const { return drawn_; }
    /// Goes on to the last block that was drawn, which is returned in place of the one given last;
    /// nullptr if none was.
    const isa::Block* pass();

  private:
    bool fetch(isa::Block& block);
    std::uint64_t see(const isa::Block& block);
    const isa::Block* give(Drawn& drawn);

    isa::Program program_;
    isa::Block block_;        ///< given last
    timing::FlagTurns turns_; ///< up to its end
    std::deque<Drawn> drawn_;
    std::vector<isa::Block> spare_; ///< empty ones, for the room they have
    bool watching_ = false;
    std::vector<std::uint64_t> lap_; ///< hashes of its blocks
    std::size_t lap_size_ = 0;
    // Up to the end of the program as it has been fetched:
    timing::FlagTurns turns_ahead_;
    std::array<isa::Instruction, 2> writes_; ///< to GM, the last ones: a copy, a fixpipe
};

} // namespace npusim::model
